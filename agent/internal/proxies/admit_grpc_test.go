package proxies

import (
	"net"
	"testing"

	"patchbay/xds"
	"patchbay/xds/mesh"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"
)

func TestTheLibraryOfAClientDecidesItsRoleWhereItNamesNone(t *testing.T) {
	inWorld(t, func(w *world) {
		w.declare(mesh.Mesh{Sidecars: []mesh.Sidecar{{Service: "shop", Upstreams: []mesh.Upstream{{Target: mesh.Target{Service: "web"}, Port: 9001}}}}})
		w.tell("web", nil)
		ctx := peer.NewContext(w.ctx, &peer.Peer{Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4000}})
		for agent, want := range map[string]string{"gRPC Go": xds.GRPCRole, "grpc-java": xds.GRPCRole, "gRPC C-core linux": xds.GRPCRole,
			"envoy": xds.SidecarRole("shop"), "": xds.SidecarRole("shop")} {
			got, err := w.feed.Admit(ctx, &core.Node{Id: "shop-1", Cluster: "shop", UserAgentName: agent})
			if err != nil || got.Role != want {
				w.t.Errorf("%q has the role %q, %v, want %q", agent, got.Role, err, want)
			}
		}
		named := &structpb.Struct{Fields: map[string]*structpb.Value{xds.RoleKey: structpb.NewStringValue(xds.SidecarRole("shop"))}}
		if got, err := w.feed.Admit(ctx, &core.Node{Id: "shop-1", UserAgentName: "gRPC Go", Metadata: named}); err != nil || got.Role != xds.SidecarRole("shop") {
			w.t.Errorf("a role that is named counts: %q, %v", got.Role, err)
		}
	})
	inWorld(t, func(w *world) {
		w.declare(mesh.Mesh{})
		ctx := peer.NewContext(w.ctx, &peer.Peer{Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4000}})
		if _, err := w.feed.Admit(ctx, &core.Node{Id: "shop-1", UserAgentName: "gRPC Go"}); status.Code(err) != codes.NotFound {
			w.t.Errorf("without a service: %v", err)
		}
	})
}
