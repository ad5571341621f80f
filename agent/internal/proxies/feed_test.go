package proxies

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"patchbay/agent/internal/filter"
	"patchbay/tasks/catalog"
	"patchbay/xds/mesh"
	"patchbay/xds/server"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// views is a source of views that a test fills.
type views struct {
	mu      sync.Mutex
	needed  map[catalog.Query]bool
	known   map[catalog.Query]*catalog.View
	changed map[catalog.Query]bool
	wake    chan struct{}
	// silent gives no answer for chains that are not set.
	silent bool
}

func (v *views) Need(queries []catalog.Query) {
	v.mu.Lock()
	defer v.mu.Unlock()
	before := v.needed
	v.needed = map[catalog.Query]bool{}
	for _, q := range queries {
		v.needed[q] = true
		if q.Kind == catalog.DiscoveryChain && v.known[q] == nil && !v.silent {
			v.known[q] = catalog.NewPairsView(q, map[string]string{q.Name: ""}) // no entries
		}
		if !before[q] && v.known[q] != nil {
			v.note(q)
		}
	}
}

// list gives what is needed.
func (v *views) list() []catalog.Query {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.SortedFunc(maps.Keys(v.needed), catalog.Query.Compare)
}

func (v *views) note(q catalog.Query) {
	v.changed[q] = true
	select {
	case v.wake <- struct{}{}:
	default:
	}
}

func (v *views) Changed() <-chan struct{} { return v.wake }

func (v *views) Take() (out []*catalog.View) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for q := range v.changed {
		out = append(out, v.known[q])
	}
	clear(v.changed)
	return out
}

func (v *views) set(view *catalog.View) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.known[view.Query] = view
	if v.needed[view.Query] {
		v.note(view.Query)
	}
}

// world is a feed under test, in a bubble.
type world struct {
	t     *testing.T
	ctx   context.Context
	views *views
	feed  *Feed
	store *server.Store
	// clients are connected; evicted tells whom of them the feed let go of.
	clients []server.Peer
	evicted []string
	kept    *kept
	// connect tells of identities.
	connect *connected
	rights  *rights
}

// kept remembers what was saved.
type kept struct {
	mu    sync.Mutex
	views map[catalog.Query]*catalog.View
}

func (k *kept) save(views []*catalog.View, gone []catalog.Query) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, v := range views {
		k.views[v.Query] = v
	}
	for _, q := range gone {
		delete(k.views, q)
	}
	return nil
}

// of gives what is saved of a query.
func (k *kept) of(q catalog.Query) *catalog.View {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.views[q]
}

func inWorld(t *testing.T, f func(*world)) { inWorldAfter(t, nil, f) }

// inWorldAfter is a world after an earlier process that left views.
func inWorldAfter(t *testing.T, known []*catalog.View, f func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		w := &world{t: t, ctx: ctx, store: server.NewStore(), kept: &kept{views: map[catalog.Query]*catalog.View{}}, views: &views{needed: map[catalog.Query]bool{}, known: map[catalog.Query]*catalog.View{},
			changed: map[catalog.Query]bool{}, wake: make(chan struct{}, 1)}}
		w.connect, w.rights = &connected{news: make(chan struct{}, 1)}, &rights{}
		w.feed = New(Options{Views: w.views, Connect: w.connect, MayWrite: w.rights.mayWrite, Evict: w.evict, Store: w.store, Compile: filter.Compile, Known: known, Keep: w.kept.save, Log: hclog.NewNullLogger()})
		done := make(chan error, 1)
		go func() { done <- w.feed.Run(ctx) }()
		defer func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}()
		f(w)
	})
}

func (w *world) evict(gone func(server.Peer) bool) {
	for _, p := range w.clients {
		if gone(p) {
			w.evicted = append(w.evicted, p.Node)
		}
	}
}

func (w *world) declare(m mesh.Mesh) {
	w.t.Helper()
	if err := w.feed.Declare(w.ctx, &m); err != nil {
		w.t.Fatal(err)
	}
	synctest.Wait()
}

