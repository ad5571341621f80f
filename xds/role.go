package xds

import (
	"fmt"
	"slices"
	"strings"

	"patchbay/xds/mesh"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	tlsinspector "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/tls_inspector/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// LocalCluster names the cluster of the program beside a sidecar.
const LocalCluster = "local_app"

// Roles name what a client is: they are the same for all instances of a service.
const (
	sidecarRole = "sidecar/"
	gatewayRole = "gateway/"
)

// SidecarRole names the role of the sidecars of a service.
func SidecarRole(service string) string { return sidecarRole + service }

// VariantRole names the role of those sidecars of a service that are registered alike;
// a variant "" is that of [SidecarRole].
func VariantRole(service, variant string) string {
	if variant == "" {
		return SidecarRole(service)
	}
	return SidecarRole(service) + "#" + variant
}

// SplitRole reverses [VariantRole]; service is "" for a role of another kind.
func SplitRole(role string) (service, variant string) {
	service, ok := strings.CutPrefix(role, sidecarRole)
	if !ok {
		return "", ""
	}
	if n := strings.LastIndexByte(service, '#'); n >= 0 {
		return service[:n], service[n+1:]
	}
	return service, ""
}

// GatewayRole names the role of a gateway.
func GatewayRole(name string) string { return gatewayRole + name }

// Role is what all clients of one role get.
type Role struct {
	Name      string
	Resources []*Resource
	// Targets are those whose endpoints the role's clusters wait for, in order.
	Targets []mesh.Target
	// Owner is the service, or gateway, that a client must be of; "" for anybody's.
	Owner string
	// Identity is the service whose certificate the role shows to others; "" for none.
	// Such a role is of use only with the secrets of [LeafName] and [RootsName].
	Identity string
}

// NewRoles makes the roles of everything that is declared, by name.
func NewRoles(m *mesh.Mesh) ([]Role, error) {
	var out []Role
	for _, s := range m.Sidecars {
		r, err := sidecar(m, s)
		if err != nil {
			return nil, fmt.Errorf("make resources of sidecar %s: %w", s.Service, err)
		}
		out = append(out, r)
	}
	for _, g := range m.Gateways {
		r, err := gateway(m, g)
		if err != nil {
			return nil, fmt.Errorf("make resources of gateway %s: %w", g.Name, err)
		}
		out = append(out, r)
	}
	g, err := grpcClients(m)
	if err != nil {
		return nil, fmt.Errorf("make resources of gRPC clients: %w", err)
	}
	if len(g.Targets) > 0 {
		out = append(out, g)
	}
	slices.SortFunc(out, func(a, b Role) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// NewRole makes one role that is declared.
func NewRole(m *mesh.Mesh, name string) (Role, error) {
	if name == GRPCRole {
		return grpcClients(m)
	}
	for _, s := range m.Sidecars {
		if VariantRole(s.Service, s.Variant) == name {
			return sidecar(m, s)
		}
	}
	for _, g := range m.Gateways {
		if GatewayRole(g.Name) == name {
			return gateway(m, g)
		}
	}
	return Role{}, fmt.Errorf("make resources of %s: it is not declared", name)
}

func sidecar(m *mesh.Mesh, s mesh.Sidecar) (Role, error) {
	if s.Observe != nil {
		own := *m
		own.Observe, m = *s.Observe, &own
	}
	b := builder{mesh: m, role: Role{Name: VariantRole(s.Service, s.Variant), Owner: s.Service}}
	if s.Connect {
		b.role.Identity = s.Service
	}
	if s.Inbound != nil {
		b.add(inbound(s, m))
	}
	for _, u := range s.Upstreams {
		m := seen(m, u)
		b.mesh = m
		b.reach(u.Target)
		b.one(upstreamListener(m, u))
		if m.Service(u.Target).Protocol.L7() {
			b.one(routes(u.Target.String(), m, mesh.Host{Target: u.Target}))
		}
	}
	return b.finish()
}

func gateway(m *mesh.Mesh, g mesh.Gateway) (Role, error) {
	b := builder{mesh: m, role: Role{Name: GatewayRole(g.Name), Owner: g.Name}}
	if g.Connect {
		b.role.Identity = g.Name
	}
	for _, d := range g.Listeners {
		for _, h := range d.Hosts {
			b.reach(h.Target)
		}
		name := fmt.Sprintf("%s:%d", g.Name, d.Port)
		if d.Protocol.L7() {
			b.one(doorListener(name, d, m.Observe))
			b.one(routes(name, m, d.Hosts...))
			continue
		}
		b.one(passingDoor(name, d, m))
	}
	return b.finish()
}

// builder gathers the resources of one role; its first error stays.
type builder struct {
	mesh *mesh.Mesh
	role Role
	err  error
}

func (b *builder) one(r *Resource, err error) { b.add([]*Resource{r}, err) }

func (b *builder) add(list []*Resource, err error) {
	if b.err == nil {
		b.err = err
		b.role.Resources = append(b.role.Resources, list...)
	}
}

// reach adds the clusters that requests to t can go to.
func (b *builder) reach(t mesh.Target) {
	for _, target := range b.mesh.Targets(t) {
		target.Connect = b.role.Identity != ""
		if slices.Contains(b.role.Targets, target) {
			continue
		}
		b.role.Targets = append(b.role.Targets, target)
		secure, err := b.secure(target)
		if b.err == nil {
			b.err = err
		}
		b.one(newCluster(target, b.mesh.Service(target), secure))
	}
}

// secure makes the socket to a target; nil where connections are plain.
func (b *builder) secure(t mesh.Target) (*core.TransportSocket, error) {
	if !t.Connect {
		return nil, nil
	}
	return identity{b.role.Identity, b.mesh.Says().Trust}.client(b.mesh.Behind(t))
}

func (b *builder) finish() (Role, error) {
	if b.mesh.Observe.Tracing != "" {
		b.one(tracingCluster(b.mesh.Observe))
	}
	slices.SortFunc(b.role.Targets, mesh.Target.Compare)
	return b.role, b.err
}

// routes makes the routes of hosts.
func routes(name string, m *mesh.Mesh, hosts ...mesh.Host) (*Resource, error) {
	// Clients send the port with a name where it is not the scheme's own.
	out := &route.RouteConfiguration{Name: name, ValidateClusters: wrapperspb.Bool(false), IgnorePortInHostMatching: true}
	for _, h := range hosts {
		names := h.Names
		if len(names) == 0 {
			names = []string{"*"}
		}
		host, err := virtualHost(h.Target.String(), names, m, h.Target)
		if err != nil {
			return nil, err
		}
		out.VirtualHosts = append(out.VirtualHosts, host)
	}
	return NewResource(Routes, name, out)
}

func doorListener(name string, d mesh.Door, o mesh.Observe) (*Resource, error) {
	filter, err := routedFilter(name, name, core.TrafficDirection_INBOUND, o)
	if err != nil {
		return nil, err
	}
	return encodeListener(newListener(name, d.Address, d.Port, core.TrafficDirection_INBOUND, &listener.FilterChain{Filters: []*listener.Filter{filter}}))
}

// passingDoor makes a listener that tells TCP connections apart by the name in
// their TLS greeting.
func passingDoor(name string, d mesh.Door, m *mesh.Mesh) (*Resource, error) {
	var chains []*listener.FilterChain
	inspect := false
	for _, h := range d.Hosts {
		filter, err := passingFilter(h.Target.String(), m, h.Target)
		if err != nil {
			return nil, err
		}
		chain := &listener.FilterChain{Name: h.Target.String(), Filters: []*listener.Filter{filter}}
		if len(h.Names) > 0 {
			inspect = true
			chain.FilterChainMatch = &listener.FilterChainMatch{ServerNames: h.Names}
		}
		chains = append(chains, chain)
	}
	out := newListener(name, d.Address, d.Port, core.TrafficDirection_INBOUND, chains...)
	if inspect {
		packed, err := pack(&tlsinspector.TlsInspector{})
		if err != nil {
			return nil, err
		}
		out.ListenerFilters = []*listener.ListenerFilter{{Name: "envoy.filters.listener.tls_inspector",
			ConfigType: &listener.ListenerFilter_TypedConfig{TypedConfig: packed}}}
	}
	return encodeListener(out)
}
