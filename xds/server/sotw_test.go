package server

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"patchbay/xds"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	endpointservice "github.com/envoyproxy/go-control-plane/envoy/service/endpoint/v3"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
)

// worldStream is a client of whole states.
type worldStream struct {
	t      testing.TB
	stream interface {
		Send(*discovery.DiscoveryRequest) error
		CloseSend() error
	}
	node *core.Node
	got  chan *discovery.DiscoveryResponse
	// names and last are what it asked for and was answered, by type.
	names map[xds.Type][]string
	last  map[xds.Type]*discovery.DiscoveryResponse
}

func (w *world) sotw(t testing.TB, node, role string) *worldStream {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	stream, err := discovery.NewAggregatedDiscoveryServiceClient(w.conn).StreamAggregatedResources(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return newWorldStream(t, node, role, stream, stop)
}

func newWorldStream(t testing.TB, node, role string, stream discovery.AggregatedDiscoveryService_StreamAggregatedResourcesClient, stop func()) *worldStream {
	d := &worldStream{t: t, stream: stream, node: &core.Node{Id: node, Cluster: role}, got: make(chan *discovery.DiscoveryResponse, 100),
		names: map[xds.Type][]string{}, last: map[xds.Type]*discovery.DiscoveryResponse{}}
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

func (d *worldStream) request(t xds.Type, why string) {
	d.t.Helper()
	r := &discovery.DiscoveryRequest{Node: d.node, TypeUrl: t.URL(), ResourceNames: d.names[t]}
	if last := d.last[t]; last != nil {
		r.ResponseNonce, r.VersionInfo = last.GetNonce(), last.GetVersionInfo()
	}
	if why != "" {
		r.ErrorDetail = &rpcstatus.Status{Message: why}
	}
	if err := d.stream.Send(r); err != nil {
		d.t.Fatalf("send: %v", err)
	}
}

func (d *worldStream) subscribe(t xds.Type, names ...string) {
	d.t.Helper()
	d.names[t] = names
	d.request(t, "")
}

// see takes the next response and tells it as "EDS a b".
func (d *worldStream) see(want string) {
	d.t.Helper()
	var r *discovery.DiscoveryResponse
	select {
	case r = <-d.got:
		if r == nil {
			d.t.Fatalf("the stream ended, want %q", want)
		}
	case <-time.After(patience):
		d.t.Fatalf("nothing came, want %q", want)
	}
	t, _ := xds.TypeOf(r.GetTypeUrl())
	var names []string
	for _, body := range r.GetResources() {
		m, err := body.UnmarshalNew()
		if err != nil {
			d.t.Fatal(err)
		}
		names = append(names, nameOf(m))
	}
	slices.Sort(names)
	got := t.String()
	for _, name := range names {
		got += " " + name
	}
	if got != want {
		d.t.Fatalf("got %q, want %q", got, want)
	}
	d.last[t] = r
}

func (d *worldStream) expect(want string) {
	d.t.Helper()
	d.see(want)
	for t := range xds.Types {
		if want[:3] == t.String() {
			d.request(t, "")
		}
	}
}

// quiet checks that nothing was sent.
func (d *worldStream) quiet() {
	d.t.Helper()
	d.subscribe(xds.Secret, append(slices.Clone(d.names[xds.Secret]), fmt.Sprint("probe-", len(d.names[xds.Secret])))...)
	d.see("SDS")
	d.request(xds.Secret, "")
}

func nameOf(m proto.Message) string {
	switch m := m.(type) {
	case *clusterv3.Cluster:
		return m.GetName()
	case *endpointv3.ClusterLoadAssignment:
		return m.GetClusterName()
	case *listenerv3.Listener:
		return m.GetName()
	case *routev3.RouteConfiguration:
		return m.GetName()
	}
	return "?"
}

func (d *worldStream) begin() {
	d.t.Helper()
	d.subscribe(xds.Cluster)
	d.expect("CDS api")
	d.subscribe(xds.Endpoints, "api")
	d.expect("EDS api")
	d.subscribe(xds.Listener)
	d.expect("LDS in")
	d.subscribe(xds.Routes, "out")
	d.expect("RDS out")
}

func TestAStreamOfWholeStatesGetsEverythingInOrder(t *testing.T) {
	w := newWorld(t, 0)
	w.publish(t)
	d := w.sotw(t, "web-1", "web")
	d.begin()
	w.store.Publish(Change{Scope: Shared, Upserts: []*xds.Resource{endpoints(t, "db", 2)}},
		Change{Scope: "web", Upserts: []*xds.Resource{routes(t, "out", "db"), cluster(t, "db", 1)}, Removed: []Key{{xds.Cluster, "api"}}})
	d.expect("CDS api db") // api stays until no route uses it
	d.subscribe(xds.Endpoints, "api", "db")
	d.expect("EDS db")
	d.expect("RDS out")
	d.expect("CDS db")
}

func TestARefusedWholeStateDoesNotLoop(t *testing.T) {
	w := newWorld(t, 0)
	w.publish(t)
	d := w.sotw(t, "web-1", "web")
	d.subscribe(xds.Cluster)
	d.see("CDS api")
	d.request(xds.Cluster, "bad")
	d.subscribe(xds.Secret, "probe")
	d.expect("SDS")
	w.store.Publish(Change{Scope: Shared, Upserts: []*xds.Resource{endpoints(t, "db", 2)}}, Change{Scope: "web", Upserts: []*xds.Resource{cluster(t, "db", 1)}})
	d.expect("CDS db") // what was refused and never accepted is left out
	w.store.Publish(Change{Scope: "web", Upserts: []*xds.Resource{cluster(t, "api", 2)}})
	d.expect("CDS api db")
}

func TestAWholeStateHoldsTheAcceptedVersionInPlaceOfARefusedOne(t *testing.T) {
	w := newWorld(t, 0)
	w.publish(t)
	d := w.sotw(t, "web-1", "web")
	d.begin()
	w.store.Publish(Change{Scope: "web", Upserts: []*xds.Resource{listener(t, "in", "bad")}})
	d.see("LDS in")
	d.request(xds.Listener, "bad")
	d.quiet()
	w.store.Publish(Change{Scope: "web", Upserts: []*xds.Resource{listener(t, "second", "1")}})
	d.expect("LDS in second")
	var got listenerv3.Listener
	if err := d.last[xds.Listener].GetResources()[0].UnmarshalTo(&got); err != nil {
		t.Fatal(err)
	}
	if got.GetStatPrefix() != "1" {
		t.Errorf("the listener is %q, want the accepted one", got.GetStatPrefix())
	}
}

func TestTheFirstRequestIsAnsweredWhateverItsVersion(t *testing.T) {
	w := newWorld(t, 0)
	w.publish(t)
	d := w.sotw(t, "web-1", "web")
	d.begin()
	again := w.sotw(t, "web-1", "web")
	for kind, names := range map[xds.Type][]string{xds.Cluster: nil, xds.Endpoints: {"api"}} {
		r := &discovery.DiscoveryRequest{Node: again.node, TypeUrl: kind.URL(), ResourceNames: names, VersionInfo: d.last[kind].GetVersionInfo()}
		if err := again.stream.Send(r); err != nil {
			t.Fatal(err)
		}
		again.see(kind.String() + " api")
	}
}

func TestAnAddedNameIsAnsweredThoughNothingChanged(t *testing.T) {
	w := newWorld(t, 0)
	w.publish(t)
	w.store.Publish(Change{Scope: Shared, Upserts: []*xds.Resource{endpoints(t, "db", 2)}}, Change{Scope: "web", Upserts: []*xds.Resource{cluster(t, "db", 1)}})
	d := w.sotw(t, "web-1", "web")
	d.subscribe(xds.Cluster)
	d.expect("CDS api db")
	d.subscribe(xds.Endpoints, "api")
	d.expect("EDS api")
	d.subscribe(xds.Endpoints, "api", "db")
	d.expect("EDS db")
	d.subscribe(xds.Endpoints, "db")
	d.quiet()
	w.store.Publish(Change{Scope: Shared, Upserts: []*xds.Resource{endpoints(t, "api", 3)}})
	d.quiet()
}

func TestEndpointsFollowEveryChangeOfTheirClusterInWholeStates(t *testing.T) {
	w := newWorld(t, 0)
	w.publish(t)
	d := w.sotw(t, "web-1", "web")
	d.begin()
	w.store.Publish(Change{Scope: "web", Upserts: []*xds.Resource{cluster(t, "api", 2)}})
	d.expect("CDS api")
	d.expect("EDS api")
	d.quiet()
}

func TestAServiceOfOneTypeServesIt(t *testing.T) {
	w := newWorld(t, 0)
	w.publish(t)
	ctx, stop := context.WithCancel(context.Background())
	stream, err := endpointservice.NewEndpointDiscoveryServiceClient(w.conn).StreamEndpoints(ctx)
	if err != nil {
		t.Fatal(err)
	}
	d := newWorldStream(t, "web-1", "web", stream, stop)
	d.subscribe(xds.Endpoints, "api")
	d.expect("EDS api")
	d.request(xds.Endpoints, "")
	w.store.Publish(Change{Scope: Shared, Upserts: []*xds.Resource{endpoints(t, "api", 3)}})
	d.expect("EDS api")
}
