package server

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"patchbay/xds"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
)

const (
	// seedEnv plays the history of another seed. The server's own choices between
	// what is ready at once are not the seed's, so a failure may need some rounds.
	seedEnv    = "PATCHBAY_MODEL_SEED"
	modelSteps = 10_000
	modelHold  = 5 * time.Second
)

// model is a server, what was published, and clients that judge what they are sent.
// A failure names the seed, by which the same history is played again.
type model struct {
	t       *testing.T
	seed    uint64
	step    int
	rng     *rand.Rand
	store   *Store
	server  *Server
	roles   map[string]*modelRole
	salts   map[string]int // of the endpoints of every cluster that ever was
	clients []*modelClient
	// bodies gives what was published back from what is received; uses are the
	// clusters that a listener or routes name.
	bodies [xds.Types]map[string]*xds.Resource
	uses   map[*xds.Resource][]string
	trace  []string
}

// modelRole is what is published for a role, by name.
type modelRole struct {
	clusters          map[string]int
	listeners, routes map[string]*xds.Resource
}

var (
	modelRoles    = []string{"web", "shop"}
	modelClusters = []string{"c0", "c1", "c2", "c3", "c4", "c5"}
	modelRoutes   = []string{"r0", "r1", "r2", "r3"}
	modelDoors    = []string{"l0", "l1", "l2"}
)

func TestEveryHistoryKeepsTheOrderAndConverges(t *testing.T) {
	seeds := []uint64{1, 2, 3}
	if text := os.Getenv(seedEnv); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seeds = []uint64{seed}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newModel(t, seed)
				for m.step = range modelSteps {
					m.act()
				}
				m.quiet()
			})
		})
	}
}

func newModel(t *testing.T, seed uint64) *model {
	m := &model{t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 1)), store: NewStore(), roles: map[string]*modelRole{},
		salts: map[string]int{}, uses: map[*xds.Resource][]string{}}
	for kind := range m.bodies {
		m.bodies[kind] = map[string]*xds.Resource{}
	}
	m.server = New(Options{Store: m.store, Meter: &meter{}, Hold: modelHold, Admit: func(_ context.Context, node *core.Node) (Peer, error) {
		return Peer{Node: node.GetId(), Role: node.GetCluster()}, nil
	}})
	for _, name := range modelRoles {
		m.roles[name] = &modelRole{clusters: map[string]int{}, listeners: map[string]*xds.Resource{}, routes: map[string]*xds.Resource{}}
		m.publish(name)
	}
	for n := range 6 {
		c := &modelClient{m: m, id: fmt.Sprint("client-", n), delta: n%2 == 0, byName: n == 5}
		m.clients = append(m.clients, c)
		c.connect()
	}
	t.Cleanup(func() {
		for _, c := range m.clients {
			c.disconnect()
		}
	})
	return m
}

// act plays one step of the history.
func (m *model) act() {
	switch n := m.rng.IntN(100); {
	case n < 6:
		m.publish(m.pick(modelRoles))
	case n < 10:
		m.refresh(m.pick(modelClusters))
	case n < 12:
		m.quiet()
	default:
		m.clients[m.rng.IntN(len(m.clients))].act()
	}
	synctest.Wait()
}

func (m *model) pick(list []string) string { return list[m.rng.IntN(len(list))] }

func (m *model) note(format string, args ...any) {
	m.trace = append(m.trace, fmt.Sprintf("%d: ", m.step)+fmt.Sprintf(format, args...))
	if len(m.trace) > 200 {
		m.trace = m.trace[1:]
	}
}

func (m *model) fail(format string, args ...any) {
	m.t.Helper()
	m.t.Fatalf("%s=%d, step %d: %s\n%s", seedEnv, m.seed, m.step, fmt.Sprintf(format, args...), strings.Join(m.trace, "\n"))
}

// made remembers a resource by what is sent of it.
func (m *model) made(r *xds.Resource, uses ...string) *xds.Resource {
	known := m.bodies[r.Type][string(r.Body.GetValue())]
	if known == nil {
		known = r
		m.bodies[r.Type][string(r.Body.GetValue())] = r
		m.uses[r] = uses
	}
	return r
}

func (m *model) cluster(name string, salt int) *xds.Resource {
	return m.made(cluster(m.t, name, uint32(salt)))
}

func (m *model) endpoints(name string) *xds.Resource {
	return m.made(endpoints(m.t, name, uint32(1+m.salts[name])))
}

// refresh changes the endpoints of a cluster.
func (m *model) refresh(name string) {
	if _, known := m.salts[name]; !known {
		return
	}
	m.salts[name] = m.rng.IntN(3)
	m.note("publish EDS %s#%d", name, m.salts[name])
	for _, c := range m.clients {
		c.kinds[xds.Endpoints].outdate(name)
	}
	m.store.Publish(Change{Scope: Shared, Upserts: []*xds.Resource{m.endpoints(name)}})
}

