package server

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"patchbay/xds"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// seeds of requests of both variants, as they come over the wire.
func requestSeeds() []proto.Message {
	many := make([]string, maxNames+1)
	for n := range many {
		many[n] = fmt.Sprint(n)
	}
	node := &core.Node{Id: "web-1", Cluster: "web"}
	return []proto.Message{
		&discovery.DiscoveryRequest{Node: node, TypeUrl: xds.Cluster.URL()},
		&discovery.DiscoveryRequest{Node: node, TypeUrl: xds.Endpoints.URL(), ResourceNames: []string{"api", "*", ""}, ResponseNonce: "1", VersionInfo: "x"},
		&discovery.DiscoveryRequest{Node: node, TypeUrl: xds.Routes.URL(), ResourceNames: many},
		&discovery.DiscoveryRequest{Node: node, TypeUrl: "type.googleapis.com/nothing"},
		&discovery.DiscoveryRequest{Node: &core.Node{Id: strings.Repeat("x", 1000), Cluster: "\x00"}},
		&discovery.DeltaDiscoveryRequest{Node: node, TypeUrl: xds.Cluster.URL(), InitialResourceVersions: map[string]string{"old": "x", "api": "", "*": "y"}},
		&discovery.DeltaDiscoveryRequest{Node: node, TypeUrl: xds.Listener.URL(), ResourceNamesSubscribe: []string{"*", "in"}, ResourceNamesUnsubscribe: []string{"*", "in", "none"}},
		&discovery.DeltaDiscoveryRequest{Node: node, TypeUrl: xds.Endpoints.URL(), ResourceNamesSubscribe: many},
		&discovery.DeltaDiscoveryRequest{TypeUrl: xds.Secret.URL(), ResponseNonce: "999999999999999999999999", ResourceNamesUnsubscribe: []string{"*"}},
	}
}

// FuzzRequests sends requests that may be anything: twice the same, between them
// what a well-behaved client asks, on a stream of either variant. The stream may
// end, but only with a status that says why.
func FuzzRequests(f *testing.F) {
	for _, m := range requestSeeds() {
		body, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body, true)
		f.Add(body, false)
	}
	f.Fuzz(func(t *testing.T, body []byte, delta bool) {
		synctest.Test(t, func(t *testing.T) {
			w := newStill(t)
			w.publish(t)
			var err error
			if delta {
				err = fuzzed[discovery.DeltaDiscoveryRequest, discovery.DeltaDiscoveryResponse](t, body, w.server.delta,
					&discovery.DeltaDiscoveryRequest{Node: &core.Node{Id: "web-1", Cluster: "web"}, TypeUrl: xds.Cluster.URL()})
			} else {
				err = fuzzed[discovery.DiscoveryRequest, discovery.DiscoveryResponse](t, body, w.server.world,
					&discovery.DiscoveryRequest{Node: &core.Node{Id: "web-1", Cluster: "web"}, TypeUrl: xds.Cluster.URL()})
			}
			if err != nil && status.Code(err) == codes.Unknown {
				t.Errorf("the stream ended without a status: %v", err)
			}
			for name, sc := range w.store.scopes {
				for _, e := range sc.entries {
					if len(e.subs) > 0 || e.current.Load() == nil {
						t.Errorf("%s %v has %d readers left", name, e.key, len(e.subs))
					}
				}
			}
		})
	})
}

// fuzzed plays requests on a stream and gives how it ended; nil when it went on.
func fuzzed[In, Out any, P interface {
	*In
	proto.Message
}, S any](t *testing.T, body []byte, serve func(S, string) error, good P) error {
	strange := P(new(In))
	if proto.Unmarshal(body, strange) != nil {
		return nil
	}
	ctx, stop := context.WithCancel(context.Background())
	p := newPipe[In, Out](ctx)
	p.out = make(chan *Out, 100)
	ended := make(chan error, 1)
	go func() { ended <- serve(any(p).(S), resource.AnyType) }()
	for _, m := range []P{good, strange, P(proto.Clone(strange).(P)), P(proto.Clone(good).(P)), P(proto.Clone(strange).(P))} {
		p.in <- (*In)(m)
		synctest.Wait()
	}
	select {
	case err := <-ended:
		stop()
		return err
	default:
	}
	stop()
	<-ended
	return nil
}

// newStill is a server without a network.
func newStill(t testing.TB) *world {
	t.Helper()
	w := &world{store: NewStore(), meter: &meter{}}
	w.server = New(Options{Store: w.store, Meter: w.meter, Admit: func(_ context.Context, node *core.Node) (Peer, error) {
		if len(node.GetId()) > 256 || !w.store.Has(node.GetCluster()) {
			return Peer{}, status.Errorf(codes.NotFound, "no role %q", node.GetCluster())
		}
		return Peer{Node: node.GetId(), Role: node.GetCluster()}, nil
	}})
	return w
}

