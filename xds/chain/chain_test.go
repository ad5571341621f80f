package chain

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patchbay/xds/mesh"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite what is wanted")

// told is what a case wants to know of a chain.
type told struct {
	Error    string `json:",omitempty"`
	Refused  string `json:",omitempty"`
	Unserved []string
	Services []mesh.Service
}

func tell(own mesh.Target, text []byte) told {
	c, err := Compile(own, text)
	if err != nil {
		return told{Error: err.Error()}
	}
	out := told{Unserved: c.Unserved, Services: c.Services}
	if err := c.Check(&mesh.Mesh{}); err != nil {
		out.Refused = err.Error()
	}
	return out
}

// TestConsulsEntriesAreTakenOverOrNamed reads what a real Consul compiled of the
// entries in the same file.
func TestConsulsEntriesAreTakenOverOrNamed(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) < 15 {
		t.Fatalf("%d cases, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var text, want []byte
			for _, f := range a.Files {
				switch f.Name {
				case "chain.json":
					text = f.Data
				case "want.json":
					want = f.Data
				}
			}
			got, err := json.MarshalIndent(brief(t, tell(mesh.Target{Service: "web"}, text)), "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, '\n')
			if *update {
				a.Files = append(a.Files[:2:2], txtar.File{Name: "want.json", Data: got})
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if d := cmp.Diff(string(want), string(got)); d != "" {
				t.Errorf("want (-), got (+):\n%s", d)
			}
		})
	}
}

// brief leaves out what is not set.
func brief(t *testing.T, value any) any {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return prune(out)
}

func prune(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for k, inner := range v {
			if inner = prune(inner); empty(inner) {
				delete(v, k)
			} else {
				v[k] = inner
			}
		}
	case []any:
		for n := range v {
			v[n] = prune(v[n])
		}
	}
	return value
}
