package server

import (
	"testing"
	"time"

	"patchbay/xds"
)

func TestAClientThatIsLetGoOfLosesItsStreamAndNobodyElseDoes(t *testing.T) {
	w := newWorld(t, 0)
	w.publish(t)
	gone, stays := w.delta(t, "web-1", "web"), w.delta(t, "web-2", "web")
	gone.begin()
	stays.begin()
	var asked []string
	n := w.server.Evict(func(p Peer) bool {
		asked = append(asked, p.Node)
		return p.Node == "web-1"
	})
	if n != 1 || len(asked) != 2 {
		t.Errorf("%d of %v were let go of", n, asked)
	}
	select {
	case r, open := <-gone.got:
		if open {
			t.Errorf("web-1 still gets %s", tell(r))
		}
	case <-time.After(patience):
		t.Error("the stream of web-1 did not end")
	}
	stays.quiet()
	again := w.delta(t, "web-1", "web")
	again.subscribe(xds.Cluster)
	again.expect("CDS +api")
}

func TestARoleIsForgottenOnceNobodyHasIt(t *testing.T) {
	w := newWorld(t, 0)
	w.publish(t)
	d := w.delta(t, "web-1", "web")
	d.begin()
	if w.store.Forget("web"); !w.store.Has("web") {
		t.Error("a role that a client has is forgotten")
	}
	w.store.Publish(Change{Scope: "old", Upserts: nil})
	if w.store.Forget("old"); w.store.Has("old") {
		t.Error("a role that nobody has is not forgotten")
	}
}
