package e2e

import (
	"slices"
	"testing"

	"patchbay/e2e/internal/rig"
)

// held waits until a task's newest run is held by a rule and says so in words.
func (w *world) held(task, rule string) rig.Run {
	w.t.Helper()
	r := w.phase(task, "held")
	n := slices.IndexFunc(r.Findings, func(f rig.Finding) bool { return f.Rule == rule && f.Decision == "hold" })
	if n < 0 {
		w.t.Fatalf("the run is held by %+v, want rule %s", r.Findings, rule)
	}
	if f := r.Findings[n]; len(f.Evidence) == 0 || f.Release == "" {
		w.t.Errorf("the hold gives evidence %q and the way out %q, want both", f.Evidence, f.Release)
	}
	return r
}

func TestLosingAllMembersIsHeldUntilApproved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, web)
	ids := []string{"web-1", "web-2", "web-3"}
	w.must(w.consul.RegisterOnRack("web", w.backend("web-1"), w.backend("web-2"), w.backend("web-3")))
	w.start(w.config(local, w.nginxTask("web", "web", web.File)))
	w.answers("web", ids...)

	w.must(w.consul.SetHealthTogether("web", "critical", ids...))
	w.held("web", "all-members-lost")
	wantText(t, w.ask("task", "show", "web"), "all-members-lost", "service web had 3 members and has none now")
	w.answers("web", ids...)

	w.ask("task", "approve", "-auto-approve", "web")
	w.answers("web")
	r := w.phase("web", "applied")
	if r.Trigger != "approval" {
		t.Errorf("the run was triggered by %q, want approval", r.Trigger)
	}

	w.must(w.consul.SetHealthTogether("web", "passing", "web-2"))
	w.answers("web", "web-2")
}

func TestAHoldEndsByItselfWhenTheServiceComesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, web)
	w.serve("web", "web-1", "web-2")
	w.start(w.config(local, w.nginxTask("web", "web", web.File)))
	w.answers("web", "web-1", "web-2")

	w.must(w.consul.Deregister("web-1"))
	w.answers("web", "web-2")
	applied := w.applied("web")
	w.must(w.consul.SetHealth("web-2", "critical"))
	w.held("web", "all-members-lost")
	w.must(w.consul.SetHealth("web-2", "passing"))
	w.phase("web", "unchanged")
	w.answers("web", "web-2")
	if got := w.applied("web"); got != applied {
		t.Errorf("%d runs were applied while the service was away and came back, want 0", got-applied)
	}
}
