package terraform

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patchbay/tasks"
)

func TestAFileIsReplacedAndNeverHalfWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "task")
	before := strings.Repeat("# before\n", 10_000)
	if err := writeAll(t, dir, map[string]tasks.File{"terraform.tfvars": text(before)}); err != nil {
		t.Fatal(err)
	}
	open, err := os.Open(filepath.Join(dir, "terraform.tfvars"))
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	if err := writeAll(t, dir, map[string]tasks.File{"terraform.tfvars": text("# after\n")}); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(open)
	if err != nil || string(got) != before {
		t.Errorf("who had the file open reads %d bytes, want all %d of before: %v", len(got), len(before), err)
	}
	if now, err := os.ReadFile(open.Name()); err != nil || string(now) != "# after\n" {
		t.Errorf("the file is %q, %v", now, err)
	}
}

// breaking is a module of five objects, one after the other; each writes its number
// to done, and the nth does something bad as long as broken is there.
func breaking(n int, done, broken, bad string) string {
	var b strings.Builder
	for i := range 5 {
		depends, more := "", ""
		if i > 0 {
			depends = fmt.Sprintf("depends_on = [terraform_data.s%d]\n", i-1)
		}
		if i == n {
			more = fmt.Sprintf("if [ -e '%s' ]; then %s; fi; ", broken, bad)
		}
		fmt.Fprintf(&b, "resource \"terraform_data\" \"s%d\" {\n%sprovisioner \"local-exec\" {\n"+
			"interpreter = [\"/bin/sh\", \"-c\"]\ncommand = \"%secho %d >>'%s'\"\n}\n}\n", i, depends, more, i, done)
	}
	return b.String()
}

func TestAnApplyThatBreaksHalfwayIsCarriedOnByTheNextRun(t *testing.T) {
	for name, bad := range map[string]string{"the device says no": "exit 7", "terraform is killed": "kill -9 $PPID; exit 1"} {
		for n := range 5 {
			t.Run(fmt.Sprintf("%s at object %d", name, n), func(t *testing.T) {
				dir := t.TempDir()
				done, broken := filepath.Join(dir, "done"), filepath.Join(dir, "broken")
				if err := os.WriteFile(broken, nil, 0o600); err != nil {
					t.Fatal(err)
				}
				b := newBench(t, nil)
				files := b.root(breaking(n, done, broken, bad))
				if out, err := b.Run(t.Context(), files, yes); err == nil || out.Applied {
					t.Fatalf("applied = %v, error = %v", out.Applied, err)
				}
				if err := os.Remove(broken); err != nil {
					t.Fatal(err)
				}
				b.run(t, files)
				text, err := os.ReadFile(done)
				if err != nil || string(text) != "0\n1\n2\n3\n4\n" {
					t.Errorf("the objects were made in the order %q, want each once: %v", text, err)
				}
				if got := b.state(t); len(got) != 5 || strings.Contains(strings.Join(got, " "), "tainted") {
					t.Errorf("the state has %v", got)
				}
				if out := b.run(t, files); !out.Plan.Empty() {
					t.Errorf("a further run would %s", out.Plan.Summary())
				}
			})
		}
	}
}
