package terraform

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"patchbay/tasks"

	"github.com/google/go-cmp/cmp"
)

// drafted gives a task's files for a directory.
func drafted(dir string) tasks.Files {
	return tasks.Files{Dir: dir, Workspace: "web", Root: map[string]tasks.File{
		"main.tf":               {Content: []byte("# head\n\nmodule \"web\" {}\n")},
		"terraform.tfvars":      {Content: []byte("services = {\n}\n")},
		"providers.auto.tfvars": {Content: []byte("# head\n\nfw = { token = \"s3cret\" }\n"), Secret: true},
	}}
}

func TestWithoutTerraformTheFilesAreWrittenAndNoProcessIsStarted(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "web")
	bin := t.TempDir()
	started := filepath.Join(bin, "started")
	for _, name := range []string{"terraform", "tofu"} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\necho x >"+started+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin)
	for sentence, allowed := range map[string]bool{"the review declines": false, "the review allows it": true} {
		t.Run(sentence, func(t *testing.T) {
			reviews := 0
			out, err := FilesOnly{}.Run(t.Context(), drafted(dir), func(p tasks.Plan) bool {
				if reviews++; p.Empty() || len(p.Changes) != 0 {
					t.Errorf("the plan is %+v, want changes that name no object", p)
				}
				return allowed
			})
			if err != nil || out.Applied != allowed || out.Text != "" || reviews != 1 {
				t.Errorf("got %+v, %v after %d reviews", out, err, reviews)
			}
			if diff := cmp.Diff([]string{manifestName, "main.tf", "providers.auto.tfvars", "terraform.tfvars"}, names(t, dir)); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
		})
	}
	if found := find(t, dir, "s3cret"); len(found) > 0 {
		t.Errorf("the secret stayed in %v", found)
	}
	if _, err := os.Stat(started); !os.IsNotExist(err) {
		t.Errorf("a process was started: %v", err)
	}
	if err := (FilesOnly{}).Remove(t.Context(), drafted(dir)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the directory is still there: %v", err)
	}
	if err := (FilesOnly{}).Remove(t.Context(), drafted(dir)); err != nil {
		t.Errorf("what is gone is an error: %v", err)
	}
}

func TestWithoutTerraformWhatAnotherLeftStays(t *testing.T) {
	dir := t.TempDir()
	state := filepath.Join(dir, "terraform.tfstate.d")
	if err := os.Mkdir(state, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := (FilesOnly{}).Run(t.Context(), drafted(dir), yes); err != nil {
		t.Fatal(err)
	}
	if err := (FilesOnly{}).Remove(t.Context(), drafted(dir)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"terraform.tfstate.d"}, names(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestWithoutTerraformAStopOrABadDirectoryIsNoSuccess(t *testing.T) {
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	never := func(tasks.Plan) bool { t.Error("it was reviewed"); return true }
	if out, err := (FilesOnly{}).Run(stopped, drafted(t.TempDir()), never); !errors.Is(err, context.Canceled) || out.Applied {
		t.Errorf("got %+v, %v", out, err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"relative", file} {
		if out, err := (FilesOnly{}).Run(t.Context(), drafted(dir), never); err == nil || out.Applied {
			t.Errorf("%s: got %+v, %v", dir, out, err)
		}
	}
}
