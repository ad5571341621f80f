package server

import (
	"slices"
	"strings"
	"time"

	"patchbay/xds"

	"google.golang.org/genproto/googleapis/rpc/status"
)

// maxReason bounds what is kept of a client's words.
const maxReason = 2000

// request is a discovery request of either variant.
type request struct {
	kind        xds.Type
	nonce       string
	wildcard    bool
	add, remove []string
	// has are the versions that the client kept from an earlier stream.
	has map[string]string
	// delta tells that the stream is one of differences: a name asked for again must
	// be answered again.
	delta bool
	// named are the names of a stream of differences beside "*".
	named   map[string]struct{}
	refused bool
	reason  string
}

// difference compares the names that a stream of whole states asks for with those
// it asked for before.
func (c *client) difference(t xds.Type, names []string, wildcard bool) (add, remove []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	want := make(map[string]bool, len(names))
	for _, name := range names {
		want[name] = true
		if s := c.kinds[t].subs[name]; s == nil || s.gone {
			add = append(add, name)
		}
	}
	if wildcard {
		return add, nil
	}
	for name := range c.kinds[t].subs {
		if !want[name] {
			remove = append(remove, name)
		}
	}
	return add, remove
}

// request takes a request over: what it acknowledges, then what it asks for.
// push tells the stream that a response is wished.
func (c *client) request(r request, push func()) {
	c.mu.Lock()
	c.acknowledge(r)
	first := !c.kinds[r.kind].asked
	role := c.peer.Role
	c.mu.Unlock()
	if first || len(r.add)+len(r.remove) > 0 {
		c.store.subscribe(role, c, r, first)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	k := &c.kinds[r.kind]
	k.open, k.push = true, push
	if first {
		k.asked, k.answer = true, true
		c.returned = c.returned || r.kind == xds.Cluster && len(r.has) > 0
		k.since = time.Now()
	}
	c.kick()
}

// shut closes a type's way out: nothing is pushed until the next request. The loop
// of whole states throws away what is queued, that of differences sends it.
func (c *client) shut(r request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := &c.kinds[r.kind]
	k.open, k.queued = false, k.queued && r.delta
}

// judge notes what the client says of the response that it answers.
func (r *request) judge(e *status.Status) {
	if e != nil {
		r.refused, r.reason = true, e.GetMessage()
	}
}

// acknowledge takes the client's word on the response that it answers. It is called
// with the lock held.
func (c *client) acknowledge(r request) {
	k := &c.kinds[r.kind]
	f := k.flight
	if f == nil || r.nonce == "" || f.nonce != r.nonce {
		return
	}
	k.flight = nil
	for _, s := range f.subs {
		if s.sent == nil || s.gone {
			continue
		}
		if r.refused {
			s.rejected = s.sent
			if k.bad == nil {
				k.bad = map[*sub]struct{}{}
			}
			k.bad[s] = struct{}{}
			if s.sent.Waits != "" {
				delete(c.owed, s.sent.Waits)
			}
			continue
		}
		s.acked, s.rejected = s.sent, nil
		delete(k.bad, s)
	}
	for _, name := range f.owed {
		delete(c.owed, name)
	}
	if r.refused {
		k.told.nacks++
		k.told.refused = f.version
		k.told.reason = strings.ToValidUTF8(r.reason[:min(len(r.reason), maxReason)], "")
		c.meter.Refused(r.kind)
		return
	}
	k.told.acked, k.told.refused, k.told.reason = f.version, "", ""
	if len(f.subs) > 0 {
		c.meter.Pushed(r.kind, time.Since(f.since))
	}
}

// subscribe adds and removes a client's subscriptions.
func (s *Store) subscribe(role string, c *client, r request, first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var news []*sub
	in := room{left: len(r.add)}
	if first && r.wildcard {
		news = append(news, s.scope(role).subscribeAll(c, r.kind)...)
	}
	for _, name := range r.add {
		if name == "*" {
			if !first {
				news = append(news, s.scope(role).subscribeAll(c, r.kind)...)
			}
			continue
		}
		k := Key{r.kind, name}
		sc := s.find(role, k)
		if c.waitsFor(k) {
			sc = s.scope(Shared)
		}
		news = append(news, sc.entry(k).subscribe(c, &in))
	}
	c.mu.Lock()
	k := &c.kinds[r.kind]
	k.wildcard = r.wildcard
	if k.subs == nil {
		k.subs = map[string]*sub{}
	}
	var gone []*sub
	for _, n := range news {
		// Endpoints whose cluster went are not those that all share any more.
		if old := k.subs[n.entry.key.Name]; old != nil && old != n {
			gone = append(gone, c.drop(old))
		}
		c.begin(n, r)
	}
	gone = append(gone, c.end(r)...)
	c.mu.Unlock()
	for _, g := range gone {
		s.release(role, c, g)
	}
	for name, version := range r.has {
		if first && r.wildcard { // who names what it wants is answered by name
			s.remember(role, c, Key{r.kind, name}, version)
		}
	}
}

// waitsFor tells whether the client has a cluster that needs the endpoints, be it
// one that is on its way out.
func (c *client) waitsFor(k Key) bool {
	if k.Type != xds.Endpoints {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.needs(k.Name)
}

func (c *client) needs(endpoints string) bool {
	s := c.kinds[xds.Cluster].subs[endpoints]
	return s != nil && s.sent != nil && s.sent.Waits == endpoints
}

func (sc *scope) subscribeAll(c *client, t xds.Type) []*sub {
	var wanted []*entry
	for k, e := range sc.entries {
		if k.Type == t && e.current.Load() != nil {
			wanted = append(wanted, e)
		}
	}
	in := room{left: len(wanted)}
	out := make([]*sub, len(wanted))
	for n, e := range wanted {
		out[n] = e.subscribe(c, &in)
	}
	return out
}

// begin marks a new subscription, or one that was asked for again.
func (c *client) begin(n *sub, r request) {
	k := &c.kinds[r.kind]
	name := n.entry.key.Name
	if k.subs[name] == n && !r.delta {
		return
	}
	k.subs[name] = n
	current := n.entry.current.Load()
	n.missing, n.again = current == nil, true
	if version, ok := r.has[name]; ok && current != nil && version == current.Version && !c.owed[name] {
		n.sent, n.acked, n.again = current, current, false
		return
	} else if ok {
		n.acked = &xds.Resource{Type: r.kind, Name: name, Version: version}
	}
	c.mark(n)
}

// end takes subscriptions away. A client that takes all and lets go of one name is
// told what it has of it.
func (c *client) end(r request) (gone []*sub) {
	k := &c.kinds[r.kind]
	remove := r.remove
	if !k.wildcard && slices.Contains(remove, "*") {
		for name := range k.subs {
			if _, ok := r.named[name]; !ok {
				remove = append(remove, name)
			}
		}
	}
	for _, name := range remove {
		s := k.subs[name]
		if s == nil {
			continue
		}
		if k.wildcard {
			s.missing, s.again = s.entry.current.Load() == nil, true
			c.mark(s)
			continue
		}
		gone = append(gone, c.drop(s))
		if !c.needs(name) {
			delete(c.owed, name)
		}
	}
	return gone
}

// drop ends a subscription, which the store must release then.
func (c *client) drop(s *sub) *sub {
	k := &c.kinds[s.entry.key.Type]
	s.gone = true
	delete(k.subs, s.entry.key.Name)
	delete(k.bad, s)
	return s
}

// remember tells a client that came back of what it kept and is gone.
func (s *Store) remember(role string, c *client, k Key, version string) {
	sc := s.find(role, k)
	if e := sc.entries[k]; e != nil && e.current.Load() != nil {
		return
	}
	e := sc.entry(k)
	sub := e.subscribe(c, &room{})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kinds[k.Type].subs[k.Name] = sub
	sub.acked = &xds.Resource{Type: k.Type, Name: k.Name, Version: version}
	if k.Type == xds.Cluster && version != "" {
		// It goes when no route uses it any more.
		sub.sent = &xds.Resource{Type: k.Type, Name: k.Name}
	} else {
		sub.missing = true
	}
	c.mark(sub)
}
