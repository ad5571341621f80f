package templates_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"patchbay/templates"

	"github.com/google/go-cmp/cmp"
)

func TestBuiltinGivesTheFilesOfAShippedModule(t *testing.T) {
	files, ok := templates.Builtin("nginx")
	if !ok {
		t.Fatal("Builtin(nginx) gave nothing")
	}
	var got []string
	for name, content := range files {
		got = append(got, name)
		want, err := os.ReadFile(filepath.Join("modules", "nginx", name))
		if err != nil {
			t.Fatalf("read module file: %v", err)
		}
		if diff := cmp.Diff(string(want), string(content)); diff != "" {
			t.Errorf("%s differs from the file on disk (-disk +embedded):\n%s", name, diff)
		}
	}
	slices.Sort(got)
	want := []string{"README.md", "apply.sh", "canary.tf", "instances.tf", "main.tf", "outputs.tf", "remote.sh", "template.tf", "upstreams.tf", "variables.tf", "versions.tf"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestBuiltinRefusesWhatIsNoModule(t *testing.T) {
	for _, name := range []string{"", ".", "..", "nginx/..", "/nginx", "nginx/main.tf", "no-such-module"} {
		if files, ok := templates.Builtin(name); ok || len(files) > 0 {
			t.Errorf("Builtin(%q) gave %d files", name, len(files))
		}
	}
}

func TestBuiltinGivesFilesThatTheCallerMayChange(t *testing.T) {
	first, _ := templates.Builtin("nginx")
	first["main.tf"][0] = 'X'
	second, _ := templates.Builtin("nginx")
	if second["main.tf"][0] == 'X' {
		t.Error("a change of the answer reached the embedded module")
	}
}

func TestBuiltinNamesListsModulesThatExist(t *testing.T) {
	names := templates.BuiltinNames()
	if !slices.Contains(names, "nginx") || !slices.IsSorted(names) {
		t.Fatalf("BuiltinNames() = %q", names)
	}
	for _, name := range names {
		if _, ok := templates.Builtin(name); !ok {
			t.Errorf("Builtin(%q) gave nothing", name)
		}
	}
}