// publish changes what a role has in one or more places: whatever its listeners and
// routes name is there.
func (m *model) publish(role string) {
	r := m.roles[role]
	before := r.resources(m)
	for range 1 + m.rng.IntN(3) {
		r.change(m)
	}
	after := r.resources(m)
	shared, change := Change{Scope: Shared}, Change{Scope: role}
	for _, name := range slices.Sorted(maps.Keys(r.clusters)) {
		if _, known := m.salts[name]; !known {
			m.salts[name] = m.rng.IntN(3)
			shared.Upserts = append(shared.Upserts, m.endpoints(name))
		}
	}
	var told []string
	for _, k := range slices.SortedFunc(maps.Keys(after), Key.compare) {
		x := after[k]
		if before[k] == nil || before[k].Version != x.Version || m.rng.IntN(4) == 0 {
			change.Upserts = append(change.Upserts, x)
			told = append(told, fmt.Sprintf("+%s %s %.4s%v", k.Type, k.Name, x.Version, m.uses[m.bodies[k.Type][string(x.Body.GetValue())]]))
		}
	}
	for k := range before {
		if after[k] == nil {
			change.Removed = append(change.Removed, k)
			told = append(told, fmt.Sprintf("-%s %s", k.Type, k.Name))
		}
	}
	m.rng.Shuffle(len(change.Upserts), func(i, j int) {
		change.Upserts[i], change.Upserts[j] = change.Upserts[j], change.Upserts[i]
	})
	m.note("publish %s: %s", role, strings.Join(told, ", "))
	for _, c := range m.clients {
		for _, gone := range change.Removed {
			if !c.delta && c.role == role && gone.Type == xds.Routes {
				delete(c.kinds[gone.Type].fresh, gone.Name) // whole states cannot tell
			}
		}
		for _, kind := range modelOrder {
			for name, version := range c.kinds[kind].refused {
				if want := m.wanted(c.role, Key{kind, name}); want == nil || want.Version != version {
					c.kinds[kind].outdate(name)
				}
			}
		}
	}
	m.store.Publish(shared, change)
}

func (k Key) compare(o Key) int {
	return cmp.Or(cmp.Compare(k.Type, o.Type), cmp.Compare(k.Name, o.Name))
}

func (r *modelRole) resources(m *model) map[Key]*xds.Resource {
	out := map[Key]*xds.Resource{}
	for name, salt := range r.clusters {
		out[Key{xds.Cluster, name}] = m.cluster(name, salt)
	}
	for name, x := range r.listeners {
		out[Key{xds.Listener, name}] = x
	}
	for name, x := range r.routes {
		out[Key{xds.Routes, name}] = x
	}
	return out
}

func (r *modelRole) change(m *model) {
	switch m.rng.IntN(8) {
	case 0, 1:
		r.clusters[m.pick(modelClusters)] = m.rng.IntN(3)
	case 2:
		gone := m.pick(modelClusters)
		delete(r.clusters, gone)
		for _, name := range modelRoutes {
			if slices.Contains(m.uses[r.routes[name]], gone) {
				r.routes[name] = m.plan(xds.Routes, name, r)
			}
		}
		for _, name := range modelDoors {
			if slices.Contains(m.uses[r.listeners[name]], gone) {
				r.listeners[name] = m.plan(xds.Listener, name, r)
			}
		}
	case 3, 4:
		name := m.pick(modelRoutes)
		r.routes[name] = m.plan(xds.Routes, name, r)
	case 5:
		delete(r.routes, m.pick(modelRoutes))
	case 6:
		name := m.pick(modelDoors)
		r.listeners[name] = m.plan(xds.Listener, name, r)
	case 7:
		delete(r.listeners, m.pick(modelDoors))
	}
}

// plan makes a listener or routes that name some of the role's clusters.
func (m *model) plan(kind xds.Type, name string, r *modelRole) *xds.Resource {
	names := slices.Sorted(maps.Keys(r.clusters))
	m.rng.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	uses := names[:min(len(names), m.rng.IntN(4))]
	slices.Sort(uses)
	salt := fmt.Sprint(m.rng.IntN(3), uses)
	if kind == xds.Listener {
		return m.canonical(m.made(listener(m.t, name, salt), uses...))
	}
	return m.canonical(m.made(routes(m.t, name, salt), uses...))
}

// canonical is the value by which uses are known.
func (m *model) canonical(r *xds.Resource) *xds.Resource {
	return m.bodies[r.Type][string(r.Body.GetValue())]
}

// wanted is what a client of a role should have of a name; nil when it is not there.
func (m *model) wanted(role string, k Key) *xds.Resource {
	r := m.roles[role]
	if k.Type == xds.Endpoints {
		if _, announced := r.clusters[k.Name]; !announced {
			return nil
		}
		return m.endpoints(k.Name)
	}
	return r.resources(m)[k]
}

// quiet lets everything come to rest, and checks that every client has what the
// store holds for it.
func (m *model) quiet() {
	for _, c := range m.clients {
		c.drain()
	}
	if slices.ContainsFunc(m.clients, (*modelClient).waits) {
		m.note("time passes")
		for _, c := range m.clients {
			c.lenient = true
		}
		time.Sleep(modelHold + time.Second)
		for _, c := range m.clients {
			c.drain()
		}
	}
	for _, c := range m.clients {
		c.converged()
		c.lenient = false
	}
}
