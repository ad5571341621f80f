package server

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"patchbay/xds"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"golang.org/x/sync/errgroup"
)

func TestAThousandReconnectsLeaveMemoryAndGoroutinesAsTheyWere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newStill(t)
		w.publish(t)
		cycle := func(n int) {
			ctx, stop := context.WithCancel(context.Background())
			p := newPipe[discovery.DeltaDiscoveryRequest, discovery.DeltaDiscoveryResponse](ctx)
			ended := make(chan error, 1)
			go func() { ended <- w.server.delta(p, resource.AnyType) }()
			node := &core.Node{Id: fmt.Sprint("web-", n%7), Cluster: "web"}
			p.in <- &discovery.DeltaDiscoveryRequest{Node: node, TypeUrl: xds.Cluster.URL(), InitialResourceVersions: map[string]string{fmt.Sprint("old-", n): "x"}}
			p.in <- &discovery.DeltaDiscoveryRequest{TypeUrl: xds.Endpoints.URL(), ResourceNamesSubscribe: []string{"api", fmt.Sprint("none-", n)}}
			p.in <- &discovery.DeltaDiscoveryRequest{TypeUrl: xds.Listener.URL()}
			p.in <- &discovery.DeltaDiscoveryRequest{TypeUrl: xds.Routes.URL(), ResourceNamesSubscribe: []string{"out", fmt.Sprint("none-", n)}}
			synctest.Wait() // responses are under way, unread and unacknowledged
			stop()
			<-ended
			synctest.Wait()
		}
		for n := range 50 {
			cycle(n)
		}
		memory, routines := heap(), runtime.NumGoroutine()
		for n := range 1000 {
			cycle(n)
		}
		if got := runtime.NumGoroutine(); got > routines+10 { // the runtime has some of its own
			t.Errorf("%d goroutines, before %d", got, routines)
		}
		if got := heap(); got > memory+1<<20 {
			t.Errorf("the heap grew from %d to %d KiB", memory>>10, got>>10)
		}
		if n := readers(w.store); n != 0 {
			t.Errorf("%d readers are left", n)
		}
		if n := len(w.store.scopes["web"].entries) + len(w.store.scopes[Shared].entries); n != 4 {
			t.Errorf("%d entries are left, want the four that exist", n)
		}
		if n := len(w.server.streams); n != 0 {
			t.Errorf("%d streams are left", n)
		}
	})
}

// readers counts who still reads.
func readers(s *Store) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sc := range s.scopes {
		n += len(sc.clients)
		for _, e := range sc.entries {
			n += len(e.subs)
		}
	}
	return n
}

