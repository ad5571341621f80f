package xds

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"patchbay/tasks/catalog"
	"patchbay/xds/mesh"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const (
	// maxWeight is the greatest weight that Consul gives to an endpoint.
	maxWeight = 128
	// noSpill keeps requests on a priority until none of its endpoints is healthy.
	noSpill = 100_000
)

// Group is the instances of one priority: those of the target, then those that it
// fails over to, in order.
type Group struct {
	// Instances are all of the view that the group's filter selects.
	Instances   []catalog.Instance
	OnlyPassing bool
}

// Omission is an instance that clients cannot be given.
type Omission struct {
	Instance string
	Why      string
}

// NewEndpoints makes the endpoints of a target. A critical instance is unhealthy
// rather than left out: requests that are under way to it go on. Instances whose
// address is a name, without a port or listed twice are left out and told; Envoy
// would refuse all for one of them.
func NewEndpoints(t mesh.Target, groups ...Group) (*Resource, []Omission, error) {
	out := &endpoint.ClusterLoadAssignment{ClusterName: t.String(), Policy: &endpoint.ClusterLoadAssignment_Policy{
		OverprovisioningFactor: wrapperspb.UInt32(noSpill)}}
	var omitted []Omission
	seen := map[netip.AddrPort]string{}
	priority := uint32(0)
	for _, g := range groups {
		list, left := g.localities(priority, seen)
		omitted = append(omitted, left...)
		if len(list) > 0 {
			out.Endpoints = append(out.Endpoints, list...)
			priority++
		}
	}
	r, err := NewResource(Endpoints, out.GetClusterName(), out)
	return r, omitted, err
}

// localities groups the instances of one priority by where they are.
func (g Group) localities(priority uint32, seen map[netip.AddrPort]string) (list []*endpoint.LocalityLbEndpoints, omitted []Omission) {
	byPlace := map[[3]string]*endpoint.LocalityLbEndpoints{}
	var order [][3]string
	for _, i := range g.Instances {
		addr, why := address(i)
		if other, twice := seen[addr]; why == "" && twice {
			why = fmt.Sprintf("%s answers at %s too", other, addr)
		}
		if why != "" {
			omitted = append(omitted, Omission{Instance: i.Key(), Why: why})
			continue
		}
		seen[addr] = i.Key()
		place := locality(i.Node)
		at := byPlace[place]
		if at == nil {
			at = &endpoint.LocalityLbEndpoints{Priority: priority, LoadBalancingWeight: wrapperspb.UInt32(0),
				Locality: &core.Locality{Region: place[0], Zone: place[1], SubZone: place[2]}}
			byPlace[place] = at
			order = append(order, place)
		}
		e := lbEndpoint(i, addr, g.OnlyPassing)
		at.LbEndpoints = append(at.LbEndpoints, e)
		if e.GetHealthStatus() == core.HealthStatus_HEALTHY {
			at.LoadBalancingWeight.Value += e.GetLoadBalancingWeight().GetValue()
		}
	}
	slices.SortFunc(order, func(a, b [3]string) int { return slices.Compare(a[:], b[:]) })
	for _, place := range order {
		// gRPC divides calls among places by what is healthy there, and takes 0 for
		// a place that is not there.
		byPlace[place].LoadBalancingWeight.Value = max(1, byPlace[place].LoadBalancingWeight.Value)
		list = append(list, byPlace[place])
	}
	return list, omitted
}

// locality is where a node is: its metadata region, zone and sub_zone; without a
// region, its datacenter. gRPC refuses endpoints without any.
func locality(n catalog.Node) [3]string {
	region := n.Meta["region"]
	if region == "" {
		region = n.Datacenter
	}
	return [3]string{clip(region), clip(n.Meta["zone"]), clip(n.Meta["sub_zone"])}
}

// clip makes text of any origin fit for a message.
func clip(s string) string {
	return strings.ToValidUTF8(s[:min(len(s), 128)], "")
}

// address gives where the instance answers, or why nobody can connect there.
func address(i catalog.Instance) (a netip.AddrPort, why string) {
	ip, err := netip.ParseAddr(i.Host())
	switch {
	case err != nil || ip.Zone() != "":
		return a, fmt.Sprintf("its address %q is not an IP address", clip(i.Host()))
	case ip.IsUnspecified() || ip.IsMulticast():
		return a, fmt.Sprintf("nothing can connect to the address %s", ip)
	case i.Port < 1 || i.Port > 65535:
		return a, fmt.Sprintf("its port is %d", i.Port)
	}
	return netip.AddrPortFrom(ip.Unmap(), uint16(i.Port)), ""
}

// lbEndpoint turns checks into health and weight as Consul does: a critical check
// or a weight below 1 is unhealthy, a warning has the weight of warnings.
func lbEndpoint(i catalog.Instance, at netip.AddrPort, onlyPassing bool) *endpoint.LbEndpoint {
	health, weight := core.HealthStatus_HEALTHY, i.Weights.Passing
	switch state := i.Status(); {
	case state == catalog.Passing:
	case state == catalog.Warning && !onlyPassing:
		weight = i.Weights.Warning
	default:
		health = core.HealthStatus_UNHEALTHY
	}
	if weight < 1 {
		health, weight = core.HealthStatus_UNHEALTHY, 1
	}
	return &endpoint.LbEndpoint{HealthStatus: health, LoadBalancingWeight: wrapperspb.UInt32(uint32(min(weight, maxWeight))),
		HostIdentifier: &endpoint.LbEndpoint_Endpoint{Endpoint: &endpoint.Endpoint{Address: socket(at.Addr().String(), uint32(at.Port()))}}}
}

func socket(address string, port uint32) *core.Address {
	return &core.Address{Address: &core.Address_SocketAddress{SocketAddress: &core.SocketAddress{Address: address,
		PortSpecifier: &core.SocketAddress_PortValue{PortValue: port}}}}
}