// tell gives a service's instances, by their version and state.
func (w *world) tell(service string, departures []catalog.Departure, list ...catalog.Instance) {
	w.t.Helper()
	for n := range list {
		list[n].ID, list[n].Name = fmt.Sprintf("%s-%d", service, n), service
		list[n].Port, list[n].Weights = 1000+n, catalog.Weights{Passing: 1, Warning: 1}
		list[n].Node = catalog.Node{Name: fmt.Sprintf("n%d", n), Address: "10.0.0.1", Datacenter: "dc1"}
	}
	v := catalog.NewServiceView(catalog.Query{Kind: catalog.ServiceHealth, Name: service}, list)
	v.Departures = departures
	w.views.set(v)
	w.settle()
}

// settle lets the time pass for which changes are gathered.
func (w *world) settle() {
	time.Sleep(2 * window)
	synctest.Wait()
}

func version(v string) catalog.Instance {
	return catalog.Instance{Meta: map[string]string{"version": v}}
}

func failing(check string) catalog.Instance {
	return catalog.Instance{Checks: []catalog.Check{{ID: check, Status: catalog.Critical}}}
}

// targets tells every target as "name healthy/total".
func (w *world) targets() (out []string) {
	w.t.Helper()
	list, err := w.feed.Targets(w.ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, t := range list {
		line := fmt.Sprintf("%s %d/%d", t, t.Healthy, t.Total)
		if t.Held != "" {
			line += " held"
		}
		out = append(out, line)
	}
	return out
}

func split() mesh.Mesh {
	return mesh.Mesh{Services: []mesh.Service{{Name: "web", Protocol: mesh.HTTP,
		Subsets: []mesh.Subset{{Name: "v1", Filter: `Service.Meta.version == "1"`}, {Name: "v2", Filter: `Service.Meta.version == "2"`}},
		Default: []mesh.Leg{{Target: mesh.Target{Service: "web", Subset: "v1"}, Weight: 9000}, {Target: mesh.Target{Service: "web", Subset: "v2"}, Weight: 1000}}}},
		Sidecars: []mesh.Sidecar{{Service: "shop", Upstreams: []mesh.Upstream{{Target: mesh.Target{Service: "web"}, Port: 9191}}},
			{Service: "cart", Upstreams: []mesh.Upstream{{Target: mesh.Target{Service: "db"}, Port: 9192}}}}}
}

func TestSubsetsTakeTheInstancesThatTheirFilterSelects(t *testing.T) {
	inWorld(t, func(w *world) {
		w.declare(split())
		w.tell("web", nil, version("1"), version("1"), version("2"))
		if diff := cmp.Diff([]string{"db 0/0", "web/v1 2/2", "web/v2 1/1"}, w.targets()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestARoleIsServedOnceAllOfItsServicesWereAnswered(t *testing.T) {
	inWorld(t, func(w *world) {
		w.declare(split())
		if w.store.Has("sidecar/shop") || w.store.Has("sidecar/cart") {
			t.Fatal("a role is served before Consul answered")
		}
		w.tell("web", nil, version("1"))
		if !w.store.Has("sidecar/shop") || w.store.Has("sidecar/cart") {
			t.Error("the sidecar of shop waits for db, or that of cart does not")
		}
		w.tell("db", nil)
		if !w.store.Has("sidecar/cart") {
			t.Error("a service without instances holds its sidecars up for ever")
		}
	})
}

func TestEndpointsStayWhenTheirNodesVanishAllAtOnce(t *testing.T) {
	gone := func(cause catalog.DepartureCause) []catalog.Departure {
		return []catalog.Departure{{Member: catalog.Member{Key: "web-0.n0.dc1"}, Cause: cause}}
	}
	for name, c := range map[string]struct {
		departures []catalog.Departure
		next       []catalog.Instance
		want       string
	}{
		"deregistered by somebody":       {gone(catalog.Deregistered), nil, "web 0/0"},
		"gone with its node":             {gone(catalog.NodeGone), nil, "web 1/1 held"},
		"gone and nobody knows why":      {gone(catalog.Unexplained), nil, "web 1/1 held"},
		"gone without a trace":           {nil, nil, "web 1/1 held"},
		"its node does not answer":       {nil, []catalog.Instance{failing(catalog.SerfHealth)}, "web 1/1 held"},
		"its own check fails":            {nil, []catalog.Instance{failing("http")}, "web 0/1"},
		"one of two nodes still answers": {nil, []catalog.Instance{failing(catalog.SerfHealth), {}}, "web 1/2"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.declare(mesh.Mesh{Sidecars: []mesh.Sidecar{{Service: "shop", Upstreams: []mesh.Upstream{{Target: mesh.Target{Service: "web"}, Port: 9191}}}}})
				w.tell("web", nil, catalog.Instance{})
				w.tell("web", c.departures, c.next...)
				if diff := cmp.Diff([]string{c.want}, w.targets()); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestAHeldServiceTakesTheNextGoodAnswer(t *testing.T) {
	inWorld(t, func(w *world) {
		w.declare(mesh.Mesh{Sidecars: []mesh.Sidecar{{Service: "shop", Upstreams: []mesh.Upstream{{Target: mesh.Target{Service: "web"}, Port: 9191}}}}})
		w.tell("web", nil, catalog.Instance{})
		w.tell("web", nil)
		w.tell("web", nil, catalog.Instance{}, catalog.Instance{})
		if diff := cmp.Diff([]string{"web 2/2"}, w.targets()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestFailoverComesAfterTheServicesOwnInstances(t *testing.T) {
	inWorld(t, func(w *world) {
		m := split()
		m.Services = append(m.Services, mesh.Service{Name: "db", Failover: []mesh.Target{{Service: "db", Datacenter: "dc2"}}})
		w.declare(m)
		w.tell("db", nil, catalog.Instance{})
		other := catalog.NewServiceView(catalog.Query{Kind: catalog.ServiceHealth, Name: "db", Datacenter: "dc2"}, []catalog.Instance{
			{ID: "db-9", Name: "db", Port: 9, Node: catalog.Node{Name: "n9", Address: "10.0.9.9", Datacenter: "dc2"}}})
		w.views.set(other)
		w.settle()
		if diff := cmp.Diff("db 2/2", w.targets()[0]); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAnotherMeshIsTakenOverAndAMistakeChangesNothing(t *testing.T) {
	inWorld(t, func(w *world) {
		w.declare(split())
		w.tell("web", nil, version("1"))
		bad := split()
		bad.Services[0].Subsets[0].Filter = "nothing ="
		if err := w.feed.Declare(w.ctx, &bad); err == nil {
			t.Fatal("a filter that cannot be read was taken")
		}
		m := split()
		m.Sidecars[1].Upstreams[0].Target = mesh.Target{Service: "web", Subset: "v1"}
		w.declare(m)
		if diff := cmp.Diff([]string{"web/v1 1/1", "web/v2 0/0"}, w.targets()); diff != "" {
			t.Error(diff)
		}
		if !w.store.Has("sidecar/cart") {
			t.Error("what is known already is waited for")
		}
	})
}

func TestTheLastGoodEndpointsOutliveAProcess(t *testing.T) {
	var left []*catalog.View
	inWorld(t, func(w *world) {
		w.declare(split())
		w.tell("web", nil, version("1"), version("2"))
		time.Sleep(2 * keepEvery)
		synctest.Wait()
		for _, v := range w.kept.views {
			left = append(left, v)
		}
	})
	inWorldAfter(t, left, func(w *world) {
		w.declare(split())
		if diff := cmp.Diff([]string{"db 0/0", "web/v1 1/1 held", "web/v2 1/1 held"}, w.targets()); diff != "" {
			t.Error(diff)
		}
		if !w.store.Has("sidecar/shop") {
			t.Error("Envoys wait though the last good endpoints are known")
		}
		w.tell("web", nil)
		if got := w.targets()[1]; got != "web/v1 1/1 held" {
			t.Errorf("a first answer without instances gives %s", got)
		}
		w.tell("web", nil, version("1"))
		if diff := cmp.Diff([]string{"db 0/0", "web/v1 1/1", "web/v2 0/0"}, w.targets()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestWhatIsNotDeclaredAnyMoreIsNotKept(t *testing.T) {
	inWorld(t, func(w *world) {
		w.declare(split())
		w.tell("web", nil, version("1"))
		time.Sleep(2 * keepEvery)
		w.declare(mesh.Mesh{})
		time.Sleep(2 * keepEvery)
		synctest.Wait()
		if len(w.kept.views) != 0 {
			t.Errorf("%d views are kept", len(w.kept.views))
		}
	})
}
