package e2e

import (
	"fmt"
	"testing"

	"patchbay/e2e/internal/rig"
)

// TestNoRequestFailsWhileTheServiceChanges makes 20 changes of six kinds under
// constant load. Each must be seen in the answers before the next one is made.
func TestNoRequestFailsWhileTheServiceChanges(t *testing.T) {
	w := newWorld(t, web)
	w.serve("web", "web-1", "web-2", "web-3")
	w.start(w.config(local, w.nginxTask("web", "web", web.File)))
	w.answers("web", "web-1", "web-2", "web-3")

	load := rig.StartLoad(w.nginx, "web", 4)
	w.must(load.AwaitOnly(w.t.Context(), limit, "web-1", "web-2", "web-3"))
	serving := map[string]string{"web-1": "web-1", "web-2": "web-2", "web-3": "web-3"}
	changes := 0
	change := func(what string, err error) {
		t.Helper()
		w.must(err)
		changes++
		var ids []string
		for _, answer := range serving {
			ids = append(ids, answer)
		}
		if err := load.AwaitOnly(w.t.Context(), limit, ids...); err != nil {
			requests, failures := load.Stop()
			t.Fatalf("change %d, %s, is not seen in the answers: %v; %d requests, failures: %v", changes, what, err, requests, failures)
		}
	}
	for round := range 4 {
		added := fmt.Sprintf("web-%d", 4+round)
		serving[added] = added
		change("one more instance", w.consul.Register("web", w.backend(added)))

		delete(serving, "web-1")
		change("an instance turns critical", w.consul.SetHealth("web-1", "critical"))
		serving["web-1"] = "web-1"
		change("the instance is well again", w.consul.SetHealth("web-1", "passing"))

		moved := w.backend(fmt.Sprintf("web-2 moved %d", round))
		serving["web-2"] = moved.ID
		change("an instance moves to another port", w.move("web-2", moved))

		delete(serving, added)
		change("an instance is taken away", w.consul.Deregister(added))
	}
	requests, failures := load.Stop()
	t.Logf("%d requests during %d changes, %d failed", requests, changes, len(failures))
	if changes != 20 || requests < 20*100 {
		t.Errorf("%d changes and %d requests, want 20 changes and many requests", changes, requests)
	}
	if len(failures) > 0 {
		t.Errorf("requests failed: %v", failures)
	}
}

// move registers a backend under the id of another instance.
func (w *world) move(id string, to *rig.Backend) error { return w.consul.RegisterAs(id, "web", to) }
