package proxies

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"patchbay/tasks"
	"patchbay/tasks/catalog"
	"patchbay/xds"
	"patchbay/xds/mesh"
	"patchbay/xds/server"

	"github.com/hashicorp/go-hclog"
)

// window is how long changes are gathered after one was published. The first
// change after a quiet time goes out at once.
const window = 10 * time.Millisecond

// Views gives changed views one by one.
type Views interface {
	// Need makes queries all that is followed.
	Need([]catalog.Query)
	// Changed is ready when Take has something to give; Take gives each view that
	// changed since, the newest.
	Changed() <-chan struct{}
	Take() []*catalog.View
}

// Options is what a feed is made with.
type Options struct {
	Views Views
	Store *server.Store
	// Compile reads a Consul filter expression.
	Compile func(string) (tasks.Matcher, error)
	// Connect, when set, gives identities to the roles that have one.
	Connect Connect
	// Evict, when set, ends the streams of the clients for which gone is true.
	Evict func(gone func(server.Peer) bool)
	// MayWrite, when set, judges the tokens that clients show.
	MayWrite MayWrite
	// Known are the last good views of an earlier process; Keep saves those of this
	// one.
	Known []*catalog.View
	Keep  Keep
	Log   hclog.Logger
}

// Feed is the owner of what is served.
type Feed struct {
	opts     Options
	declared chan declaration
	ask      chan chan<- []Target
	seek     chan seeker
	owners   atomic.Pointer[map[string]string] // of the roles that are declared
	ended    chan struct{}                     // closed when Run has ended
	verdicts verdicts
	// authorities are those of Consul's CA; nil until they are known.
	authorities atomic.Pointer[authorities]

	// What follows is Run's alone.
	mesh     *mesh.Mesh // what file declares, and rules beside it
	file     *mesh.Mesh
	rules    rules
	stirred  map[mesh.Target]bool     // services of which rules changed
	made     maker                    // of mesh
	matchers map[string]tasks.Matcher // by filter
	// pending are roles that wait for the first answer of a service.
	pending map[string]xds.Role
	served  map[string]map[server.Key]bool
	views   map[catalog.Query]*catalog.View
	known   map[catalog.Query]*catalog.View // of an earlier process, until Consul answers
	keeper  *keeper
	// of tells which targets are built from a query.
	of         map[catalog.Query][]mesh.Target
	targets    map[mesh.Target]*Target
	registered map[catalog.Query]*registered
	// unruled are roles that wait for Consul's rules.
	unruled map[string]bool
	// identities are those of the roles that speak mutual TLS.
	identities identities
}

type declaration struct {
	mesh *mesh.Mesh
	done chan<- error
}

// Target is how a set of instances is served.
type Target struct {
	mesh.Target
	// Healthy of Total endpoints take requests.
	Healthy, Total int
	// Omitted are instances that clients cannot be given.
	Omitted []xds.Omission
	// Held says why the last good endpoints are kept; "" when they are the newest.
	Held string
	// Version is that of the endpoints; "" until Consul answered for them.
	Version string
	// Rules says what is not as the service's entries in Consul say; "" when all is.
	Rules string
}

// New returns a feed; nothing is served before [Feed.Declare].
func New(opts Options) *Feed {
	f := &Feed{opts: opts, declared: make(chan declaration), ask: make(chan chan<- []Target), seek: make(chan seeker), ended: make(chan struct{}), mesh: &mesh.Mesh{},
		file: &mesh.Mesh{}, rules: rules{}, stirred: map[mesh.Target]bool{}, registered: map[catalog.Query]*registered{},
		pending: map[string]xds.Role{}, served: map[string]map[server.Key]bool{}, views: map[catalog.Query]*catalog.View{},
		of: map[catalog.Query][]mesh.Target{}, targets: map[mesh.Target]*Target{}}
	f.known, f.keeper = map[catalog.Query]*catalog.View{}, newKeeper(opts.Keep, opts.Log)
	for _, v := range opts.Known {
		f.known[v.Query] = v
	}
	f.verdicts.ask = opts.MayWrite
	f.owners.Store(&map[string]string{})
	return f
}

// Declared tells whether a role is.
func (f *Feed) Declared(role string) bool {
	_, ok := (*f.owners.Load())[role]
	return ok
}

