package proxies

import (
	"fmt"
	"slices"
	"testing"

	"patchbay/tasks/catalog"
	"patchbay/xds"
	"patchbay/xds/mesh"

	"github.com/google/go-cmp/cmp"
)

// connected is Consul Connect, told by a test.
type connected struct {
	wanted []string
	news   chan struct{}
	next   xds.News
}

func (c *connected) Want(services []string)   { c.wanted = services }
func (c *connected) Changed() <-chan struct{} { return c.news }
func (c *connected) Take() xds.News {
	out := c.next
	c.next.Roots, c.next.Authorities, c.next.Leaves, c.next.Intentions = nil, "", nil, nil
	return out
}

// hears tells the feed news.
func (w *world) hears(n xds.News) {
	w.t.Helper()
	w.connect.next = n
	w.connect.news <- struct{}{}
	w.settle()
}

var trust = mesh.Trust{Domain: "td.consul", Datacenter: "dc1"}

func leaf(t *testing.T, service, text string) map[string]*xds.Resource {
	t.Helper()
	r, err := xds.NewLeaf(service, text, "key of "+text)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]*xds.Resource{service: r}
}

func roots(t *testing.T, text string) *xds.Resource {
	t.Helper()
	r, err := xds.NewRoots(trust.Domain, text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// secured is shop reaching web, both by mutual TLS.
func secured() mesh.Mesh {
	return mesh.Mesh{Sidecars: []mesh.Sidecar{
		{Service: "shop", Connect: true, Upstreams: []mesh.Upstream{{Target: mesh.Target{Service: "web"}, Port: 9191}}},
		{Service: "web", Connect: true, Inbound: &mesh.Inbound{Port: 21000, LocalPort: 8080}}}}
}

func TestARoleWaitsForItsCertificateTheRootsAndTheIntentions(t *testing.T) {
	parts := map[string]func(*testing.T, *xds.News){
		"certificate":  func(_ *testing.T, n *xds.News) { n.Leaves = nil },
		"roots":        func(_ *testing.T, n *xds.News) { n.Roots = nil },
		"intentions":   func(_ *testing.T, n *xds.News) { n.Intentions = nil },
		"trust domain": func(_ *testing.T, n *xds.News) { n.Trust = mesh.Trust{} },
	}
	for missing, without := range parts {
		t.Run(missing, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.declare(secured())
				w.tell("web", nil, catalog.Instance{})
				all := func() xds.News {
					return xds.News{Trust: trust, Roots: roots(t, "root"), Leaves: leaf(t, "web", "1"), Intentions: map[string]mesh.Intentions{"web": {}}}
				}
				n := all()
				without(t, &n)
				w.hears(n)
				if w.store.Has("sidecar/web") {
					t.Fatalf("the sidecar is served without its %s", missing)
				}
				w.hears(all())
				if !w.store.Has("sidecar/web") {
					t.Error("the sidecar is not served although all is known")
				}
				if w.store.Has("sidecar/shop") {
					t.Error("a sidecar is served by the certificate of another")
				}
			})
		})
	}
}

func TestIdentitiesAreFollowedForThoseThatNeedThem(t *testing.T) {
	inWorld(t, func(w *world) {
		m := secured()
		m.Sidecars = append(m.Sidecars, mesh.Sidecar{Service: "plain", Upstreams: []mesh.Upstream{{Target: mesh.Target{Service: "web"}, Port: 1}}})
		w.declare(m)
		if diff := cmp.Diff([]string{"shop", "web"}, w.connect.wanted); diff != "" {
			t.Error(diff)
		}
		w.declare(mesh.Mesh{})
		if len(w.connect.wanted) > 0 {
			t.Errorf("%v are still followed", w.connect.wanted)
		}
	})
}

func TestANewCertificateChangesNothingButTheSecret(t *testing.T) {
	inWorld(t, func(w *world) {
		w.declare(secured())
		w.hears(xds.News{Trust: trust, Roots: roots(t, "root"), Leaves: leaf(t, "web", "1"), Intentions: map[string]mesh.Intentions{"web": {}}})
		before := w.served("sidecar/web")
		w.hears(xds.News{Trust: trust, Leaves: leaf(t, "web", "2")})
		if diff := cmp.Diff([]string{"leaf:web"}, changed(before, w.served("sidecar/web"))); diff != "" {
			t.Error(diff)
		}
		before = w.served("sidecar/web")
		w.hears(xds.News{Trust: trust, Roots: roots(t, "root and another")})
		if diff := cmp.Diff([]string{"roots:td.consul"}, changed(before, w.served("sidecar/web"))); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAnotherIntentionChangesWhatHoldsTheRulesAlone(t *testing.T) {
	for protocol, want := range map[mesh.Protocol]string{mesh.HTTP: "!inbound", mesh.TCP: "inbound"} {
		t.Run(string(protocol), func(t *testing.T) {
			inWorld(t, func(w *world) {
				m := secured()
				m.Sidecars[1].Inbound.Protocol = protocol
				w.declare(m)
				w.hears(xds.News{Trust: trust, Roots: roots(t, "root"), Leaves: leaf(t, "web", "1"), Intentions: map[string]mesh.Intentions{"web": {}}})
				before := w.served("sidecar/web")
				w.hears(xds.News{Trust: trust, Intentions: map[string]mesh.Intentions{"web": {Deny: true}}})
				if diff := cmp.Diff([]string{want}, changed(before, w.served("sidecar/web"))); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// served gives the versions of a role, by name.
func (w *world) served(role string) map[string]string {
	w.t.Helper()
	out := map[string]string{}
	for k, version := range w.store.Versions(role) {
		out[k.Name] = version
	}
	if len(out) == 0 {
		w.t.Fatalf("nothing is served to %s", role)
	}
	return out
}

func changed(before, after map[string]string) (out []string) {
	for name, version := range after {
		if before[name] != version {
			out = append(out, name)
		}
	}
	for name := range before {
		if after[name] == "" {
			out = append(out, fmt.Sprintf("%s is gone", name))
		}
	}
	slices.Sort(out)
	return out
}

func TestASidecarIsReachedBesideTheInstanceOrAtItsRegisteredProxy(t *testing.T) {
	inWorld(t, func(w *world) {
		m := secured()
		m.Sidecars[0].Upstreams = append(m.Sidecars[0].Upstreams, mesh.Upstream{Target: mesh.Target{Service: "db"}, Port: 9292})
		w.declare(m)
		for _, q := range []catalog.Query{{Kind: catalog.ServiceHealth, Name: "web"}, {Kind: catalog.ServiceConnect, Name: "db"}} {
			if !w.views.needed[q] {
				t.Errorf("%s is not followed", q)
			}
		}
		own := []catalog.Instance{{Port: 80}, {Port: 81}}
		for _, i := range w.feed.beside(mesh.Target{Service: "web", Connect: true}, own) {
			if i.Port != 21000 {
				t.Errorf("the sidecar of web is sought at port %d", i.Port)
			}
		}
		if got := w.feed.beside(mesh.Target{Service: "web"}, own); got[0].Port != 80 {
			t.Errorf("web itself is sought at port %d", got[0].Port)
		}
	})
}
