package server

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"patchbay/xds"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// world is a server that streams of the test's own talk to.
type world struct {
	store  *Store
	server *Server
	conn   *grpc.ClientConn
	meter  *meter
}

type meter struct {
	mu              sync.Mutex
	pushed, refused [xds.Types]int
}

func (m *meter) Pushed(t xds.Type, _ time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pushed[t]++
}

func (m *meter) Refused(t xds.Type) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refused[t]++
}

func newWorld(t testing.TB, hold time.Duration) *world {
	t.Helper()
	w := &world{store: NewStore(), meter: &meter{}}
	w.server = New(Options{Store: w.store, Meter: w.meter, Hold: hold, Admit: func(_ context.Context, node *core.Node) (Peer, error) {
		if !w.store.Has(node.GetCluster()) {
			return Peer{}, status.Errorf(codes.NotFound, "no role %q", node.GetCluster())
		}
		return Peer{Node: node.GetId(), Role: node.GetCluster()}, nil
	}})
	listener := bufconn.Listen(1 << 20)
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- w.server.Serve(ctx, listener) }()
	conn, err := grpc.NewClient("passthrough:///test", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	w.conn = conn
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// deltaStream is a client of differences.
type deltaStream struct {
	t      testing.TB
	stream discovery.AggregatedDiscoveryService_DeltaAggregatedResourcesClient
	node   *core.Node
	got    chan *discovery.DeltaDiscoveryResponse
	probes int
}

func (w *world) delta(t testing.TB, node, role string) *deltaStream {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	stream, err := discovery.NewAggregatedDiscoveryServiceClient(w.conn).DeltaAggregatedResources(ctx)
	if err != nil {
		t.Fatal(err)
	}
	d := &deltaStream{t: t, stream: stream, node: &core.Node{Id: node, Cluster: role}, got: make(chan *discovery.DeltaDiscoveryResponse, 100)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer close(d.got)
		for {
			r, err := stream.Recv()
			if err != nil {
				return
			}
			d.got <- r
		}
	}()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	return d
}

func (d *deltaStream) send(r *discovery.DeltaDiscoveryRequest) {
	d.t.Helper()
	r.Node = d.node
	if err := d.stream.Send(r); err != nil {
		d.t.Fatalf("send: %v", err)
	}
}

func (d *deltaStream) subscribe(t xds.Type, names ...string) {
	d.t.Helper()
	d.send(&discovery.DeltaDiscoveryRequest{TypeUrl: t.URL(), ResourceNamesSubscribe: names})
}

func (d *deltaStream) unsubscribe(t xds.Type, names ...string) {
	d.t.Helper()
	d.send(&discovery.DeltaDiscoveryRequest{TypeUrl: t.URL(), ResourceNamesUnsubscribe: names})
}

func (d *deltaStream) ack(r *discovery.DeltaDiscoveryResponse) {
	d.t.Helper()
	d.send(&discovery.DeltaDiscoveryRequest{TypeUrl: r.GetTypeUrl(), ResponseNonce: r.GetNonce()})
}

func (d *deltaStream) nack(r *discovery.DeltaDiscoveryResponse, why string) {
	d.t.Helper()
	d.send(&discovery.DeltaDiscoveryRequest{TypeUrl: r.GetTypeUrl(), ResponseNonce: r.GetNonce(),
		ErrorDetail: &rpcstatus.Status{Code: int32(codes.InvalidArgument), Message: why}})
}

// next takes the next response and tells it as "EDS +a +b -c".
func (d *deltaStream) next() (*discovery.DeltaDiscoveryResponse, string) {
	d.t.Helper()
	select {
	case r, ok := <-d.got:
		if !ok {
			d.t.Fatal("the stream ended")
		}
		return r, tell(r)
	case <-time.After(patience):
		d.t.Fatal("nothing came")
	}
	return nil, ""
}

func tell(r *discovery.DeltaDiscoveryResponse) string {
	t, _ := xds.TypeOf(r.GetTypeUrl())
	var parts []string
	for _, x := range r.GetResources() {
		parts = append(parts, " +"+x.GetName())
	}
	for _, name := range r.GetRemovedResources() {
		parts = append(parts, " -"+name)
	}
	slices.Sort(parts)
	out := t.String()
	for _, p := range parts {
		out += p
	}
	return out
}

// expect takes the next response, checks what it tells, and acknowledges it.
func (d *deltaStream) expect(want string) *discovery.DeltaDiscoveryResponse {
	d.t.Helper()
	r := d.see(want)
	d.ack(r)
	return r
}

// see is expect without an acknowledgement.
func (d *deltaStream) see(want string) *discovery.DeltaDiscoveryResponse {
	d.t.Helper()
	r, got := d.next()
	if got != want {
		d.t.Fatalf("got %q, want %q", got, want)
	}
	return r
}

// quiet checks that nothing was sent: what is asked for last is answered next.
func (d *deltaStream) quiet() {
	d.t.Helper()
	d.probes++
	name := fmt.Sprintf("probe-%d", d.probes)
	d.subscribe(xds.Secret, name)
	want := "SDS -" + name
	r, got := d.next()
	if got != want {
		d.t.Fatalf("got %q, want nothing but %q", got, want)
	}
	d.ack(r)
}

func resourceOf(t testing.TB, kind xds.Type, name string, m proto.Message) *xds.Resource {
	t.Helper()
	r, err := xds.NewResource(kind, name, m)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// cluster makes a cluster whose endpoints have its name; salt makes its content.
func cluster(t testing.TB, name string, salt uint32) *xds.Resource {
	t.Helper()
	r := resourceOf(t, xds.Cluster, name, &clusterv3.Cluster{Name: name,
		PerConnectionBufferLimitBytes: wrapperspb.UInt32(salt)})
	r.Waits = name
	return r
}

func endpoints(t testing.TB, name string, ports ...uint32) *xds.Resource {
	t.Helper()
	list := &endpointv3.LocalityLbEndpoints{}
	for _, p := range ports {
		list.LbEndpoints = append(list.LbEndpoints, &endpointv3.LbEndpoint{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{
			Address: &core.Address{Address: &core.Address_SocketAddress{SocketAddress: &core.SocketAddress{Address: "127.0.0.1",
				PortSpecifier: &core.SocketAddress_PortValue{PortValue: p}}}}}}})
	}
	return resourceOf(t, xds.Endpoints, name, &endpointv3.ClusterLoadAssignment{ClusterName: name, Endpoints: []*endpointv3.LocalityLbEndpoints{list}})
}

func listener(t testing.TB, name, salt string) *xds.Resource {
	t.Helper()
	return resourceOf(t, xds.Listener, name, &listenerv3.Listener{Name: name, StatPrefix: salt})
}

func routes(t testing.TB, name, salt string) *xds.Resource {
	t.Helper()
	return resourceOf(t, xds.Routes, name, &routev3.RouteConfiguration{Name: name, InternalOnlyHeaders: []string{salt}})
}
