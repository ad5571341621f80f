package e2e

import (
	"path/filepath"
	"syscall"
	"testing"
)

func TestASignalReadsTheConfigurationAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.serve("web", "web-1")
	first, second := filepath.Join(w.dir, "first.txt"), filepath.Join(w.dir, "second.txt")
	w.start(w.config(local, w.filesTask("first", "web", first)))
	w.reads(first, "web-1")
	w.phase("first", "applied")

	// A file with a mistake changes nothing, and the mistake is told.
	w.file("patchbay.hcl", w.config(local, w.filesTask("second", "web", second), "tusk {}"))
	w.patchbay.Signal(syscall.SIGHUP)
	w.must(w.patchbay.AwaitLog(t.Context(), "tusk", limit))
	if got := w.taskNames(); len(got) != 1 || got[0] != "first" {
		t.Errorf("after a file with a mistake the tasks are %v, want first alone", got)
	}
	w.serve("web", "web-2")
	w.reads(first, "web-1,web-2")
	w.missing(second)

	// A new task begins beside the one that goes on.
	w.file("patchbay.hcl", w.config(local, w.filesTask("first", "web", first), w.filesTask("second", "web", second)))
	w.patchbay.Signal(syscall.SIGHUP)
	w.reads(second, "web-1,web-2")
	w.phase("second", "applied")

	// A block that is gone ends its task; what that made stays, and this is told.
	w.file("patchbay.hcl", w.config(local, w.filesTask("second", "web", second)))
	w.patchbay.Signal(syscall.SIGHUP)
	w.noTask("first")
	w.must(w.patchbay.AwaitLog(t.Context(), "what it made stays: task=first", limit))
	w.serve("web", "web-3")
	w.reads(second, "web-1,web-2,web-3")
	w.reads(first, "web-1,web-2")

	// A block that changes is the task from now on.
	w.serve("api", "api-1")
	w.file("patchbay.hcl", w.config(local, w.filesTask("second", "api", second)))
	w.patchbay.Signal(syscall.SIGHUP)
	w.reads(second, "api-1")
}