// Declare takes another mesh over; the feed owns it from then on. An error changes
// nothing.
func (f *Feed) Declare(ctx context.Context, m *mesh.Mesh) error {
	done := make(chan error, 1)
	select {
	case f.declared <- declaration{m, done}:
		return <-done
	case <-f.ended:
		return tasks.ErrStopping
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Targets tells how every target is served, in order.
func (f *Feed) Targets(ctx context.Context) ([]Target, error) {
	answer := make(chan []Target, 1)
	select {
	case f.ask <- answer:
		return <-answer, nil
	case <-f.ended:
		return nil, tasks.ErrStopping
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Run works until ctx ends.
func (f *Feed) Run(ctx context.Context) error {
	var saved sync.WaitGroup
	defer saved.Wait()
	defer close(f.ended)
	saved.Go(func() { f.keeper.run(ctx) })
	timer := time.NewTimer(0)
	defer timer.Stop()
	<-timer.C
	changed := f.opts.Views.Changed()
	for {
		select {
		case <-ctx.Done():
			return nil
		case d := <-f.declared:
			d.done <- f.declare(d.mesh)
		case answer := <-f.ask:
			answer <- f.describe()
		case s := <-f.seek:
			f.find(s)
		case <-f.news():
			f.hear()
		case <-changed:
			f.take(f.opts.Views.Take())
			changed = nil
			timer.Reset(window)
		case <-timer.C:
			changed = f.opts.Views.Changed()
		}
	}
}

// declare takes over what the file says.
func (f *Feed) declare(m *mesh.Mesh) error {
	if _, err := f.match(m); err != nil {
		return err
	}
	before := f.file
	f.file = m
	for _, one := range f.rules {
		if one.newest != nil {
			f.learn(one, one.newest) // what the file declares is not Consul's to say
		}
	}
	f.enrollAnew()
	if err := f.lay(); err != nil {
		f.file = before
		return err
	}
	f.settled()
	f.publish(f.stale())
	return nil
}

// match makes the matchers of all subsets.
func (f *Feed) match(m *mesh.Mesh) (map[string]tasks.Matcher, error) {
	out := map[string]tasks.Matcher{}
	for _, s := range m.Services {
		for _, sub := range s.Subsets {
			if out[sub.Filter] = f.matchers[sub.Filter]; out[sub.Filter] != nil {
				continue
			}
			var err error
			if out[sub.Filter], err = f.opts.Compile(sub.Filter); err != nil {
				return nil, fmt.Errorf("read filter of subset %s of %s: %w", sub.Name, s.Name, err)
			}
		}
	}
	return out, nil
}

// lay makes the roles of what is declared, with Consul's rules for the rest, and asks
// for the views that they need.
func (f *Feed) lay() error {
	base := f.declaredAndRegistered()
	needs := f.rules.want(base)
	for q, one := range f.rules {
		if v := f.known[q]; v != nil && !one.known() {
			f.learn(one, v)
		}
	}
	m := f.rules.over(base)
	matchers, err := f.match(m)
	if err != nil {
		return err
	}
	m.Connect = f.mesh.Connect
	roles, err := f.made.make(m)
	if err != nil {
		return err
	}
	f.mesh, f.matchers = m, matchers
	f.aim(roles)
	f.unruled = map[string]bool{}
	for role, list := range needs {
		if slices.ContainsFunc(list, func(one *rule) bool { return !one.known() }) {
			delete(f.pending, role)
			f.unruled[role] = true
		}
	}
	f.identify(roles)
	f.opts.Views.Need(slices.SortedFunc(maps.Keys(f.of), catalog.Query.Compare))
	f.recall()
	return nil
}

// recall takes the views of an earlier process for services that are wanted, and
// forgets those of services that are not wanted any more.
func (f *Feed) recall() {
	for q := range f.of {
		if v := f.known[q]; v != nil && f.views[q] == nil {
			f.views[q] = v
			for _, t := range f.of[q] {
				f.targets[t].Held = "Consul has not answered since the start; the endpoints are those of before"
			}
		}
	}
	for q := range f.known {
		if f.of[q] == nil {
			f.keeper.note(q, nil)
		}
	}
	clear(f.known)
	for q := range f.views {
		if f.of[q] == nil {
			f.keeper.note(q, nil)
			delete(f.views, q)
		}
	}
}

// aim makes roles what is wanted.
func (f *Feed) aim(roles []xds.Role) {
	before := f.targets
	f.targets, f.of, f.pending = map[mesh.Target]*Target{}, map[catalog.Query][]mesh.Target{}, map[string]xds.Role{}
	owners := map[string]string{}
	for q := range f.rules {
		f.of[q] = []mesh.Target{} // nobody's endpoints, but needed
	}
	for q := range f.registered {
		f.of[q] = []mesh.Target{}
	}
	for _, r := range roles {
		owners[r.Name] = r.Owner
		f.pending[r.Name] = r
		for _, t := range r.Targets {
			if f.targets[t] != nil {
				continue
			}
			if f.targets[t] = before[t]; f.targets[t] == nil {
				f.targets[t] = &Target{Target: t}
			}
			for _, behind := range f.mesh.Behind(t) {
				q := f.query(behind)
				f.of[q] = append(f.of[q], t)
			}
		}
	}
	f.owners.Store(&owners)
	for name := range f.served {
		if _, ok := owners[name]; !ok {
			f.opts.Log.Warn("role is not declared any more, its Envoys keep what they have", "role", name)
			delete(f.served, name)
		}
	}
}

// take builds the endpoints of the services whose views changed.
func (f *Feed) take(views []*catalog.View) {
	var dirty []mesh.Target
	ruled, enrolled := false, false
	for _, v := range views {
		switch v.Query.Kind {
		case catalog.DiscoveryChain:
			ruled = f.rule(v) || ruled
			continue
		case catalog.ConnectProxies:
			enrolled = f.register(v) || enrolled
			continue
		}
		before := f.views[v.Query]
		kept, why := settle(before, v)
		f.views[v.Query] = kept
		if kept != before {
			f.keeper.note(v.Query, kept)
		}
		for _, t := range f.of[v.Query] {
			if f.targets[t].Held != why {
				f.opts.Log.Warn("endpoints are held or let go", "target", t.String(), "why", why)
			}
			f.targets[t].Held = why
			if kept != before && !slices.Contains(dirty, t) {
				dirty = append(dirty, t)
			}
		}
	}
	if ruled || enrolled {
		f.relay()
		dirty = f.unsettled(dirty)
	}
	f.publish(dirty)
	if enrolled {
		f.settled()
	}
}

// relay is lay where nobody can be told what is wrong.
func (f *Feed) relay() {
	if err := f.lay(); err != nil {
		f.opts.Log.Error("what consul says was not taken over", "err", err)
	}
}

func (f *Feed) describe() []Target {
	out, notes := make([]Target, 0, len(f.targets)), f.rules.notes(f.mesh)
	for _, t := range slices.SortedFunc(maps.Keys(f.targets), mesh.Target.Compare) {
		one := *f.targets[t]
		one.Rules = notes[t.Plain()]
		out = append(out, one)
	}
	return out
}
