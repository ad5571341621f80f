package terraform

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patchbay/tasks"

	"github.com/google/go-cmp/cmp"
)

func text(s string) tasks.File { return tasks.File{Content: []byte(s)} }

func writeAll(t *testing.T, dir string, files map[string]tasks.File) error {
	t.Helper()
	root, err := openDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := root.Mkdir(runDir, 0o700); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(root.RemoveAll(runDir), root.Close()); err != nil {
			t.Error(err)
		}
	}()
	return writeFiles(root, files)
}

// listing maps each path below dir to its mode and content.
func listing(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		info, err := d.Info()
		if err != nil || d.IsDir() {
			out[rel] = info.Mode().String()
			return err
		}
		content, err := os.ReadFile(path)
		out[rel] = info.Mode().String() + " " + string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestFilesAreWrittenWithTheirModesAndStaleOnesRemoved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a/task")
	if err := writeAll(t, dir, map[string]tasks.File{
		"main.tf": text("1"), "modules/nginx/main.tf": text("m"), "modules/nginx/apply.sh": text("s"),
		"p.auto.tfvars": {Content: []byte("p"), Secret: true}, "terraform.tfvars": text("v"),
	}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "notes.tf"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(filepath.Join(dir, "main.tf"))
	if err != nil {
		t.Fatal(err)
	}
	if err := writeAll(t, dir, map[string]tasks.File{"main.tf": text("1"), "new.tf": text("2")}); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		".patchbay-files": "-rw-r----- main.tf\nnew.tf\n", "main.tf": "-rw-r----- 1", "new.tf": "-rw-r----- 2",
		"notes.tf": "-rw------- mine", "terraform.tfvars": "-rw-r----- v",
	}
	if diff := cmp.Diff(want, listing(t, dir)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	after, err := os.Stat(filepath.Join(dir, "main.tf"))
	if err != nil || !os.SameFile(before, after) || !before.ModTime().Equal(after.ModTime()) {
		t.Errorf("an equal file was written again (%v)", err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != dirMode {
		t.Errorf("directory: %v %v", info.Mode(), err)
	}
}

func TestFilesOfConsulTerraformSyncAreTakenOver(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"main.tf": ctsHeader + "\n", "variables.module.tf": ctsHeader + "\n", "variables.auto.tfvars": "my_own = 1\n",
		"providers.auto.tfvars": ctsHeader + "\nold", "terraform.tfvars": ctsHeader + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := writeAll(t, dir, map[string]tasks.File{"main.tf": text("1"), "providers.auto.tfvars": {Content: []byte(ctsHeader + "\nold"), Secret: true}}); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		".patchbay-files": "-rw-r----- main.tf\nproviders.auto.tfvars\n", "main.tf": "-rw-r----- 1",
		"providers.auto.tfvars": "-rw------- " + ctsHeader + "\nold", "variables.auto.tfvars": "-rw-r--r-- my_own = 1\n",
		"terraform.tfvars": "-rw-r--r-- " + ctsHeader + "\n",
	}
	if diff := cmp.Diff(want, listing(t, dir)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNothingOutsideOfTheDirectoryIsTouched(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	victim := filepath.Join(outside, "victim.tf")
	if err := os.WriteFile(victim, []byte("keep"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"modules": outside, "main.tf": victim} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	manifest := "modules/victim.tf\n../" + filepath.Base(outside) + "/victim.tf\n" + victim + "\n.terraform/x\n"
	if err := os.WriteFile(filepath.Join(dir, manifestName), []byte(manifest), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := writeAll(t, dir, map[string]tasks.File{"main.tf": text("1"), "modules/x.tf": text("2")}); err == nil {
		t.Error("a file was written through a symbolic link")
	}
	if err := writeAll(t, dir, map[string]tasks.File{"main.tf": text("1")}); err == nil {
		t.Error("a file was removed through a symbolic link without a word")
	}
	if got := listing(t, outside); !cmp.Equal(got, map[string]string{"victim.tf": "-rw-r--r-- keep"}) {
		t.Errorf("outside is %v", got)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "main.tf")); err != nil || string(got) != "1" {
		t.Errorf("main.tf is %q, %v", got, err)
	}
}

func TestHostileNamesAreRefusedBeforeAnythingIsWritten(t *testing.T) {
	b := newBench(t, nil)
	for _, name := range []string{
		"../x.tf", "/etc/x.tf", "a/../../x.tf", "./x.tf", "", ".", "a//b.tf", "x\n.tf", "x\x00.tf", "a\\..\\b.tf", "bad\xff.tf",
		".terraform/environment", ".patchbay-files", ".patchbay-run/plan", ".terraform.lock.hcl", "terraform.tfstate", "terraform.tfstate.d/web/x", "m/errored.tfstate",
	} {
		files := b.root("")
		files.Root[name] = text("x")
		if _, err := b.Run(t.Context(), files, yes); err == nil || !strings.Contains(err.Error(), "check file name") {
			t.Errorf("%q: error is %v", name, err)
		}
	}
	for _, change := range []func(*tasks.Files){
		func(f *tasks.Files) { f.Dir = "relative" }, func(f *tasks.Files) { f.Dir = "/" },
		func(f *tasks.Files) { f.Workspace = "" }, func(f *tasks.Files) { f.Workspace = "-force" },
	} {
		files := b.root("")
		change(&files)
		if _, err := b.Run(t.Context(), files, yes); err == nil || !strings.Contains(err.Error(), "check ") {
			t.Errorf("%q %q: error is %v", files.Dir, files.Workspace, err)
		}
	}
	if _, err := os.Stat(b.dir); !os.IsNotExist(err) || len(b.commands(t)) > 0 {
		t.Errorf("something was done: %v, %v", err, b.commands(t))
	}
}

func TestADirectoryThatCannotBeWrittenIsToldBeforePlanning(t *testing.T) {
	b := newBench(t, nil)
	if err := os.WriteFile(b.dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := b.Run(t.Context(), b.root(""), yes)
	if err == nil || !strings.Contains(err.Error(), "make it writable") || !strings.Contains(err.Error(), b.dir) {
		t.Errorf("error is %v", err)
	}
	if err := os.Remove(b.dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(b.dir, "main.tf/full"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Run(t.Context(), b.root(""), yes); err == nil || !strings.Contains(err.Error(), "write files in "+b.dir) {
		t.Errorf("error is %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(b.dir, runDir)); len(left) > 0 || len(b.commands(t)) > 0 {
		t.Errorf("left %v, ran %v", left, b.commands(t))
	}
}

func TestAStateThatCouldNotBeSavedStopsPlanning(t *testing.T) {
	b := newBench(t, nil)
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(b.dir, leftState)
	if err := os.WriteFile(left, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := b.Run(t.Context(), b.root(data("a", "input = 1")), yes)
	if err == nil || !strings.Contains(err.Error(), left) || !strings.Contains(err.Error(), "state push") || len(b.commands(t)) > 0 {
		t.Fatalf("ran %v, error is %v", b.commands(t), err)
	}
	if err := os.Remove(left); err != nil {
		t.Fatal(err)
	}
	if out := b.run(t, b.root(data("a", "input = 1"))); !out.Applied {
		t.Error("it was not applied after the file was gone")
	}
}
