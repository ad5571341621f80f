package terraform

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"patchbay/tasks"
)

func TestRemoveRefusesWhileTheStateHoldsObjects(t *testing.T) {
	b := newBench(t, nil)
	files := b.root(data("a", "input = 1"))
	b.run(t, files)
	if err := b.Remove(t.Context(), files); err == nil {
		t.Fatal("a workspace with objects was removed")
	}
	if got := b.state(t); len(got) != 1 {
		t.Fatalf("state has %v after a refused removal", got)
	}
	if out := b.run(t, files); !out.Plan.Empty() {
		t.Errorf("plan after a refused removal: %s", out.Plan.Summary())
	}

	emptied := b.root("")
	emptied.Root["providers.auto.tfvars"] = tasks.File{Content: []byte("# secrets\n"), Secret: true}
	b.run(t, emptied)
	if err := b.Remove(t.Context(), emptied); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(b.dir); !errors.Is(err, fs.ErrNotExist) {
		left, _ := filepath.Glob(b.dir + "/*")
		t.Errorf("the directory is there still, with %v (%v)", left, err)
	}
	if err := b.Remove(t.Context(), files); err != nil {
		t.Errorf("remove again: %v", err)
	}
	if out := b.run(t, files); !out.Applied {
		t.Error("the name cannot be used again")
	}
}

func TestRemoveLeavesFilesOfOthers(t *testing.T) {
	b := newBench(t, nil)
	b.run(t, b.root(""))
	notes := filepath.Join(b.dir, "notes.txt")
	if err := os.WriteFile(notes, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := b.Remove(t.Context(), b.root("")); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(b.dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != "notes.txt" {
		t.Errorf("directory has %v (%v), want notes.txt alone", entries, err)
	}
}
