package server

import (
	"fmt"
	"testing"

	"patchbay/xds"
)

// stock is a server with resources A to D of every type.
func stock(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, 0)
	for _, name := range []string{"A", "B", "C", "D"} {
		for _, kind := range scenarioTypes {
			w.set(t, kind, name, 1)
		}
	}
	return w
}

var scenarioTypes = []xds.Type{xds.Cluster, xds.Endpoints, xds.Listener, xds.Routes}

// typesOf gives the types of a scenario: of all, only clusters and listeners have a
// wildcard, with which its name begins then.
func typesOf(name string) []xds.Type {
	if name[0] == '*' {
		return []xds.Type{xds.Cluster, xds.Listener}
	}
	return scenarioTypes
}

// set publishes a version of a resource.
func (w *world) set(t *testing.T, kind xds.Type, name string, version int) {
	t.Helper()
	switch kind {
	case xds.Cluster:
		w.store.Publish(Change{Scope: "web", Upserts: []*xds.Resource{cluster(t, name, uint32(version))}})
	case xds.Endpoints:
		w.store.Publish(Change{Scope: Shared, Upserts: []*xds.Resource{endpoints(t, name, uint32(version))}},
			Change{Scope: "web", Upserts: []*xds.Resource{cluster(t, name, 1)}})
	case xds.Listener:
		w.store.Publish(Change{Scope: "web", Upserts: []*xds.Resource{listener(t, name, fmt.Sprint(version))}})
	case xds.Routes:
		w.store.Publish(Change{Scope: "web", Upserts: []*xds.Resource{routes(t, name, fmt.Sprint(version))}})
	}
}

func (w *world) unset(kind xds.Type, name string) {
	scope := "web"
	if kind == xds.Endpoints {
		scope = Shared
	}
	w.store.Publish(Change{Scope: scope, Removed: []Key{{kind, name}}})
}

// The scenarios are those of the conformance tests that the makers of control planes
// share. Each ends with a look that nothing more came.
func TestScenariosOfWholeStates(t *testing.T) {
	full := func(kind xds.Type) bool { return kind == xds.Cluster || kind == xds.Listener }
	for name, play := range map[string]func(t *testing.T, w *world, d *worldStream, kind xds.Type){
		"*the wildcard gives everything": func(_ *testing.T, _ *world, d *worldStream, kind xds.Type) {
			d.subscribe(kind)
			d.expect(kind.String() + " A B C D")
		},
		"*the wildcard gives everything again when one changed": func(t *testing.T, w *world, d *worldStream, kind xds.Type) {
			d.subscribe(kind)
			d.expect(kind.String() + " A B C D")
			w.set(t, kind, "A", 2)
			d.expect(kind.String() + " A B C D")
		},
		"*the wildcard gives what is added": func(t *testing.T, w *world, d *worldStream, kind xds.Type) {
			d.subscribe(kind)
			d.expect(kind.String() + " A B C D")
			w.set(t, kind, "E", 1)
			d.expect(kind.String() + " A B C D E")
		},
		"names give these alone": func(_ *testing.T, _ *world, d *worldStream, kind xds.Type) {
			d.subscribe(kind, "B", "D")
			d.expect(kind.String() + " B D")
		},
		"a change of a name is told": func(t *testing.T, w *world, d *worldStream, kind xds.Type) {
			d.subscribe(kind, "B", "D")
			d.expect(kind.String() + " B D")
			w.set(t, kind, "C", 2)
			w.set(t, kind, "B", 2)
			if full(kind) {
				d.expect(kind.String() + " B D")
			} else {
				d.expect(kind.String() + " B")
			}
		},
		"a name comes when it is made": func(t *testing.T, w *world, d *worldStream, kind xds.Type) {
			d.subscribe(kind, "A", "Z")
			d.expect(kind.String() + " A")
			w.set(t, kind, "Z", 1)
			if full(kind) {
				d.expect(kind.String() + " A Z")
			} else {
				d.expect(kind.String() + " Z")
			}
		},
		"a name that is let go of is not told any more": func(t *testing.T, w *world, d *worldStream, kind xds.Type) {
			d.subscribe(kind, "B", "D")
			d.expect(kind.String() + " B D")
			d.subscribe(kind, "B")
			d.quiet()
			w.set(t, kind, "D", 2)
			w.set(t, kind, "B", 2)
			d.expect(kind.String() + " B")
		},
		"who lets go of all is told nothing": func(t *testing.T, w *world, d *worldStream, kind xds.Type) {
			d.subscribe(kind, "A", "B")
			d.expect(kind.String() + " A B")
			d.subscribe(kind)
			d.quiet()
			w.set(t, kind, "A", 2)
		},
		"one stream takes several types": func(t *testing.T, w *world, d *worldStream, kind xds.Type) {
			other := xds.Routes
			if kind == other {
				other = xds.Listener
			}
			d.subscribe(kind, "B")
			d.expect(kind.String() + " B")
			d.subscribe(other, "B")
			d.expect(other.String() + " B")
			w.set(t, kind, "A", 2) // nobody asked
			w.set(t, other, "B", 2)
			d.expect(other.String() + " B")
		},
	} {
		for _, kind := range typesOf(name) {
			t.Run(name+", "+kind.String(), func(t *testing.T) {
				w := stock(t)
				d := w.sotw(t, "web-1", "web")
				play(t, w, d, kind)
				d.quiet()
			})
		}
	}
}

