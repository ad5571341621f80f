package xds

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patchbay/tasks/catalog"
	"patchbay/xds/mesh"

	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/retry/host/previous_hosts/v3" // to be told as text
	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"google.golang.org/protobuf/encoding/protojson"
)

var update = flag.Bool("update", false, "rewrite what the golden files want")

// group is a [Group] as a case writes it down.
type group struct {
	Instances   []catalog.Instance
	OnlyPassing bool
}

// TestMeshesGiveTheResourcesOfTheirGoldenFiles reads cases, one a file: its comment
// is a sentence and a line "show: ROLE TYPE", mesh.json what is declared,
// endpoints.json the instances of a target; the other files are the resources that
// they give, as JSON in the order of its keys. Durations are nanoseconds.
func TestMeshesGiveTheResourcesOfTheirGoldenFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("there are no cases", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			archive := txtar.Parse(text)
			got := &txtar.Archive{Comment: archive.Comment}
			for _, f := range archive.Files {
				switch f.Name {
				case "mesh.json":
					got.Files = append(got.Files, f)
					got.Files = append(got.Files, rolesOf(t, f.Data, show(t, archive.Comment))...)
				case "endpoints.json":
					got.Files = append(got.Files, f)
					got.Files = append(got.Files, endpointsOf(t, f.Data)...)
				}
			}
			if *update {
				if err := os.WriteFile(file, txtar.Format(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(text), string(txtar.Format(got))); diff != "" {
				t.Errorf("the resources differ from %s (-want +got):\n%s", file, diff)
			}
		})
	}
}

// show gives which resources a case is about.
func show(t *testing.T, comment []byte) (what [2]string) {
	t.Helper()
	for line := range strings.Lines(string(comment)) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "show: "); ok {
			role, kind, _ := strings.Cut(rest, " ")
			return [2]string{role, kind}
		}
	}
	t.Fatal(`the case has no line "show: ROLE TYPE"`)
	return what
}

func read(t *testing.T, text []byte, into any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		t.Fatal(err)
	}
}

func rolesOf(t *testing.T, text []byte, what [2]string) (out []txtar.File) {
	t.Helper()
	m := &mesh.Mesh{}
	read(t, text, m)
	if mistakes := m.Validate(); len(mistakes) > 0 {
		t.Fatalf("the mesh has mistakes: %+v", mistakes)
	}
	roles, err := NewRoles(m)
	if err != nil {
		t.Fatal(err)
	}
	for _, role := range roles {
		for _, r := range role.Resources {
			if role.Name == what[0] && (what[1] == "" || what[1] == r.Type.String()) {
				out = append(out, txtar.File{Name: fmt.Sprintf("%s %s %s", role.Name, r.Type, r.Name), Data: pretty(t, r)})
			}
		}
	}
	if len(out) == 0 {
		t.Fatalf("there is no %s of %s", what[1], what[0])
	}
	return out
}

func endpointsOf(t *testing.T, text []byte) []txtar.File {
	t.Helper()
	var in struct {
		Target mesh.Target
		Groups []group
	}
	read(t, text, &in)
	var groups []Group
	for _, g := range in.Groups {
		groups = append(groups, Group(g))
	}
	r, omitted, err := NewEndpoints(in.Target, groups...)
	if err != nil {
		t.Fatal(err)
	}
	out := []txtar.File{{Name: "EDS " + r.Name, Data: pretty(t, r)}}
	var left strings.Builder
	for _, o := range omitted {
		fmt.Fprintf(&left, "%s: %s\n", o.Instance, o.Why)
	}
	if left.Len() > 0 {
		out = append(out, txtar.File{Name: "omitted", Data: []byte(left.String())})
	}
	return out
}

// pretty is a resource as text that is the same on every machine.
func pretty(t *testing.T, r *Resource) []byte {
	t.Helper()
	m, err := r.Body.UnmarshalNew()
	if err != nil {
		t.Fatal(err)
	}
	text, err := protojson.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := json.Unmarshal(text, &tree); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(tree); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestEqualMeshesGiveEqualVersions(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("there are no cases", err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if archive.Files[0].Name != "mesh.json" {
			continue
		}
		versions := map[string]string{}
		for round := range 5 {
			m := &mesh.Mesh{}
			read(t, archive.Files[0].Data, m)
			roles, err := NewRoles(m)
			if err != nil {
				t.Fatal(err)
			}
			for _, role := range roles {
				for _, r := range role.Resources {
					key := role.Name + r.Type.String() + r.Name
					if round > 0 && versions[key] != r.Version {
						t.Errorf("%s: %s has another version", file, key)
					}
					versions[key] = r.Version
				}
			}
		}
	}
}
