package server

import (
	"testing"
	"time"

	"patchbay/xds"
)

// Envoy acknowledges a changed cluster only when that is warm, which it is not before
// its endpoints came anew; and it does not ask for them, as it has them.
func TestEndpointsOfAChangedClusterComeBeforeItIsAcknowledged(t *testing.T) {
	w := newWorld(t, time.Hour) // nothing is let through for its age
	w.publish(t)
	d := w.delta(t, "web-1", "web")
	d.begin()
	w.rests(t)
	w.store.Publish(Change{Scope: "web", Upserts: []*xds.Resource{cluster(t, "api", 2), routes(t, "out", "2")}})
	changed := d.see("CDS +api")
	d.expect("EDS +api")
	d.ack(changed)
	d.expect("RDS +out")
	d.quiet()
}

// rests waits until the only client's acknowledgements have come.
func (w *world) rests(t *testing.T) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		owed := 0
		for _, k := range w.server.Clients()[0].Types {
			owed += k.Pending
		}
		if owed == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d resources were not acknowledged", owed)
		}
	}
}
