package e2e

import (
	"testing"
)

func TestChecksThatFailOneAfterTheOtherRemoveNobodyWhileTheRestIsInDoubt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, web)
	w.serve("web", "web-1", "web-2", "web-3")
	w.start(w.config(local, w.nginxTask("web", "web", web.File)))
	w.answers("web", "web-1", "web-2", "web-3")
	w.phase("web", "applied")

	for _, id := range []string{"web-1", "web-2", "web-3"} {
		w.must(w.consul.SetHealth(id, "critical"))
	}
	w.held("web", "all-members-lost")
	w.answers("web", "web-1", "web-2", "web-3")
	if got := w.applied("web"); got != 1 {
		t.Errorf("%d runs were applied while all checks failed, want 0", got-1)
	}
}
