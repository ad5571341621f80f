package server

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing/synctest"

	"patchbay/xds"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
)

// modelClient behaves as Envoy does: it takes all clusters and listeners, asks for
// the endpoints of the clusters that it has and for some routes, now and then
// refuses, asks again, is slow, or comes back with what it kept. One that asks for
// everything by name behaves as gRPC does.
type modelClient struct {
	m      *model
	id     string
	role   string
	delta  bool
	byName bool
	node   *core.Node

	differences *pipe[discovery.DeltaDiscoveryRequest, discovery.DeltaDiscoveryResponse]
	world       *pipe[discovery.DiscoveryRequest, discovery.DiscoveryResponse]
	stop        context.CancelFunc
	ended       chan error

	kinds [xds.Types]modelKind
	// warm are the clusters whose endpoints came after them.
	warm map[string]bool
	// lenient tells that time passed while listeners and routes were held.
	lenient bool
}

// modelKind is what a client has of one type.
type modelKind struct {
	asked, answered bool
	// names are asked for; lately those that were until the last time of rest.
	names, lately map[string]bool
	// awaited are names that the server must say something about; again those that
	// were asked for since the last time of rest.
	awaited, again map[string]bool
	have           map[string]*xds.Resource
	// fresh were accepted on this stream.
	fresh map[string]bool
	// refused are the versions that must not come again, unless something else was
	// published in between; stale those of which this is so.
	refused map[string]string
	stale   map[string][]string
	pending *modelResponse
	nonce   string
}

// modelResponse is a response of either variant.
type modelResponse struct {
	kind    xds.Type
	nonce   string
	given   map[string]*xds.Resource
	removed []string
	refused bool
}

var modelOrder = []xds.Type{xds.Cluster, xds.Endpoints, xds.Listener, xds.Routes}

func (c *modelClient) note(format string, args ...any) {
	c.m.note("%s: %s", c.id, fmt.Sprintf(format, args...))
}

func (c *modelClient) fail(format string, args ...any) {
	c.m.t.Helper()
	for st := range c.m.server.streams {
		if st.node != c.id {
			continue
		}
		c.note("server: owed %v forced %v returned %v gate %v", st.client.owed, st.client.forced, st.client.returned, st.client.gate != nil)
		for t := range xds.Types {
			k := &st.client.kinds[t]
			var dirty []string
			for _, s := range k.dirty {
				dirty = append(dirty, s.entry.key.Name)
			}
			c.note("server: %s open %v asked %v wildcard %v answer %v queued %v dirty %v bad %d flight %v", t, k.open, k.asked, k.wildcard, k.answer, k.queued, dirty, len(k.bad), k.flight != nil)
		}
	}
	c.m.fail("%s of %s (delta %v): %s", c.id, c.role, c.delta, fmt.Sprintf(format, args...))
}

// connect opens a stream; what the client kept of an earlier one it tells.
func (c *modelClient) connect() {
	ctx, stop := context.WithCancel(context.Background())
	c.stop, c.ended, c.role = stop, make(chan error, 1), c.m.pick(modelRoles)
	c.node = &core.Node{Id: c.id, Cluster: c.role}
	if c.warm == nil {
		c.warm = map[string]bool{}
	}
	c.note("connect to %s", c.role)
	if c.delta {
		c.differences = newPipe[discovery.DeltaDiscoveryRequest, discovery.DeltaDiscoveryResponse](ctx)
		go func() { c.ended <- c.m.server.delta(c.differences, resource.AnyType) }()
	} else {
		c.world = newPipe[discovery.DiscoveryRequest, discovery.DiscoveryResponse](ctx)
		go func() { c.ended <- c.m.server.world(c.world, resource.AnyType) }()
	}
	for kind := range c.kinds {
		k := &c.kinds[kind]
		*k = modelKind{names: k.names, lately: map[string]bool{}, awaited: map[string]bool{}, again: map[string]bool{}, have: k.have,
			fresh: map[string]bool{}, refused: map[string]string{}, stale: map[string][]string{}}
		if k.names == nil {
			k.names, k.have = map[string]bool{}, map[string]*xds.Resource{}
		}
	}
	if !c.byName {
		for name := range c.kinds[xds.Cluster].have {
			c.kinds[xds.Endpoints].names[name] = true
		}
	}
	for _, kind := range modelOrder {
		if !c.wild(kind) && len(c.kinds[kind].names) == 0 {
			continue
		}
		c.ask(kind, slices.Sorted(maps.Keys(c.kinds[kind].names)), nil)
	}
}

