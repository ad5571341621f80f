package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
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
	wantText(t, out, "web", "terraform_data.upstreams")
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

	for _, args := range [][]string{{"status"}, {"task", "list"}, {"task", "show", "web"}, {"task", "runs", "web"}} {
		wantText(t, w.ask(args...), "web")
		with := append(append([]string{}, args[:min(2, len(args))]...), "-o", "json")
		out := w.ask(append(with, args[min(2, len(args)):]...)...)
		if !json.Valid([]byte(out)) {
			t.Errorf("patchbay %v -o json is no JSON:\n%s", args, out)
		}
	}

	w.ask("task", "run", "web")
	r := w.phase("web", "unchanged")
	if r.Trigger != "asked" {
		t.Errorf("the run was triggered by %q, want asked", r.Trigger)
	}
}