func TestAReaderThatNeverReadsHoldsNobodyUpAndTakesNoMemory(t *testing.T) {
	w := newWorld(t, 0)
	w.publish(t)
	slow := w.delta(t, "slow", "web")
	// It asks for everything over and over and never takes an answer, until even
	// what it sends is stuck.
	ctx, stop := context.WithCancel(context.Background())
	stuck, err := discovery.NewAggregatedDiscoveryServiceClient(w.conn).DeltaAggregatedResources(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var sent atomic.Int64
	var group errgroup.Group
	group.Go(func() error {
		node := slow.node
		for {
			for _, r := range []*discovery.DeltaDiscoveryRequest{{TypeUrl: xds.Cluster.URL()}, {TypeUrl: xds.Endpoints.URL(), ResourceNamesSubscribe: []string{"api"}}} {
				r.Node = node
				if stuck.Send(r) != nil {
					return nil
				}
			}
			sent.Add(1)
		}
	})
	quick := w.delta(t, "quick", "web")
	quick.begin()
	for port := range uint32(300) {
		w.store.Publish(Change{Scope: Shared, Upserts: []*xds.Resource{endpoints(t, "api", 2+port)}})
		quick.expect("EDS +api")
	}
	memory := heap()
	for port := range uint32(2000) {
		w.store.Publish(Change{Scope: Shared, Upserts: []*xds.Resource{endpoints(t, "api", 1000+port)}})
	}
	if got := heap(); got > memory+8<<20 {
		t.Errorf("the heap grew from %d to %d KiB", memory>>10, got>>10)
	}
	stop()
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
	if sent.Load() == 0 {
		t.Error("the slow one asked for nothing")
	}
}

// TestClientsOfRealConnectionsConverge plays what the model plays without a
// network over one: goroutines of the server, the clients and the publisher run
// side by side.
func TestClientsOfRealConnectionsConverge(t *testing.T) {
	w := newWorld(t, time.Second)
	w.publish(t)
	const clients, changes = 8, 300
	have := make([]atomic.Pointer[map[string]string], clients)
	ctx, stop := context.WithCancel(context.Background())
	group, ctx := errgroup.WithContext(ctx)
	for n := range clients {
		group.Go(func() error { return w.follow(ctx, fmt.Sprint("web-", n), n%3 == 0, &have[n]) })
	}
	for n := range uint32(changes) {
		name := fmt.Sprint("c", n%5)
		shared := Change{Scope: Shared, Upserts: []*xds.Resource{endpoints(t, name, n+1)}}
		role := Change{Scope: "web", Upserts: []*xds.Resource{routes(t, "out", fmt.Sprint(n))}}
		if n%7 == 6 {
			role.Removed = append(role.Removed, Key{xds.Cluster, name})
		} else {
			role.Upserts = append(role.Upserts, cluster(t, name, n/10))
		}
		w.store.Publish(shared, role)
	}
	want := map[string]string{}
	w.store.mu.Lock()
	for _, e := range w.store.scopes["web"].entries {
		if r := e.current.Load(); r != nil && r.Type == xds.Cluster {
			want["CDS "+r.Name] = r.Version
			want["EDS "+r.Name] = w.store.scopes[Shared].entries[Key{xds.Endpoints, r.Name}].current.Load().Version
		} else if r != nil && r.Type == xds.Routes {
			want["RDS "+r.Name] = r.Version
		}
	}
	w.store.mu.Unlock()
	for n := range clients {
		deadline := time.After(patience)
		for !equal(have[n].Load(), &want) {
			select {
			case <-deadline:
				t.Fatalf("client %d has %v, want %v", n, *have[n].Load(), want)
			case <-time.After(time.Millisecond):
			}
		}
	}
	stop()
	if err := group.Wait(); err != nil && ctx.Err() == nil {
		t.Error(err)
	}
}

func equal(a, b *map[string]string) bool {
	return a != nil && fmt.Sprint(*a) == fmt.Sprint(*b)
}

// follow is an Envoy that accepts everything and, when it is restless, connects anew
// now and then with what it has.
func (w *world) follow(ctx context.Context, node string, restless bool, told *atomic.Pointer[map[string]string]) error {
	have := map[xds.Type]map[string]string{xds.Cluster: {}, xds.Endpoints: {}, xds.Routes: {}}
	for round := 0; ctx.Err() == nil; round++ {
		responses := 1 << 30
		if restless && round < 10 {
			responses = 15
		}
		if err := w.once(ctx, node, responses, have, told); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) once(ctx context.Context, node string, responses int, have map[xds.Type]map[string]string, told *atomic.Pointer[map[string]string]) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	stream, err := discovery.NewAggregatedDiscoveryServiceClient(w.conn).DeltaAggregatedResources(ctx)
	if err != nil {
		return nil
	}
	ask := func(t xds.Type, first bool, nonce string, add ...string) {
		r := &discovery.DeltaDiscoveryRequest{Node: &core.Node{Id: node, Cluster: "web"}, TypeUrl: t.URL(), ResponseNonce: nonce, ResourceNamesSubscribe: add}
		if first {
			r.InitialResourceVersions = have[t]
		}
		_ = stream.Send(r) // the next Recv tells why
	}
	ask(xds.Cluster, true, "")
	var known []string
	for name := range have[xds.Cluster] {
		known = append(known, name)
	}
	if len(known) > 0 {
		ask(xds.Endpoints, true, "", known...)
	}
	ask(xds.Routes, true, "", "out")
	for range responses {
		r, err := stream.Recv()
		if err != nil {
			return nil
		}
		t, _ := xds.TypeOf(r.GetTypeUrl())
		for _, name := range r.GetRemovedResources() {
			delete(have[t], name)
			if t == xds.Cluster {
				delete(have[xds.Endpoints], name)
				_ = stream.Send(&discovery.DeltaDiscoveryRequest{TypeUrl: xds.Endpoints.URL(), ResourceNamesUnsubscribe: []string{name}})
			}
		}
		for _, x := range r.GetResources() {
			if t == xds.Cluster && have[t][x.GetName()] == "" {
				ask(xds.Endpoints, false, "", x.GetName())
			}
			have[t][x.GetName()] = x.GetVersion()
		}
		ask(t, false, r.GetNonce())
		flat := map[string]string{}
		for t, list := range have {
			for name, version := range list {
				flat[t.String()+" "+name] = version
			}
		}
		told.Store(&flat)
	}
	return nil
}
