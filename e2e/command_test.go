package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestInspectShowsChangesAndMakesNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, web)
	w.serve("web", "web-1", "web-2")
	file := filepath.Join(w.program.Dir, "patchbay.hcl")
	w.must(os.WriteFile(file, []byte(w.config(local, w.nginxTask("web", "web", web.File))), 0o644))

	out, code := w.patch("start", "-config-file", file, "-inspect")
	if code != 0 {
		t.Fatalf("exit code %d:\n%s", code, out)
	}
	wantText(t, out, "web", "upstream web 2 servers")
	w.answers("web")

	if out, code = w.patch("start", "-config-file", file, "-once"); code != 0 {
		t.Fatalf("exit code %d:\n%s", code, out)
	}
	w.answers("web", "web-1", "web-2")
}

func TestTheCommandsTellOfARunningDaemon(t *testing.T) {
	t.Parallel()
	w := newWorld(t, web)
	w.serve("web", "web-1")
	w.start(w.config(local, w.nginxTask("web", "web", web.File)))
	w.answers("web", "web-1")
	w.phase("web", "applied")

	for _, c := range []struct {
		command []string
		task    string
		tells   string
	}{
		{[]string{"status"}, "", "web"},
		{[]string{"task", "list"}, "", "web"},
		{[]string{"task", "show"}, "web", "builtin/nginx"},
		{[]string{"task", "runs"}, "web", "applied"},
	} {
		task := strings.Fields(c.task)
		wantText(t, w.ask(slices.Concat(c.command, task)...), c.tells)
		out := w.ask(slices.Concat(c.command, []string{"-o", "json"}, task)...)
		wantText(t, out, c.tells)
		if !json.Valid([]byte(out)) {
			t.Errorf("patchbay %v -o json is no JSON:\n%s", c.command, out)
		}
	}

	w.ask("task", "run", "web")
	r := w.phase("web", "unchanged")
	if r.Trigger != "asked" {
		t.Errorf("the run was triggered by %q, want asked", r.Trigger)
	}
}
