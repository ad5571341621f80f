package chain

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"patchbay/xds/mesh"
)

// Chain is what a compiled chain declares.
type Chain struct {
	// Services are that of the chain, with its routes and split, and then those that
	// they lead to, of which only the instances are described.
	Services []mesh.Service
	// Unserved names what Consul's entries say and Envoys are not told.
	Unserved []string
}

// Compile reads an answer of /v1/discovery-chain. own is the service as it was asked
// for: what Consul names by the chain's own datacenter and namespace is in own's. An
// error tells why the chain cannot be served as it is meant; beside it comes the
// service without any rule.
func Compile(own mesh.Target, text []byte) (Chain, error) {
	in, more, err := decode(text)
	if err != nil {
		return plain(own, mesh.TCP), fmt.Errorf("read discovery chain of %s: %w", own, err)
	}
	if in.ServiceName != own.Service {
		return plain(own, mesh.TCP), fmt.Errorf("read discovery chain of %s: it is that of %q", own, clip(in.ServiceName))
	}
	c := &compiler{in: in, own: own, services: map[mesh.Target]*mesh.Service{}, protocol: protocol(in.Protocol)}
	for _, name := range more {
		c.leave("%s has no counterpart", name)
	}
	if len(in.EnvoyExtensions) > 0 {
		c.leave("EnvoyExtensions have no counterpart")
	}
	if err := c.compile(); err != nil {
		return plain(own, c.protocol), fmt.Errorf("take over the rules of %s from Consul: %w", own, err)
	}
	return c.finish(), nil
}

// Plain is the chain without its rules: requests go to all instances.
func (c Chain) Plain() Chain { return plain(c.Services[0].Own(""), c.Services[0].Protocol) }

func plain(own mesh.Target, p mesh.Protocol) Chain {
	return Chain{Services: []mesh.Service{{Name: own.Service, Datacenter: own.Datacenter, Namespace: own.Namespace, Protocol: p, Position: Position(own)}}}
}

// Position is where errors say that the declarations of a chain are.
func Position(own mesh.Target) string { return fmt.Sprintf("Consul's entries of %s", own) }

// Check tells what Envoy would refuse. What file declares is not the chain's to say.
func (c Chain) Check(file *mesh.Mesh) error {
	m := mesh.Mesh{}
	for _, s := range c.Services {
		if !file.Declares(s.Own("")) {
			m.Services = append(m.Services, s)
		}
	}
	for _, s := range file.Services {
		if slices.ContainsFunc(c.Services, func(d mesh.Service) bool { return d.Name == s.Name && d.Namespace == s.Namespace }) {
			m.Services = append(m.Services, s)
		}
	}
	at := c.Services[0].Position
	for _, mistake := range m.Validate() {
		if mistake.Position == at {
			return mistake
		}
	}
	return nil
}

func protocol(p string) mesh.Protocol {
	if mesh.Protocol(p).L7() {
		return mesh.Protocol(p)
	}
	return mesh.TCP
}

type compiler struct {
	in       *compiled
	own      mesh.Target
	protocol mesh.Protocol
	services map[mesh.Target]*mesh.Service
	unserved []string
}

// leave notes what is not served.
func (c *compiler) leave(format string, args ...any) { note(&c.unserved, format, args) }

// maxNotes bounds what is told of one answer.
const maxNotes = 32

// note adds a text to a list once.
func note(list *[]string, format string, args []any) {
	switch text := clip(fmt.Sprintf(format, args...)); {
	case len(*list) > maxNotes || slices.Contains(*list, text):
	case len(*list) == maxNotes:
		*list = append(*list, "and more")
	default:
		*list = append(*list, text)
	}
}

func (c *compiler) compile() error {
	s := c.service(c.own)
	start := c.in.Nodes[c.in.StartNode]
	if start == nil {
		return fmt.Errorf("its first node %q is missing", clip(c.in.StartNode))
	}
	if start.Type == "router" {
		return c.routes(s, start.Routes)
	}
	legs, timeout, err := c.legs(c.in.StartNode)
	if err != nil {
		return err
	}
	c.rest(s, legs, mesh.Route{Timeout: timeout})
	return nil
}

// rest takes the requests that no route matches. A split that leads to the service
// itself, whole, is none. What else is to be done needs a route.
func (c *compiler) rest(s *mesh.Service, legs []mesh.Leg, r mesh.Route) {
	plain := len(legs) == 1 && legs[0].Request.Empty() && legs[0].Response.Empty()
	if !plain || legs[0].Target != c.own {
		s.Default = legs
	}
	r.To = legs
	if s.Protocol.L7() && !onlyForwards(r) {
		s.Routes = append(s.Routes, r)
	}
}

func onlyForwards(r mesh.Route) bool {
	return r.Timeout == 0 && r.Idle == 0 && r.Retry == nil && r.Rewrite == nil && r.Request.Empty() && r.Response.Empty()
}

// service gives what is declared of a target's service. What holds in one datacenter
// holds in all: it comes of one entry.
func (c *compiler) service(t mesh.Target) *mesh.Service {
	t.Subset = ""
	if t.Datacenter != c.own.Datacenter {
		t.Datacenter = ""
	}
	s := c.services[t]
	if s == nil {
		s = &mesh.Service{Name: t.Service, Datacenter: t.Datacenter, Namespace: t.Namespace, Protocol: c.protocol, Position: Position(c.own)}
		c.services[t] = s
	}
	return s
}

