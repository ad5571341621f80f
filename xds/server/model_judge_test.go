package server

import (
	"maps"
	"slices"

	"patchbay/xds"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/types/known/anypb"
)

// receive takes one response, judges it and takes it over or refuses it; false when
// there is none.
func (c *modelClient) receive(refuse bool) bool {
	r := c.next()
	if r == nil {
		return false
	}
	k := &c.kinds[r.kind]
	r.refused = refuse && len(r.given) > 0
	c.note("got %s %s +%v -%v, refuse %v", r.kind, r.nonce, slices.Sorted(maps.Keys(r.given)), r.removed, r.refused)
	if k.pending != nil {
		c.fail("a second response of %s came before the first was answered", r.kind)
	}
	if !k.asked {
		c.fail("%s came though nobody asked", r.kind)
	}
	c.judgeNames(r)
	c.judgeOrder(r)
	k.pending, k.nonce, k.answered = r, r.nonce, k.answered || len(r.given)+len(r.removed) > 0
	for name := range r.given {
		delete(k.awaited, name)
	}
	for _, name := range r.removed {
		delete(k.awaited, name)
	}
	c.apply(r)
	return true
}

// next reads a response of either variant.
func (c *modelClient) next() *modelResponse {
	if c.delta {
		r := c.differences.read()
		if r == nil {
			return nil
		}
		return c.difference(r)
	}
	r := c.world.read()
	if r == nil {
		return nil
	}
	return c.whole(r)
}

func (c *modelClient) difference(r *discovery.DeltaDiscoveryResponse) *modelResponse {
	kind, _ := xds.TypeOf(r.GetTypeUrl())
	out := &modelResponse{kind: kind, nonce: r.GetNonce(), given: map[string]*xds.Resource{}, removed: r.GetRemovedResources()}
	for _, x := range r.GetResources() {
		known := c.known(kind, x.GetResource())
		if known.Name != x.GetName() || known.Version != x.GetVersion() || out.given[known.Name] != nil || slices.Contains(out.removed, known.Name) {
			c.fail("%s %s %s is named otherwise or twice", kind, x.GetName(), x.GetVersion())
		}
		out.given[known.Name] = known
	}
	return out
}

func (c *modelClient) whole(r *discovery.DiscoveryResponse) *modelResponse {
	kind, _ := xds.TypeOf(r.GetTypeUrl())
	out := &modelResponse{kind: kind, nonce: r.GetNonce(), given: map[string]*xds.Resource{}}
	for _, body := range r.GetResources() {
		known := c.known(kind, body)
		if out.given[known.Name] != nil {
			c.fail("%s %s is given twice", kind, known.Name)
		}
		out.given[known.Name] = known
	}
	if kind == xds.Cluster || kind == xds.Listener {
		for _, name := range slices.Sorted(maps.Keys(c.kinds[kind].have)) {
			if out.given[name] == nil {
				out.removed = append(out.removed, name)
			}
		}
	}
	return out
}

func (c *modelClient) known(kind xds.Type, body *anypb.Any) *xds.Resource {
	known := c.m.bodies[kind][string(body.GetValue())]
	if known == nil {
		c.fail("a %s came that was never published", kind)
	}
	return known
}

// judgeNames checks that what came was asked for and may come.
func (c *modelClient) judgeNames(r *modelResponse) {
	k := &c.kinds[r.kind]
	named := slices.Collect(maps.Keys(r.given))
	if c.delta {
		named = append(named, r.removed...)
	}
	for _, name := range named {
		if !c.wild(r.kind) && !k.names[name] && !k.lately[name] {
			c.fail("%s %s came though nobody asked", r.kind, name)
		}
	}
	for name, x := range r.given {
		if k.refused[name] == x.Version && !k.again[name] {
			c.fail("%s %s %s came again after it was refused", r.kind, name, x.Version)
		}
	}
	if c.delta && r.kind == xds.Endpoints {
		for _, name := range r.removed {
			if going := c.kinds[xds.Cluster].pending; c.kinds[xds.Cluster].fresh[name] && (going == nil || !slices.Contains(going.removed, name)) {
				c.fail("the endpoints of the cluster %s were removed while the client has it", name)
			}
		}
	}
}

