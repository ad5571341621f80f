package e2e

import (
	"path/filepath"
	"slices"
	"strings"
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

func TestACommandReadsTheConfigurationAgainAndTellsWhatChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.serve("web", "web-1")
	first, second := filepath.Join(w.dir, "first.txt"), filepath.Join(w.dir, "second.txt")
	w.start(w.config(local, w.filesTask("first", "web", first)))
	w.shows("/v1/status/tasks/first", `"status":"successful"`)

	// All mistakes come at once, with their places, by command and by API.
	w.file("patchbay.hcl", "tusk {}\nshutdown_grace = \"soon\"\n"+w.config(local, w.filesTask("second", "web", second)))
	w.says(11, "", []string{"reload"}, "unable to reload the configuration", "patchbay.hcl:1:1", "patchbay.hcl:2:", "nothing was changed")
	wantText(t, w.send("POST", "/v1/reload", "", 400).Body, "patchbay.hcl:1:1", "patchbay.hcl:2:", `"request_id"`)
	if got := w.taskNames(); !slices.Equal(got, []string{"first"}) {
		t.Errorf("after a file with mistakes the tasks are %v, want first alone", got)
	}

	changed := strings.Replace(w.config(local, w.filesTask("first", "web", first), w.filesTask("second", "web", second),
		"api {\n  token = \"open-sesame\"\n}"), "port      = 0", "port      = 1", 1)
	w.file("patchbay.hcl", changed)
	out := w.ask("reload")
	wantText(t, out, "second", "Only a restart takes over:", "port")
	w.holdsNo("what the command told", out, "open-sesame")
	w.holdsNo("the log", w.patchbay.Output(), "open-sesame")
	w.reads(second, "web-1")
	wantText(t, w.ask("reload"), "port")
}
