package server

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"patchbay/xds"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestAStreamOfWhoMayNotStayIsEnded(t *testing.T) {
	w := newWorld(t, time.Minute)
	w.store.Publish(Change{Scope: "web"})
	var lost atomic.Bool
	w.server.opts.Admit = func(_ context.Context, node *core.Node) (Peer, error) {
		p := Peer{Node: node.GetId(), Role: node.GetCluster()}
		if node.GetId() == "web-2" {
			p.Renew = func(context.Context) error {
				if lost.Load() {
					return status.Error(codes.PermissionDenied, "the token lost its rights")
				}
				return nil
			}
		}
		return p, nil
	}
	open := func(node string) discovery.AggregatedDiscoveryService_DeltaAggregatedResourcesClient {
		ctx, stop := context.WithTimeout(t.Context(), patience)
		t.Cleanup(stop)
		stream, err := discovery.NewAggregatedDiscoveryServiceClient(w.conn).DeltaAggregatedResources(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Send(&discovery.DeltaDiscoveryRequest{Node: &core.Node{Id: node, Cluster: "web"}, TypeUrl: xds.Cluster.URL()}); err != nil {
			t.Fatal(err)
		}
		first, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Send(&discovery.DeltaDiscoveryRequest{TypeUrl: xds.Cluster.URL(), ResponseNonce: first.GetNonce()}); err != nil {
			t.Fatal(err)
		}
		return stream
	}
	stays, goes := open("web-1"), open("web-2")
	w.server.expel(t.Context())
	if n := len(w.server.Clients()); n != 2 {
		t.Fatalf("%d clients are left while all may stay", n)
	}
	lost.Store(true)
	w.server.expel(t.Context())
	if _, err := goes.Recv(); status.Code(err) != codes.PermissionDenied {
		t.Errorf("the stream ended with %v", err)
	}
	w.store.Publish(Change{Scope: "web", Upserts: []*xds.Resource{cluster(t, "api", 1)}})
	if got, err := stays.Recv(); err != nil || len(got.GetResources()) != 1 {
		t.Errorf("the other stream got %v, %v", got, err)
	}
}