func (c *modelClient) disconnect() {
	c.stop()
	if err := <-c.ended; err != nil && !strings.Contains(err.Error(), context.Canceled.Error()) {
		c.m.t.Errorf("%s: the stream ended: %v", c.id, err)
	}
}

// wild tells whether the client takes all of a type.
func (c *modelClient) wild(kind xds.Type) bool {
	return !c.byName && (kind == xds.Cluster || kind == xds.Listener)
}

// ask subscribes and unsubscribes; names that are asked for already are asked for
// again. On a stream of whole states it acknowledges what is pending.
func (c *modelClient) ask(kind xds.Type, add, remove []string) {
	k := &c.kinds[kind]
	for _, name := range remove {
		delete(k.names, name)
		delete(k.awaited, name)
		k.lately[name], k.again[name] = true, true
		if !c.wild(kind) && c.delta { // a stale request for whole states may go unheard
			delete(k.have, name)
			delete(k.fresh, name)
			delete(k.refused, name)
		}
	}
	for _, name := range add {
		if !c.delta && !k.names[name] {
			delete(k.fresh, name) // the server forgot what the client has
		}
		k.names[name] = true
		k.awaited[name], k.again[name] = true, true
		if c.delta {
			k.outdate(name)
		}
	}
	if !c.delta {
		c.answer(kind)
		return
	}
	r := &discovery.DeltaDiscoveryRequest{Node: c.node, TypeUrl: kind.URL(), ResourceNamesSubscribe: add, ResourceNamesUnsubscribe: remove}
	if !k.asked {
		r.InitialResourceVersions = map[string]string{}
		for name, have := range k.have {
			if kind == xds.Endpoints && !c.warm[name] {
				continue // the cluster waits for them anew
			}
			r.InitialResourceVersions[name] = have.Version
			delete(k.awaited, name) // silence means that it is the newest
		}
	}
	if c.m.rng.IntN(4) == 0 {
		r.ResponseNonce = k.nonce // of a response that was answered before
		if k.pending != nil {
			r.ResponseNonce = "stale"
		}
	}
	if !k.asked && c.wild(kind) && len(add) > 0 {
		r.ResourceNamesSubscribe = append([]string{"*"}, add...)
	}
	k.asked = true
	c.note("ask for %s +%v -%v", kind, add, remove)
	c.differences.in <- r
}

// answer acknowledges the pending response, or tells that it was refused.
func (c *modelClient) answer(kind xds.Type) {
	k := &c.kinds[kind]
	pending := k.pending
	k.pending, k.asked = nil, true
	var detail *rpcstatus.Status
	if pending != nil && pending.refused {
		detail = &rpcstatus.Status{Code: 3, Message: "I do not like it"}
	}
	names := slices.Sorted(maps.Keys(k.names))
	if c.delta {
		c.note("answer %s %s, refused %v", kind, pending.nonce, pending.refused)
		r := &discovery.DeltaDiscoveryRequest{TypeUrl: kind.URL(), ResponseNonce: pending.nonce, ErrorDetail: detail}
		if c.m.rng.IntN(2) == 0 {
			r.Node = c.node // as few clients do: the loop takes these
		}
		c.differences.in <- r
	} else {
		c.note("ask for %s %v and answer %q, refused %v", kind, names, k.nonce, detail != nil)
		c.world.in <- &discovery.DiscoveryRequest{Node: c.node, TypeUrl: kind.URL(), ResponseNonce: k.nonce, ResourceNames: names, ErrorDetail: detail}
	}
	if pending != nil {
		c.follow()
	}
}

