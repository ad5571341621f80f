package proxies

import (
	"context"
	"fmt"
	"strings"
	"time"

	"patchbay/xds"
	"patchbay/xds/server"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

const (
	// maxNode bounds what a client may call itself, in bytes.
	maxNode = 256
	// patience is how long a client waits for the first answer of Consul before it
	// is told to come again. Envoy comes again by itself, but ever more rarely.
	patience = 20 * time.Second
)

// Admit decides who a client is, and that it gets the configuration of its own service
// alone.
func (f *Feed) Admit(ctx context.Context, node *core.Node) (server.Peer, error) {
	id, role := node.GetId(), node.GetMetadata().GetFields()[xds.RoleKey].GetStringValue()
	if role == "" {
		role = defaultRole(node)
	}
	if id == "" || len(id) > maxNode || len(role) > maxNode {
		return server.Peer{}, status.Errorf(codes.InvalidArgument, "the node's id and role must be 1 to %d bytes", maxNode)
	}
	p, _ := peer.FromContext(ctx)
	shown, err := f.entitled(ctx, p, role, node)
	if err != nil {
		return server.Peer{}, err
	}
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if !f.Declared(role) {
		return f.admitRegistered(wait, role, node, server.Peer{Node: id, Agent: agentOf(node), Address: p.Addr.String(), Renew: shown.renew})
	}
	if err := f.await(wait, role); err != nil {
		return server.Peer{}, err
	}
	return server.Peer{Node: id, Role: role, Agent: agentOf(node), Address: p.Addr.String(), Renew: shown.renew}, nil
}

// admitRegistered gives the client of a role that the file does not declare the role of
// its registration in Consul.
func (f *Feed) admitRegistered(ctx context.Context, role string, node *core.Node, out server.Peer) (server.Peer, error) {
	service, variant := xds.SplitRole(role)
	on := node.GetMetadata().GetFields()[xds.NodeNameKey].GetStringValue()
	if service == "" || variant != "" || len(on) > maxNode {
		return server.Peer{}, status.Errorf(codes.NotFound, "no %s is declared: add its block to the configuration, or print the bootstrap anew", strings.ToValidUTF8(role, ""))
	}
	var err error
	if out.Role, err = f.Registered(ctx, service, node.GetId(), on); err != nil {
		return server.Peer{}, err
	}
	if err := f.await(ctx, out.Role); err != nil {
		return server.Peer{}, err
	}
	// While it waited, who was let go of was others.
	if now, err := f.Registered(ctx, service, node.GetId(), on); err != nil || now != out.Role {
		return server.Peer{}, status.Error(codes.Unavailable, "the registration changed meanwhile")
	}
	out.Node = onNode(out.Node, on)
	return out, nil
}

// await waits until a role is served.
func (f *Feed) await(ctx context.Context, role string) error {
	if err := f.opts.Store.Await(ctx, role); err != nil {
		return status.Errorf(codes.Unavailable, "consul has not answered for every service of %s yet, or not given its certificate", strings.ToValidUTF8(role, ""))
	}
	return nil
}

// defaultRole is the role of a client that names none.
func defaultRole(node *core.Node) string {
	if strings.HasPrefix(strings.ToLower(node.GetUserAgentName()), "grpc") { // "gRPC Go", "grpc-java", "grpc-c++"
		return xds.GRPCRole
	}
	return xds.SidecarRole(node.GetCluster())
}

func agentOf(node *core.Node) string {
	clip := func(s string) string { return strings.ToValidUTF8(s[:min(len(s), 64)], "") }
	v := node.GetUserAgentBuildVersion().GetVersion()
	if v == nil {
		return strings.TrimSpace(clip(node.GetUserAgentName()) + " " + clip(node.GetUserAgentVersion()))
	}
	return clip(node.GetUserAgentName()) + " " + fmt.Sprintf("%d.%d.%d", v.GetMajorNumber(), v.GetMinorNumber(), v.GetPatch())
}