var errPeer = errors.New("instances of a cluster peer cannot be reached")

// target takes one of the chain's targets over, with its subset.
func (c *compiler) target(id string) (mesh.Target, error) {
	in := c.in.Targets[id]
	switch {
	case in == nil || in.Service == "":
		return mesh.Target{}, fmt.Errorf("its target %q is missing", clip(id))
	case in.Peer != "":
		return mesh.Target{}, fmt.Errorf("target %q: %w", clip(id), errPeer)
	case in.Partition != c.in.Partition:
		return mesh.Target{}, fmt.Errorf("target %q is in another admin partition, which cannot be reached", clip(id))
	}
	t := mesh.Target{Service: in.Service, Subset: in.ServiceSubset, Datacenter: in.Datacenter, Namespace: in.Namespace}
	if t.Datacenter == c.in.Datacenter {
		t.Datacenter = c.own.Datacenter
	}
	if t.Namespace == c.in.Namespace {
		t.Namespace = c.own.Namespace
	}
	s := c.service(t)
	s.ConnectTimeout = max(0, time.Duration(in.ConnectTimeout))
	if in.MeshGateway.Mode != "" && in.MeshGateway.Mode != "none" {
		c.leave("mesh gateway mode %s of %s: its instances are reached directly", in.MeshGateway.Mode, t)
	}
	if in.External {
		c.leave("external SNI %s of %s", in.SNI, t)
	}
	if in.TransparentProxy.DialedDirectly || in.TransparentProxy.OutboundListenerPort != 0 {
		c.leave("transparent proxy of %s", t)
	}
	if t.Subset != "" && !s.HasSubset(t.Subset) {
		s.Subsets = append(s.Subsets, mesh.Subset{Name: t.Subset, Filter: in.Subset.Filter, OnlyPassing: in.Subset.OnlyPassing, Failover: []mesh.Target{}})
	}
	return t, nil
}

// legs gives where a node leads to, and how long requests may take there; 0 is not
// said.
func (c *compiler) legs(name string) ([]mesh.Leg, time.Duration, error) {
	n := c.in.Nodes[name]
	switch {
	case n == nil:
		return nil, 0, fmt.Errorf("its node %q is missing", clip(name))
	case n.Type == "resolver" && n.Resolver != nil:
		t, err := c.resolve(n)
		return []mesh.Leg{{Target: t, Exact: true, Weight: mesh.Whole}}, time.Duration(n.Resolver.RequestTimeout), err
	case n.Type == "splitter":
		return c.split(n.Splits)
	}
	return nil, 0, fmt.Errorf("its node %q is neither a resolver nor a splitter", clip(name))
}

func (c *compiler) split(splits []split) (legs []mesh.Leg, timeout time.Duration, err error) {
	given := uint32(0)
	for i, s := range splits {
		n := c.in.Nodes[s.NextNode]
		if n == nil || n.Type != "resolver" || n.Resolver == nil {
			return nil, 0, fmt.Errorf("split %d leads to %q, which is no resolver", i+1, clip(s.NextNode))
		}
		t, err := c.resolve(n)
		if err != nil {
			return nil, 0, err
		}
		timeout = max(timeout, time.Duration(n.Resolver.RequestTimeout))
		if !(s.Weight >= 0 && s.Weight <= 100) {
			return nil, 0, fmt.Errorf("split %d has the weight %v", i+1, s.Weight)
		}
		leg := mesh.Leg{Target: t, Exact: true, Weight: uint32(math.Round(s.Weight * mesh.Whole / 100))}
		if d := s.Definition; d != nil {
			leg.Request, leg.Response = c.headers(d.RequestHeaders), c.headers(d.ResponseHeaders)
		}
		given += leg.Weight
		legs = append(legs, leg)
	}
	if len(legs) == 0 {
		return nil, 0, errors.New("it splits requests between nobody")
	}
	// What rounding leaves is the first's, as in Consul.
	first := int64(legs[0].Weight) + mesh.Whole - int64(given)
	const slack = 100 // a thousand shares are off by half of a hundredth each at most
	if first < 0 || first > int64(legs[0].Weight)+slack || first < int64(legs[0].Weight)-slack {
		return nil, 0, fmt.Errorf("its weights add up to %d hundredths of a percent", given)
	}
	legs[0].Weight = uint32(first)
	return legs, timeout, nil
}

func (c *compiler) finish() Chain {
	out := Chain{Services: []mesh.Service{*c.services[c.own]}, Unserved: c.unserved}
	delete(c.services, c.own)
	for _, s := range c.services {
		out.Services = append(out.Services, *s)
	}
	slices.SortFunc(out.Services[1:], func(a, b mesh.Service) int { return a.Own("").Compare(b.Own("")) })
	for n := range out.Services[0].Routes {
		out.Services[0].Routes[n].Position = Position(c.own)
	}
	for _, s := range out.Services {
		slices.SortFunc(s.Subsets, func(a, b mesh.Subset) int { return mesh.Target{Subset: a.Name}.Compare(mesh.Target{Subset: b.Name}) })
	}
	return out
}
