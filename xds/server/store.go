package server

import (
	"context"
	"sync"
	"sync/atomic"

	"patchbay/xds"
)

// Shared is the scope of endpoints: they are the same for everybody, while who may
// read them follows from the clusters of a client's role.
const Shared = ""

// Key names a resource within a scope.
type Key struct {
	Type xds.Type
	Name string
}

// Change is what becomes of one scope. A scope is a role, such as all sidecars of a
// service, or [Shared].
type Change struct {
	Scope   string
	Upserts []*xds.Resource
	Removed []Key
}

// Store holds what is served and who reads it.
type Store struct {
	mu     sync.Mutex // taken before a client's own lock
	scopes map[string]*scope
}

// scope is guarded by the store's lock.
type scope struct {
	entries map[Key]*entry
	clients map[*client]struct{}
	// waits counts the clusters that need endpoints of a name.
	waits map[string]int
	// known is closed when something was published, even if nothing is left.
	known chan struct{}
}

// entry is one resource and who subscribed to it.
type entry struct {
	key Key
	// current is nil while the resource does not exist.
	current atomic.Pointer[xds.Resource]
	// subs is guarded by the store's lock.
	subs map[*client]*sub
}

// NewStore returns an empty store.
func NewStore() *Store { return &Store{scopes: map[string]*scope{}} }

func (s *Store) scope(name string) *scope {
	sc := s.scopes[name]
	if sc == nil {
		sc = &scope{entries: map[Key]*entry{}, clients: map[*client]struct{}{}, waits: map[string]int{}, known: make(chan struct{})}
		s.scopes[name] = sc
	}
	return sc
}

// Has tells whether something was published for the scope.
func (s *Store) Has(scope string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	sc := s.scopes[scope]
	return sc != nil && sc.published()
}

// Versions tells what is served for the scope.
func (s *Store) Versions(scope string) map[Key]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[Key]string{}
	if sc := s.scopes[scope]; sc != nil {
		for k, e := range sc.entries {
			if r := e.current.Load(); r != nil {
				out[k] = r.Version
			}
		}
	}
	return out
}

// Forget drops a role that no client has; its resources are gone.
func (s *Store) Forget(role string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sc := s.scopes[role]; role != Shared && sc != nil && len(sc.clients) == 0 {
		delete(s.scopes, role)
	}
}

// Await waits until something was published for the scope, or until ctx ends.
func (s *Store) Await(ctx context.Context, scope string) error {
	s.mu.Lock()
	known := s.scope(scope).known
	s.mu.Unlock()
	select {
	case <-known:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (sc *scope) published() bool {
	select {
	case <-sc.known:
		return true
	default:
		return false
	}
}

// Publish takes over changes, all at once: a client sees none of them or all, in
// the order of use. Resources whose version is the one served already, cost
// nothing.
func (s *Store) Publish(changes ...Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var touched touched
	for _, c := range changes {
		sc := s.scope(c.Scope)
		if !sc.published() {
			close(sc.known)
		}
		for _, r := range c.Upserts {
			sc.put(Key{r.Type, r.Name}, r, &touched)
			s.lead(sc, r.Waits, &touched)
		}
		for _, k := range c.Removed {
			if sc.entries[k] != nil {
				sc.put(k, nil, &touched)
			}
		}
	}
	for _, c := range touched {
		c.changed(c.news)
		clear(c.news)
		c.news = c.news[:0]
	}
}

// touched are the clients that have news.
type touched []*client

func (t *touched) add(c *client, s *sub) {
	if len(c.news) == 0 {
		*t = append(*t, c)
	}
	c.news = append(c.news, s)
}

// put sets an entry's resource and adds its readers to touched.
func (sc *scope) put(k Key, r *xds.Resource, touched *touched) {
	e := sc.entry(k)
	before := e.current.Load()
	if r == before || r != nil && before != nil && r.Version == before.Version {
		return
	}
	e.current.Store(r)
	sc.count(before, -1)
	sc.count(r, +1)
	if before == nil {
		for c := range sc.clients {
			if c.takesAll(k.Type) && e.subs[c] == nil {
				e.subscribe(c, &room{})
			}
		}
	}
	for c, sub := range e.subs {
		touched.add(c, sub)
	}
	sc.drop(e)
}

// lead brings those who asked for endpoints before there was a cluster that needs
// them to the endpoints that all share.
func (s *Store) lead(sc *scope, name string, touched *touched) {
	k := Key{xds.Endpoints, name}
	alone := sc.entries[k]
	if name == "" || alone == nil || sc == s.scopes[Shared] {
		return
	}
	shared := s.scope(Shared).entry(k)
	for c, sub := range alone.subs {
		c.mu.Lock()
		sub.entry = shared
		c.mu.Unlock()
		shared.subs[c] = sub
		touched.add(c, sub)
	}
	clear(alone.subs)
	sc.drop(alone)
}

func (sc *scope) count(r *xds.Resource, by int) {
	if r == nil || r.Waits == "" {
		return
	}
	if sc.waits[r.Waits] += by; sc.waits[r.Waits] == 0 {
		delete(sc.waits, r.Waits)
	}
}

func (sc *scope) entry(k Key) *entry {
	e := sc.entries[k]
	if e == nil {
		e = &entry{key: k, subs: map[*client]*sub{}}
		sc.entries[k] = e
	}
	return e
}

// drop forgets an entry that neither exists nor is asked for.
func (sc *scope) drop(e *entry) {
	if e.current.Load() == nil && len(e.subs) == 0 {
		delete(sc.entries, e.key)
	}
}

func (e *entry) subscribe(c *client, in *room) *sub {
	if known := e.subs[c]; known != nil {
		return known
	}
	added := in.next()
	added.entry = e
	e.subs[c] = added
	return added
}

// room is where the subscriptions of one request lie together: there are a hundred for
// each of thousands of clients, and every object is work for each collection of garbage.
type room struct {
	free []sub
	left int // how many more are expected
}

// piece is how many lie together: a client that keeps one of them keeps all.
const piece = 32

func (r *room) next() *sub {
	if len(r.free) == 0 {
		r.free = make([]sub, min(max(r.left, 1), piece))
		r.left -= len(r.free)
	}
	s := &r.free[0]
	r.free = r.free[1:]
	return s
}

// find gives the scope in which a role's name of a type lives.
func (s *Store) find(role string, k Key) *scope {
	sc := s.scope(role)
	if k.Type == xds.Endpoints && sc.waits[k.Name] > 0 {
		return s.scope(Shared)
	}
	return sc
}

// join adds a client to the readers of its role.
func (s *Store) join(role string, c *client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scope(role).clients[c] = struct{}{}
}

// part takes a client and all of its subscriptions away.
func (s *Store) part(role string, c *client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.scope(role).clients, c)
	for _, sub := range c.all() {
		s.release(role, c, sub)
	}
}

func (s *Store) release(role string, c *client, gone *sub) {
	delete(gone.entry.subs, c)
	for _, name := range []string{role, Shared} {
		if sc := s.scopes[name]; sc != nil && sc.entries[gone.entry.key] == gone.entry {
			sc.drop(gone.entry)
		}
	}
}
