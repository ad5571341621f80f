package templates

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"patchbay/tasks"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite the wanted files under testdata/golden")

func slug(sentence string) string {
	return strings.NewReplacer(" ", "-", "'", "").Replace(strings.ReplaceAll(sentence, ".", "-"))
}

// archive shows files as txtar; the mode of each stands before it.
func archive(sentence string, f tasks.Files) []byte {
	a := &txtar.Archive{Comment: []byte(sentence + "\nworkspace " + f.Workspace + " in " + f.Dir + "\n")}
	for _, path := range slices.Sorted(maps.Keys(f.Root)) {
		if f.Root[path].Secret {
			a.Comment = append(a.Comment, "secret: "+path+"\n"...)
		}
		a.Files = append(a.Files, txtar.File{Name: path, Data: f.Root[path].Content})
	}
	return txtar.Format(a)
}

func TestRenderedFilesAreThoseOfTheContract(t *testing.T) {
	for sentence, e := range examples() {
		t.Run(sentence, func(t *testing.T) {
			files, err := render(e.task, e.inputs, shippedForTest)
			if err != nil {
				t.Fatal(err)
			}
			got := archive(sentence, files)
			path := filepath.Join("testdata", "golden", slug(sentence)+".txtar")
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("rendered files differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRenderedFilesAreFormattedAsTerraformWould(t *testing.T) {
	for sentence, e := range examples() {
		t.Run(sentence, func(t *testing.T) {
			files, err := render(e.task, e.inputs, shippedForTest)
			if err != nil {
				t.Fatal(err)
			}
			for path, f := range files.Root {
				if strings.HasPrefix(path, "modules/") || strings.HasSuffix(path, ".json") {
					continue
				}
				if diff := cmp.Diff(string(hclwrite.Format(f.Content)), string(f.Content)); diff != "" {
					t.Errorf("%s is not in canonical form (-want +got):\n%s", path, diff)
				}
			}
		})
	}
}

func TestEveryGoldenFileHasItsExample(t *testing.T) {
	want := map[string]bool{}
	for sentence := range examples() {
		want[slug(sentence)+".txtar"] = true
	}
	entries, err := os.ReadDir(filepath.Join("testdata", "golden"))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, e := range entries {
		got[e.Name()] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files under testdata/golden (-want +got):\n%s", diff)
	}
}
