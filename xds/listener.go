package xds

import (
	"cmp"
	"fmt"

	"patchbay/xds/mesh"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	httpfault "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/fault/v3"
	locallimit "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/local_ratelimit/v3"
	router "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcm "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tcp "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	uuid "github.com/envoyproxy/go-control-plane/envoy/extensions/request_id/uuid/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const (
	hcmFilter    = "envoy.filters.network.http_connection_manager"
	tcpFilter    = "envoy.filters.network.tcp_proxy"
	routerFilter = "envoy.filters.http.router"
)

// httpManager makes the filter that takes HTTP connections apart into requests.
// Filters that only some routes use are always there, so that a route which begins
// to use one does not change the listener, which would drain it.
func httpManager(name string, d core.TrafficDirection, o mesh.Observe) (*hcm.HttpConnectionManager, error) {
	out := &hcm.HttpConnectionManager{StatPrefix: name, CodecType: hcm.HttpConnectionManager_AUTO}
	if d == core.TrafficDirection_INBOUND {
		// Rules on paths must not be got round by other spellings of a path.
		out.NormalizePath, out.MergeSlashes = wrapperspb.Bool(true), true
		out.PathWithEscapedSlashesAction = hcm.HttpConnectionManager_UNESCAPE_AND_REDIRECT
	}
	if o.Tracing != "" {
		// Envoy would write into the id of a request whether it is traced, and a sticky
		// caller goes by that id.
		plain, err := pack(&uuid.UuidRequestIdConfig{PackTraceReason: wrapperspb.Bool(false)})
		if err != nil {
			return nil, err
		}
		out.RequestIdExtension = &hcm.RequestIDExtension{TypedConfig: plain}
	}
	for _, f := range []struct {
		name   string
		config proto.Message
	}{{faultFilter, &httpfault.HTTPFault{}}, {limitFilter, &locallimit.LocalRateLimit{StatPrefix: "rate_limit"}}, {routerFilter, &router.Router{}}} {
		packed, err := pack(f.config)
		if err != nil {
			return nil, err
		}
		out.HttpFilters = append(out.HttpFilters, &hcm.HttpFilter{Name: f.name, ConfigType: &hcm.HttpFilter_TypedConfig{TypedConfig: packed}})
	}
	return out, observe(out, o)
}

// dynamic takes the routes of a name from the server.
func dynamic(m *hcm.HttpConnectionManager, routes string) {
	m.RouteSpecifier = &hcm.HttpConnectionManager_Rds{Rds: &hcm.Rds{ConfigSource: ads(), RouteConfigName: routes}}
}

// tcpProxy makes the filter that passes connections on.
func tcpProxy(name string, legs []mesh.Leg, o mesh.Observe) (*tcp.TcpProxy, error) {
	out := &tcp.TcpProxy{StatPrefix: name}
	if len(legs) == 1 {
		out.ClusterSpecifier = &tcp.TcpProxy_Cluster{Cluster: legs[0].Target.String()}
	} else {
		weighted := &tcp.TcpProxy_WeightedCluster{}
		for _, leg := range legs {
			if leg.Weight > 0 { // Envoy refuses 0 here
				weighted.Clusters = append(weighted.Clusters, &tcp.TcpProxy_WeightedCluster_ClusterWeight{Name: leg.Target.String(), Weight: leg.Weight})
			}
		}
		out.ClusterSpecifier = &tcp.TcpProxy_WeightedClusters{WeightedClusters: weighted}
	}
	var err error
	out.AccessLog, err = accessLogs(o, false)
	return out, err
}

func networkFilter(name string, config proto.Message) (*listener.Filter, error) {
	packed, err := pack(config)
	if err != nil {
		return nil, err
	}
	return &listener.Filter{Name: name, ConfigType: &listener.Filter_TypedConfig{TypedConfig: packed}}, nil
}

// newListener makes a listener. Its port is not shared between the threads of
// Envoy: a program that listens there already must be an error, not a rival.
func newListener(name, address string, port int, direction core.TrafficDirection, chains ...*listener.FilterChain) *listener.Listener {
	return &listener.Listener{Name: name, Address: socket(cmp.Or(address, "127.0.0.1"), uint32(port)),
		TrafficDirection: direction, FilterChains: chains, EnableReusePort: wrapperspb.Bool(false)}
}

func encodeListener(l *listener.Listener) (*Resource, error) {
	return NewResource(Listener, l.GetName(), l)
}

// upstreamListener makes the listener at which a program reaches a service.
func upstreamListener(m *mesh.Mesh, u mesh.Upstream) (*Resource, error) {
	s := m.Service(u.Target)
	name := fmt.Sprintf("upstream/%s:%d", u.Target, u.Port)
	var filter *listener.Filter
	var err error
	if s.Protocol.L7() {
		filter, err = routedFilter(u.Target.String(), u.Target.String(), core.TrafficDirection_OUTBOUND, m.Observe)
	} else {
		filter, err = passingFilter(u.Target.String(), m, u.Target)
	}
	if err != nil {
		return nil, err
	}
	return encodeListener(newListener(name, u.Address, u.Port, core.TrafficDirection_OUTBOUND, &listener.FilterChain{Filters: []*listener.Filter{filter}}))
}

func routedFilter(stats, routes string, d core.TrafficDirection, o mesh.Observe) (*listener.Filter, error) {
	manager, err := httpManager(stats, d, o)
	if err != nil {
		return nil, err
	}
	dynamic(manager, routes)
	return networkFilter(hcmFilter, manager)
}

func passingFilter(stats string, m *mesh.Mesh, t mesh.Target) (*listener.Filter, error) {
	proxy, err := tcpProxy(stats, m.Legs(t), m.Observe)
	if err != nil {
		return nil, err
	}
	return networkFilter(tcpFilter, proxy)
}

// inboundRoutes names the routes of a sidecar's own requests; no target is called so.
const inboundRoutes = "!inbound"

// inbound makes listener and cluster of the requests that come to a sidecar.
func inbound(s mesh.Sidecar, m *mesh.Mesh) ([]*Resource, error) {
	local, err := localCluster(LocalCluster, *s.Inbound)
	if err != nil {
		return nil, err
	}
	filters, routes, err := inboundFilters(s, m)
	if err != nil {
		return nil, err
	}
	chain := &listener.FilterChain{Filters: filters}
	if s.Connect {
		if chain.TransportSocket, err = (identity{s.Service, m.Says().Trust}).server(); err != nil {
			return nil, err
		}
	}
	l, err := encodeListener(newListener("inbound", cmp.Or(s.Inbound.Address, "0.0.0.0"), s.Inbound.Port, core.TrafficDirection_INBOUND, chain))
	return append(routes, local, l), err
}

// inboundFilters makes what takes a sidecar's own requests, and the routes that it
// waits for.
func inboundFilters(s mesh.Sidecar, m *mesh.Mesh) (filters []*listener.Filter, routes []*Resource, err error) {
	to := mesh.Target{Service: LocalCluster}
	if s.Inbound.Protocol.L7() {
		return inboundRequests(s, m, to)
	}
	if s.Connect {
		guard, err := guardTCP(m.Says().Trust, m.Says().Intentions[s.Service])
		if err != nil {
			return nil, nil, err
		}
		filters = append(filters, guard)
	}
	proxy, err := tcpProxy("inbound", []mesh.Leg{{Target: to, Weight: mesh.Whole}}, m.Observe)
	if err != nil {
		return nil, nil, err
	}
	filter, err := networkFilter(tcpFilter, proxy)
	return append(filters, filter), nil, err
}

func inboundRequests(s mesh.Sidecar, m *mesh.Mesh, to mesh.Target) (filters []*listener.Filter, routes []*Resource, err error) {
	manager, err := httpManager("inbound", core.TrafficDirection_INBOUND, m.Observe)
	if err != nil {
		return nil, nil, err
	}
	host := &route.VirtualHost{Name: "inbound", Domains: []string{"*"}, Routes: []*route.Route{{
		Match: newMatch(mesh.Match{}), Action: &route.Route_Route{Route: &route.RouteAction{Timeout: durationpb.New(s.Inbound.Timeout),
			ClusterSpecifier: &route.RouteAction_Cluster{Cluster: to.String()}}}}}}
	config := &route.RouteConfiguration{Name: "inbound", VirtualHosts: []*route.VirtualHost{host}}
	if s.Connect {
		tellCaller(manager)
		dynamic(manager, inboundRoutes)
		config.Name = inboundRoutes
		if err := cmp.Or(guardHTTP(manager), guarded(host, m.Says().Trust, m.Says().Intentions[s.Service])); err != nil {
			return nil, nil, err
		}
		r, err := NewResource(Routes, inboundRoutes, config)
		if err != nil {
			return nil, nil, err
		}
		routes = append(routes, r)
	} else {
		manager.RouteSpecifier = &hcm.HttpConnectionManager_RouteConfig{RouteConfig: config}
	}
	filter, err := networkFilter(hcmFilter, manager)
	return []*listener.Filter{filter}, routes, err
}