func TestScenariosOfDifferences(t *testing.T) {
	for name, play := range map[string]func(t *testing.T, w *world, d *deltaStream, kind string, k xds.Type){
		"*the wildcard gives everything": func(_ *testing.T, _ *world, d *deltaStream, kind string, k xds.Type) {
			d.subscribe(k)
			d.expect(kind + " +A +B +C +D")
		},
		"*the wildcard by its name gives everything": func(t *testing.T, w *world, d *deltaStream, kind string, k xds.Type) {
			d.subscribe(k, "*")
			d.expect(kind + " +A +B +C +D")
			w.set(t, k, "E", 1)
			d.expect(kind + " +E")
		},
		"names one after the other": func(_ *testing.T, _ *world, d *deltaStream, kind string, k xds.Type) {
			d.subscribe(k, "A")
			d.expect(kind + " +A")
			d.subscribe(k, "B")
			d.expect(kind + " +B")
		},
		"a change gives that one alone": func(t *testing.T, w *world, d *deltaStream, kind string, k xds.Type) {
			d.subscribe(k, "A", "B", "C")
			d.expect(kind + " +A +B +C")
			w.set(t, k, "A", 2)
			d.expect(kind + " +A")
		},
		"a missing name is told, and comes when it is made": func(t *testing.T, w *world, d *deltaStream, kind string, k xds.Type) {
			d.subscribe(k, "A", "Z")
			d.expect(kind + " +A -Z")
			w.set(t, k, "Z", 1)
			d.expect(kind + " +Z")
		},
		"what is removed is told, and comes back": func(t *testing.T, w *world, d *deltaStream, kind string, k xds.Type) {
			d.subscribe(k, "A", "B")
			d.expect(kind + " +A +B")
			w.unset(k, "B")
			d.expect(kind + " -B")
			w.set(t, k, "B", 2)
			d.expect(kind + " +B")
		},
		"names are let go of one after the other": func(t *testing.T, w *world, d *deltaStream, kind string, k xds.Type) {
			d.subscribe(k, "A", "B")
			d.expect(kind + " +A +B")
			d.unsubscribe(k, "B")
			d.quiet()
			w.set(t, k, "B", 2)
			d.quiet()
			w.set(t, k, "A", 2)
			d.expect(kind + " +A")
			d.unsubscribe(k, "A")
			d.quiet()
			w.set(t, k, "A", 3)
		},
		"an acknowledgement is not answered": func(_ *testing.T, _ *world, d *deltaStream, kind string, k xds.Type) {
			d.subscribe(k, "A")
			d.ack(d.expect(kind + " +A"))
		},
		"one stream takes several types": func(t *testing.T, w *world, d *deltaStream, kind string, k xds.Type) {
			d.subscribe(k, "A")
			d.expect(kind + " +A")
			for _, other := range scenarioTypes {
				if other != k {
					d.subscribe(other, "B")
					d.expect(other.String() + " +B")
				}
			}
			w.set(t, k, "A", 2)
			d.expect(kind + " +A")
		},
	} {
		for _, kind := range typesOf(name) {
			t.Run(name+", "+kind.String(), func(t *testing.T) {
				w := stock(t)
				d := w.delta(t, "web-1", "web")
				play(t, w, d, kind.String(), kind)
				d.quiet()
			})
		}
	}
}
