package server

import (
	"testing"

	"patchbay/xds"
)

func TestWhatWentAwayOrCameBackTheSameIsNotCountedAsOwed(t *testing.T) {
	w := newWorld(t, 0)
	w.publish(t)
	d := w.delta(t, "web-1", "web")
	d.begin()
	w.store.Publish(Change{Scope: "web", Upserts: []*xds.Resource{listener(t, "more", "1")}})
	d.expect("LDS +more")
	// It changes and changes back before anybody looks, and another one goes.
	w.store.Publish(Change{Scope: "web", Upserts: []*xds.Resource{listener(t, "in", "2"), listener(t, "in", "1")},
		Removed: []Key{{xds.Listener, "more"}}})
	d.expect("LDS -more")
	state := w.server.Clients()[0].Types[xds.Listener]
	if state.Subscribed != 1 || state.Pending != 0 || len(state.Resources) != 1 {
		t.Errorf("the client has one listener, the newest; told is %+v", state)
	}
}
