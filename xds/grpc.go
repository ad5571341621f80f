package xds

import (
	"slices"

	"patchbay/xds/mesh"

	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	httpfault "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/fault/v3"
	router "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcm "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
)

// GRPCRole is the role of programs whose gRPC library routes by itself. They ask
// for a service by its name: xds:///web.
const GRPCRole = "grpc"

// channelID makes a gRPC client choose by its connection to the service, the
// nearest that it has to an address of origin.
const channelID = "io.grpc.channel_id"

// grpcClients makes the role of gRPC clients: a listener and routes for every
// service that is declared or that a sidecar reaches, in the subset of Envoy's
// messages that gRPC accepts.
func grpcClients(m *mesh.Mesh) (Role, error) {
	plain := grpcMesh(m)
	b := builder{mesh: plain, role: Role{Name: GRPCRole}}
	for _, t := range callable(m) {
		b.reach(t)
		b.one(apiListener(t.String()))
		b.one(grpcRoutes(plain, t))
	}
	return b.finish()
}

// callable lists what gRPC clients may ask for, in order.
func callable(m *mesh.Mesh) []mesh.Target {
	var out []mesh.Target
	for _, s := range m.Services {
		out = append(out, s.Own(""))
	}
	for _, s := range m.Sidecars {
		if s.Variant != "" {
			continue // what it reaches is a matter of its own
		}
		for _, u := range s.Upstreams {
			out = append(out, u.Target)
		}
	}
	slices.SortFunc(out, mesh.Target.Compare)
	return slices.Compact(out)
}

// apiListener makes what a gRPC client asks for first.
func apiListener(name string) (*Resource, error) {
	manager := &hcm.HttpConnectionManager{StatPrefix: name}
	for _, f := range []struct {
		name   string
		config proto.Message
	}{{faultFilter, &httpfault.HTTPFault{}}, {routerFilter, &router.Router{}}} {
		packed, err := pack(f.config)
		if err != nil {
			return nil, err
		}
		manager.HttpFilters = append(manager.HttpFilters, &hcm.HttpFilter{Name: f.name, ConfigType: &hcm.HttpFilter_TypedConfig{TypedConfig: packed}})
	}
	dynamic(manager, name)
	packed, err := pack(manager)
	if err != nil {
		return nil, err
	}
	return encodeListener(&listener.Listener{Name: name, ApiListener: &listener.ApiListener{ApiListener: packed}})
}

// grpcRoutes makes the routes of one service. The caller's name for the service is
// whatever it dialled, so they hold for every name.
func grpcRoutes(plain *mesh.Mesh, t mesh.Target) (*Resource, error) {
	host, err := virtualHost(t.String(), []string{"*"}, plain, t)
	if err != nil {
		return nil, err
	}
	declared := plain.Service(t).Routes
	for n, r := range host.GetRoutes() {
		action := r.GetRoute()
		if action == nil {
			continue
		}
		// gRPC bounds a call by its deadline: only a bound that somebody asked for
		// comes on top, or long streams would break.
		action.Timeout = nil
		if n < len(declared) && t.Subset == "" && declared[n].Timeout > 0 {
			action.MaxStreamDuration = &route.RouteAction_MaxStreamDuration{MaxStreamDuration: durationpb.New(declared[n].Timeout)}
		}
		for _, h := range action.GetHashPolicy() {
			if h.GetConnectionProperties() != nil {
				h.PolicySpecifier = &route.RouteAction_HashPolicy_FilterState_{FilterState: &route.RouteAction_HashPolicy_FilterState{Key: channelID}}
			}
		}
	}
	return NewResource(Routes, t.String(), &route.RouteConfiguration{Name: t.String(), VirtualHosts: []*route.VirtualHost{host}})
}

// GRPCBootstrap is what a program that uses gRPC's xDS is started with.
type GRPCBootstrap struct {
	// Node is what the program calls itself.
	Node string
	// Server is host:port of the xDS server.
	Server string
	// CAFile, CertFile and KeyFile are for TLS to the server; "" means plain text.
	CAFile, CertFile, KeyFile string
}

// JSON gives the text of the file that GRPC_XDS_BOOTSTRAP names.
func (b GRPCBootstrap) JSON() ([]byte, error) {
	type object = map[string]any
	creds := object{"type": "insecure"}
	if b.CAFile != "" {
		files := object{"ca_certificate_file": b.CAFile}
		if b.CertFile != "" {
			files["certificate_file"], files["private_key_file"] = b.CertFile, b.KeyFile
		}
		creds = object{"type": "tls", "config": files}
	}
	return encodeBootstrap(object{
		"xds_servers": []any{object{"server_uri": b.Server, "channel_creds": []any{creds}, "server_features": []any{"xds_v3"}}},
		"node":        object{"id": b.Node, "cluster": GRPCRole, "metadata": object{RoleKey: GRPCRole}},
	})
}