// judgeOrder checks that nothing names a cluster that cannot be used, and that no
// cluster goes that is used.
func (c *modelClient) judgeOrder(r *modelResponse) {
	if c.byName || c.lenient {
		return
	}
	switch r.kind {
	case xds.Listener, xds.Routes:
		if !c.kinds[r.kind].answered && (!c.delta || c.kinds[xds.Cluster].odd()) {
			return // who has nothing gets what there is
		}
		for name, x := range r.given {
			for _, used := range c.m.uses[x] {
				switch {
				case c.kinds[r.kind].have[name] == x: // nothing new
				case c.kinds[xds.Cluster].have[used] == nil:
					c.fail("%s %s names the cluster %s, which is not there", r.kind, name, used)
				case !c.warm[used] && c.kinds[xds.Endpoints].refused[used] == "" && len(c.kinds[xds.Endpoints].stale[used]) == 0:
					c.fail("%s %s names the cluster %s, which has no endpoints yet", r.kind, name, used)
				}
			}
		}
	case xds.Cluster:
		if !c.delta && !c.kinds[xds.Cluster].answered {
			return // whole states begin anew with a stream
		}
		for _, kind := range []xds.Type{xds.Listener, xds.Routes} {
			for name, x := range c.kinds[kind].have {
				if !c.wild(kind) && (!c.kinds[kind].names[name] || c.kinds[kind].lately[name]) {
					continue // it is unsubscribed, or was in between
				}
				if !c.delta && (!c.kinds[kind].fresh[name] || c.m.wanted(c.role, Key{kind, name}) == nil) {
					continue // whole states do not tell what a client kept, nor that routes are gone
				}
				for _, gone := range r.removed {
					if !c.delta && !c.kinds[xds.Cluster].fresh[gone] {
						continue
					}
					if slices.Contains(c.m.uses[x], gone) {
						c.fail("the cluster %s goes while %s %s uses it", gone, kind, name)
					}
				}
			}
		}
	}
}

// converged checks that the client has exactly what the store holds for it, but for
// what it refused.
func (c *modelClient) converged() {
	for _, kind := range modelOrder {
		k := &c.kinds[kind]
		names := maps.Clone(k.names)
		if c.wild(kind) {
			for key := range c.m.roles[c.role].resources(c.m) {
				if key.Type == kind {
					names[key.Name] = true
				}
			}
			for name := range k.have {
				names[name] = true
			}
		}
		if !c.wild(kind) && !k.asked {
			continue
		}
		for name := range names {
			c.has(kind, name)
			// The server does not forget what was refused while it waits for routes.
			held := c.kinds[xds.Listener].odd() || c.kinds[xds.Routes].odd()
			switch gone := c.m.wanted(c.role, Key{kind, name}) == nil && k.have[name] == nil; {
			case gone && held:
				k.outdate(name)
			case gone:
				delete(k.refused, name)
				delete(k.stale, name)
			}
		}
		if c.delta && len(k.awaited) > 0 {
			c.fail("%s %v were asked for and never answered", kind, slices.Sorted(maps.Keys(k.awaited)))
		}
		clear(k.awaited)
		for name := range k.lately {
			if !c.wild(kind) && !k.names[name] {
				delete(k.have, name)
				delete(k.fresh, name)
				delete(k.refused, name)
			}
		}
		clear(k.lately)
		clear(k.again)
	}
}

func (c *modelClient) has(kind xds.Type, name string) {
	k := &c.kinds[kind]
	want, have := c.m.wanted(c.role, Key{kind, name}), k.have[name]
	switch {
	case want == nil && have == nil:
	case want == nil && (kind == xds.Cluster || kind == xds.Endpoints) && (c.kinds[xds.Listener].odd() || c.kinds[xds.Routes].odd()):
		// What it kept in place of what it refused may name the cluster.
	case want == nil:
		// Whole states of endpoints and routes cannot tell that one is gone.
		if c.delta || kind == xds.Cluster || kind == xds.Listener {
			c.fail("it still has %s %s, which is gone", kind, name)
		}
	case have != nil && have.Version == want.Version, k.refused[name] == want.Version, slices.Contains(k.stale[name], want.Version):
	default:
		c.fail("it has %v of %s %s, want %s, refused %q, before %q", have, kind, name, want.Version, k.refused[name], k.stale[name])
	}
}