func TestTooManyNamesEndTheStreamWithAReason(t *testing.T) {
	many := make([]string, maxNames+1)
	kept := map[string]string{}
	for n := range many {
		many[n] = fmt.Sprint(n)
		kept[many[n]] = "v"
	}
	long := []string{strings.Repeat("x", maxName+1)}
	for name, test := range map[string]struct {
		requests []*discovery.DeltaDiscoveryRequest
		want     codes.Code
	}{
		"at once":                {[]*discovery.DeltaDiscoveryRequest{{TypeUrl: xds.Routes.URL(), ResourceNamesSubscribe: many}}, codes.ResourceExhausted},
		"one after another":      {[]*discovery.DeltaDiscoveryRequest{{TypeUrl: xds.Routes.URL(), ResourceNamesSubscribe: many[1:]}, {TypeUrl: xds.Routes.URL(), ResourceNamesSubscribe: many[:1]}}, codes.ResourceExhausted},
		"of a type not served":   {[]*discovery.DeltaDiscoveryRequest{{TypeUrl: "nothing", ResourceNamesSubscribe: many[1:]}, {TypeUrl: "nothing", ResourceNamesSubscribe: many[:1]}}, codes.ResourceExhausted},
		"kept from before":       {[]*discovery.DeltaDiscoveryRequest{{TypeUrl: xds.Cluster.URL(), InitialResourceVersions: kept}}, codes.ResourceExhausted},
		"a name that is long":    {[]*discovery.DeltaDiscoveryRequest{{TypeUrl: xds.Routes.URL(), ResourceNamesSubscribe: long}}, codes.InvalidArgument},
		"types without an end":   {strangeTypes(maxStrange + 1), codes.ResourceExhausted},
		"a type's name too long": {[]*discovery.DeltaDiscoveryRequest{{TypeUrl: long[0]}}, codes.InvalidArgument},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 0)
			w.publish(t)
			ctx, stop := context.WithCancel(context.Background())
			defer stop()
			stream, err := discovery.NewAggregatedDiscoveryServiceClient(w.conn).DeltaAggregatedResources(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range test.requests {
				r.Node = &core.Node{Id: "web-1", Cluster: "web"}
				if err := stream.Send(r); err != nil {
					break // the reason is read below
				}
			}
			for err == nil {
				_, err = stream.Recv()
			}
			if status.Code(err) != test.want {
				t.Errorf("the stream ended with %v, want %v", err, test.want)
			}
		})
	}
}

func strangeTypes(n int) (out []*discovery.DeltaDiscoveryRequest) {
	for i := range n {
		out = append(out, &discovery.DeltaDiscoveryRequest{TypeUrl: fmt.Sprint("nothing-", i)})
	}
	return out
}

func TestInvalidTextEndsOnlyItsOwnStream(t *testing.T) {
	w := newWorld(t, 0)
	w.publish(t)
	good := w.delta(t, "web-1", "web")
	good.begin()
	for name, body := range map[string][]byte{"no UTF-8": {2<<3 | 2, 2, 0xff, 0xfe}, "no message": {0xff, 0xff, 0xff}} {
		ctx, stop := context.WithCancel(context.Background())
		bad, err := w.conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true},
			discovery.AggregatedDiscoveryService_DeltaAggregatedResources_FullMethodName, grpc.ForceCodec(rawCodec{}))
		if err != nil {
			t.Fatal(err)
		}
		if err := bad.SendMsg(body); err != nil {
			t.Fatal(err)
		}
		var answer []byte
		if err := bad.RecvMsg(&answer); err == nil {
			t.Errorf("%s was answered by %q", name, answer)
		}
		stop()
	}
	good.subscribe(xds.Routes, "out")
	good.expect("RDS +out")
}

// rawCodec sends bytes as they are.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(v any) ([]byte, error) { return v.([]byte), nil }

func (rawCodec) Unmarshal(body []byte, v any) error {
	*v.(*[]byte) = body
	return nil
}

func TestAMillionRequestsForMissingNamesKeepNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newStill(t)
		w.publish(t)
		ctx, stop := context.WithCancel(context.Background())
		p := newPipe[discovery.DeltaDiscoveryRequest, discovery.DeltaDiscoveryResponse](ctx)
		ended := make(chan error, 1)
		go func() { ended <- w.server.delta(p, resource.AnyType) }()
		ask := func(round int) {
			names := make([]string, 1000)
			for n := range names {
				names[n] = fmt.Sprint("missing-", round, "-", n)
			}
			p.in <- &discovery.DeltaDiscoveryRequest{Node: &core.Node{Id: "web-1", Cluster: "web"}, TypeUrl: xds.Routes.URL(), ResourceNamesSubscribe: names}
			synctest.Wait()
			for r := p.read(); r != nil; r = p.read() {
				p.in <- &discovery.DeltaDiscoveryRequest{TypeUrl: xds.Routes.URL(), ResponseNonce: r.GetNonce()}
				synctest.Wait()
			}
			p.in <- &discovery.DeltaDiscoveryRequest{TypeUrl: xds.Routes.URL(), ResourceNamesUnsubscribe: names}
			synctest.Wait()
		}
		ask(0)
		before := heap()
		for round := range 1000 {
			ask(round + 1)
		}
		if after := heap(); after > before+4<<20 {
			t.Errorf("the heap grew from %d to %d KiB", before>>10, after>>10)
		}
		if n := len(w.store.scopes["web"].entries); n != 3 {
			t.Errorf("%d entries are left, want the three that exist", n)
		}
		stop()
		<-ended
	})
}

// heap gives the bytes that live.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
