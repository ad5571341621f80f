package terraform

import (
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