// apply takes over what was accepted, and lets what depends on it follow.
func (c *modelClient) apply(r *modelResponse) {
	k := &c.kinds[r.kind]
	for _, name := range r.removed {
		delete(k.have, name)
		delete(k.fresh, name)
		if c.delta { // a whole state leaves out what was refused
			delete(k.refused, name)
		}
		if r.kind == xds.Cluster {
			delete(c.warm, name)
		}
	}
	for name, x := range r.given {
		before := k.have[name]
		if r.kind == xds.Cluster {
			c.kinds[xds.Endpoints].outdate(name)
		}
		if c.delta && !c.wild(r.kind) && !k.names[name] {
			continue
		}
		if r.refused {
			if !k.fresh[name] || before.Version != x.Version || r.kind == xds.Endpoints && !c.warm[name] {
				k.refused[name] = x.Version
				if want := c.m.wanted(c.role, Key{r.kind, name}); want == nil || want.Version != x.Version {
					k.outdate(name)
				}
			}
			continue
		}
		if before == nil || before.Version != x.Version || k.refused[name] == x.Version {
			delete(k.refused, name)
			delete(k.stale, name)
		}
		// Whole states cannot tell a client that its routes are gone meanwhile.
		k.have[name], k.fresh[name] = x, c.delta || r.kind != xds.Routes || c.m.wanted(c.role, Key{r.kind, name}) != nil
		switch {
		case r.kind == xds.Endpoints:
			c.warm[name] = true
		case r.kind == xds.Cluster && (c.delta || before == nil || before.Version != x.Version):
			c.warm[name] = false
		}
	}
	// Envoy asks for the endpoints of new clusters before it acknowledges these, or
	// after it.
	if c.m.rng.IntN(2) == 0 {
		c.follow()
	}
}

// outdate notes that a version which was refused may come again, or not.
func (k *modelKind) outdate(name string) {
	if version, was := k.refused[name]; was {
		k.stale[name] = append(k.stale[name], version)
		delete(k.refused, name)
	}
}

// odd tells whether something was refused and may be missing.
func (k *modelKind) odd() bool { return len(k.refused)+len(k.stale) > 0 }

// follow asks for what the client needs by what it has.
func (c *modelClient) follow() {
	if c.byName {
		used := map[string]bool{}
		for _, x := range c.kinds[xds.Routes].have {
			for _, name := range c.m.uses[x] {
				used[name] = true
			}
		}
		c.aim(xds.Cluster, used)
	}
	c.aim(xds.Endpoints, c.kinds[xds.Cluster].have)
}

func (c *modelClient) aim(kind xds.Type, want any) {
	names := map[string]bool{}
	switch want := want.(type) {
	case map[string]bool:
		names = want
	case map[string]*xds.Resource:
		for name := range want {
			names[name] = true
		}
	}
	var add, remove []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !c.kinds[kind].names[name] {
			add = append(add, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.kinds[kind].names)) {
		if !names[name] {
			remove = append(remove, name)
		}
	}
	if len(add)+len(remove) > 0 {
		c.ask(kind, add, remove)
	}
}

// act plays one step of the client.
func (c *modelClient) act() {
	kind := modelOrder[c.m.rng.IntN(len(modelOrder))]
	k := &c.kinds[kind]
	switch n := c.m.rng.IntN(100); {
	case n < 35:
		c.receive(c.m.rng.IntN(8) == 0)
	case n < 66:
		if k.pending != nil {
			c.answer(kind)
		}
	case n < 80:
		name := c.m.pick(modelRoutes)
		if c.kinds[xds.Routes].names[name] && c.m.rng.IntN(2) == 0 {
			c.ask(xds.Routes, nil, []string{name})
		} else {
			c.ask(xds.Routes, []string{name}, nil)
		}
	case n < 85:
		if names := slices.Sorted(maps.Keys(c.kinds[xds.Endpoints].names)); len(names) > 0 {
			c.ask(xds.Endpoints, []string{c.m.pick(names)}, nil)
		}
	case n < 87 && c.delta:
		c.ask(xds.Listener, []string{c.m.pick(modelDoors)}, nil)
	case n < 89 && c.delta:
		if names := slices.Sorted(maps.Keys(c.kinds[xds.Listener].names)); len(names) > 0 {
			c.ask(xds.Listener, nil, []string{c.m.pick(names)})
		}
	case n < 91:
		c.disconnect()
		c.connect()
	}
}

// waits tells whether the client is held back, which must not be for ever: by a
// cluster that it refused, or until it asks for the routes of an earlier stream.
func (c *modelClient) waits() bool {
	return c.kinds[xds.Cluster].odd() || c.delta && !c.kinds[xds.Routes].asked
}

// drain takes and accepts everything until nothing comes any more.
func (c *modelClient) drain() {
	for range 1000 {
		synctest.Wait()
		came := c.receive(false)
		for _, kind := range modelOrder {
			if c.kinds[kind].pending != nil {
				c.answer(kind)
				came = true
			}
		}
		if !came {
			return
		}
	}
	c.fail("it never becomes quiet")
}
