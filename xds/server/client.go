package server

import (
	"slices"
	"sync"
	"time"

	"patchbay/xds"
)

// client is one stream and all that is known of it. Its lock is taken after the
// store's. Responses are built by the stream's goroutine alone.
type client struct {
	store *Store
	meter Meter
	hold  time.Duration
	// news are the subscriptions that a publication changes; the store's lock guards it.
	news []*sub

	mu     sync.Mutex
	kinds  [xds.Types]kind
	owed   map[string]bool // endpoints that must follow a cluster, see gate
	gate   *time.Timer     // runs while listeners or routes are held back
	forced bool            // they were held back long enough
	// returned tells that the client kept clusters of an earlier stream: until it
	// asks, its listeners and routes may be older than what it is told here.
	returned bool
	peer     Peer
	ended    bool
}

// kind is what a stream has of one type.
type kind struct {
	// open tells that the stream takes responses; asked, that it ever did.
	open, asked bool
	wildcard    bool
	// answer asks for a response even if there is nothing to tell.
	answer bool
	// queued tells that the stream was told to take a response.
	queued bool
	subs   map[string]*sub
	// dirty are subscriptions whose client may not have the newest.
	dirty []*sub
	// bad are those whose last version the client refused.
	bad    map[*sub]struct{}
	since  time.Time // when the oldest of dirty changed
	flight *flight   // the response that is not acknowledged yet
	push   func()
	told   told
}

// sub is one client's subscription to one resource. It is guarded by the client's
// lock; entry changes under the store's lock too.
type sub struct {
	entry *entry
	// sent is what the client was given last; acked, what it accepted last;
	// rejected, what it refused.
	sent, acked, rejected *xds.Resource
	// dirty tells that the sub is in the kind's list; again, that it must be sent
	// though the client has it; missing, that its absence must be told.
	dirty, again, missing bool
	gone                  bool // unsubscribed
}

// flight is a response on its way.
type flight struct {
	nonce   string // "" until it is sent
	version string
	subs    []*sub
	owed    []string // endpoints in it that a cluster waited for
	wire    [][]byte // its resources, encoded
	since   time.Time
}

// told is what people are shown of a type.
type told struct {
	responses, nacks uint64
	acked            string
	at               time.Time
	reason           string
	refused          string
}

func (c *client) takesAll(t xds.Type) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.kinds[t].wildcard
}

// all lists every subscription; the store's lock is held.
func (c *client) all() []*sub {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	if c.gate != nil {
		c.gate.Stop()
	}
	var out []*sub
	for t := range c.kinds {
		for _, s := range c.kinds[t].subs {
			out = append(out, s)
		}
	}
	return out
}

// changed takes news of subscriptions, and tells the stream to write.
func (c *client) changed(subs []*sub) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range subs {
		k := &c.kinds[s.entry.key.Type]
		if k.subs == nil {
			k.subs = map[string]*sub{}
		}
		k.subs[s.entry.key.Name] = s
		c.mark(s)
	}
	c.kick()
}

// mark notes that the client may not have the newest of s.
func (c *client) mark(s *sub) {
	if s.dirty || s.gone {
		return
	}
	s.dirty = true
	k := &c.kinds[s.entry.key.Type]
	if len(k.dirty) == 0 {
		k.since = time.Now()
	}
	k.dirty = append(k.dirty, s)
}

// kick tells the stream of every type that has something to send and may. It is
// called with the lock held after everything that can change the answer.
func (c *client) kick() {
	for t := range xds.Types {
		k := &c.kinds[t]
		if !k.open || k.queued || k.flight != nil || !c.due(t) {
			continue
		}
		k.queued = true
		k.push()
	}
	c.watchGate()
}

// due tells whether there is something of the type to send now.
func (c *client) due(t xds.Type) bool {
	k := &c.kinds[t]
	if !k.answer && !slices.ContainsFunc(k.dirty, func(s *sub) bool { return !c.inUse(s) }) {
		return false
	}
	return c.ready(t)
}

// inUse tells whether s is a cluster that is gone while a listener or a route of
// the client may still name it.
func (c *client) inUse(s *sub) bool {
	return s.leaves() && !(c.idle(xds.Listener) && c.idle(xds.Routes))
}

// leaves tells whether s is a cluster that is gone while the client has it.
func (s *sub) leaves() bool {
	return s.entry.key.Type == xds.Cluster && s.entry.current.Load() == nil && !s.missing
}

// idle tells whether the client uses nothing of the type but the newest.
func (c *client) idle(t xds.Type) bool {
	if !c.kinds[t].asked {
		return !c.returned
	}
	return c.kinds[t].rests() && !c.kinds[t].clings()
}

// rests tells whether there is nothing to send or to acknowledge.
func (k *kind) rests() bool { return len(k.dirty) == 0 && k.flight == nil && !k.answer }

// clings tells whether the client keeps an older version of what it refused.
func (k *kind) clings() bool {
	for s := range k.bad {
		if s.acked != nil && !same(s.acked, s.rejected) {
			return true
		}
	}
	return false
}

// stuck tells whether the newest version of something was refused.
func (k *kind) stuck() bool {
	for s := range k.bad {
		if same(s.entry.current.Load(), s.rejected) {
			return true
		}
	}
	return false
}

// ready tells whether the client can use what the type names, which listeners and
// routes do. Only clients that take all clusters are held back: one that asks for
// clusters by name, such as gRPC, learns their names from its routes.
func (c *client) ready(t xds.Type) bool {
	clusters := &c.kinds[xds.Cluster]
	if t != xds.Listener && t != xds.Routes || !clusters.asked || !clusters.wildcard || c.forced {
		return true
	}
	if !allLeave(clusters.dirty) || clusters.answer || clusters.flight != nil || len(c.owed) > 0 {
		return false
	}
	// A refused cluster is missing: routes that may use it stay away until it is
	// mended or the time of grace is over. A client that has no listeners at all
	// gets what there is.
	return !clusters.stuck() || c.kinds[t].answer
}

func allLeave(list []*sub) bool {
	return !slices.ContainsFunc(list, func(s *sub) bool { return !s.leaves() })
}

// watchGate lets listeners and routes through at last: a client that never asks
// for a cluster's endpoints must not wait for ever.
func (c *client) watchGate() {
	// A cluster of earlier goes too, though listeners and routes are never asked for.
	held := c.returned && slices.ContainsFunc(c.kinds[xds.Cluster].dirty, (*sub).leaves)
	for _, t := range []xds.Type{xds.Listener, xds.Routes} {
		k := &c.kinds[t]
		held = held || k.asked && (k.answer || len(k.dirty) > 0) && !c.ready(t)
	}
	switch {
	case held && c.gate == nil:
		c.gate = time.AfterFunc(c.hold, func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.ended {
				return
			}
			c.gate, c.forced, c.returned = nil, true, false
			c.kick()
		})
	case !held && c.gate != nil:
		c.gate.Stop()
		c.gate = nil
	}
	if c.forced && c.kinds[xds.Listener].rests() && c.kinds[xds.Routes].rests() {
		c.forced = false
	}
}
