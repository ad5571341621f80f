package server

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"patchbay/xds"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
)

// delta builds what a stream of differences is sent now. Its resources are those of the
// flight, encoded.
func (c *client) delta(t xds.Type) *discovery.DeltaDiscoveryResponse {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := &c.kinds[t]
	out := &discovery.DeltaDiscoveryResponse{TypeUrl: t.URL()}
	f := &flight{since: k.since}
	held := !c.ready(t)
	list := c.take(t, held)
	given := make([]*xds.Resource, 0, len(list))
	f.subs, f.wire = make([]*sub, 0, len(list)), make([][]byte, 0, len(list))
	for _, s := range list {
		r := s.entry.current.Load()
		switch {
		case r == nil:
			if s.sent != nil || s.missing || s.again { // it was asked for, and went before it was sent
				out.RemovedResources = append(out.RemovedResources, s.entry.key.Name)
				f.subs = append(f.subs, s)
			}
			c.lost(s)
			continue
		case !s.again && (same(r, s.rejected) || same(r, s.sent)):
			continue
		}
		c.send(f, s, r)
		f.wire = append(f.wire, r.Delta())
		given = append(given, r)
	}
	f.version = version(given)
	out.SystemVersionInfo = f.version
	k.fly(f, held)
	c.kick()
	return out
}

// take empties the list of what is dirty, but for clusters that are gone and that a
// route may still use. What is held was ready when the stream was told to take it,
// and named no cluster then that was not there: it stays for the next response.
func (c *client) take(t xds.Type, held bool) []*sub {
	k := &c.kinds[t]
	if held {
		return nil
	}
	var list, stay []*sub
	for _, s := range k.dirty {
		switch {
		case s.gone:
		case c.inUse(s):
			stay = append(stay, s)
		default:
			s.dirty = false
			list = append(list, s)
		}
	}
	k.dirty = stay
	return list
}

// send notes that r goes to the client, and what follows from that.
func (c *client) send(f *flight, s *sub, r *xds.Resource) {
	s.sent, s.again, s.missing = r, false, false
	f.subs = append(f.subs, s)
	name := s.entry.key.Name
	switch {
	case r.Type == xds.Endpoints && c.owed[name]:
		f.owed = append(f.owed, name)
	case r.Type == xds.Cluster && r.Waits != "":
		// Envoy keeps a cluster that was added or changed waiting until its
		// endpoints come anew, even if they are the same.
		c.owed[r.Waits] = true
		if e := c.kinds[xds.Endpoints].subs[r.Waits]; e != nil {
			e.again = true
			c.mark(e)
		}
	}
}

// lost notes that a resource is not there and that the client knows.
func (c *client) lost(s *sub) {
	if s.sent != nil && s.sent.Waits != "" {
		delete(c.owed, s.sent.Waits)
	}
	s.sent, s.acked, s.rejected, s.missing, s.again = nil, nil, nil, false, false
	delete(c.kinds[s.entry.key.Type].bad, s)
	if s.entry.key.Type == xds.Endpoints {
		delete(c.owed, s.entry.key.Name)
	}
}

func (k *kind) fly(f *flight, held bool) {
	k.queued, k.answer = false, k.answer && held
	k.flight = f
	k.told.responses++
	k.told.at = time.Now()
	if f.since.IsZero() {
		f.since = k.told.at
	}
	if !held {
		k.since = time.Time{}
	}
}

// world builds what a stream of whole states is sent now, as delta does.
func (c *client) world(t xds.Type) *discovery.DiscoveryResponse {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := &c.kinds[t]
	out := &discovery.DiscoveryResponse{TypeUrl: t.URL()}
	f := &flight{since: k.since}
	// The first answer must be whole: what is not in it the client would give up.
	held := !c.ready(t) && !k.answer
	list := c.take(t, held)
	for _, s := range list {
		if s.entry.current.Load() == nil {
			c.lost(s)
		}
	}
	if t == xds.Cluster || t == xds.Listener {
		list = k.sorted()
	}
	var given []*xds.Resource
	for _, s := range list {
		r := s.offer(held)
		switch instead := same(s.entry.current.Load(), s.rejected); {
		case instead && c.owed[s.entry.key.Name]: // no others will come
			f.owed = append(f.owed, s.entry.key.Name)
		case !instead && r != nil && (s.again || !same(s.sent, r)):
			c.send(f, s, r)
		}
		if r == nil {
			continue
		}
		f.wire = append(f.wire, r.World())
		given = append(given, r)
	}
	f.version = version(given)
	out.VersionInfo = f.version
	k.fly(f, held)
	c.kick()
	return out
}

// offer is what the client should have: the newest, or the last that it accepted
// when it refused that or when the newest is gone but still in use. What is held is
// what it was sent last.
func (s *sub) offer(held bool) *xds.Resource {
	r := s.entry.current.Load()
	if held || r == nil && s.dirty {
		r = s.sent
	}
	if same(r, s.rejected) {
		return s.acked
	}
	return r
}

// same tells whether both are there and have the same content.
func same(a, b *xds.Resource) bool { return a != nil && b != nil && a.Version == b.Version }

func (k *kind) sorted() []*sub {
	out := make([]*sub, 0, len(k.subs))
	for _, s := range k.subs {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b *sub) int { return strings.Compare(a.entry.key.Name, b.entry.key.Name) })
	return out
}

// version is the digest of what a response gives.
func version(given []*xds.Resource) string {
	if len(given) == 1 {
		return given[0].Version
	}
	size := 0
	for _, r := range given {
		size += len(r.Name) + len(r.Version) + 2
	}
	all := make([]byte, 0, size)
	for _, r := range given {
		all = append(append(append(append(all, r.Name...), 0), r.Version...), 0)
	}
	sum := sha256.Sum256(all)
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}
