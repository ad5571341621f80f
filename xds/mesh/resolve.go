package mesh

import (
	"maps"
	"slices"
)

// Service gives what is declared of a service. What is declared without a datacenter
// holds for its instances in the others too, but for routes, split and failover. What
// nothing is declared of is TCP with all of its instances.
func (m *Mesh) Service(t Target) Service {
	n := m.find(t, t.Datacenter)
	if n >= 0 {
		return m.Services[n]
	}
	if n = m.find(t, ""); n >= 0 {
		s := m.Services[n]
		s.Datacenter, s.Routes, s.Default, s.Failover, s.Sticky = t.Datacenter, nil, nil, nil, nil
		s.Subsets = slices.Clone(s.Subsets)
		for n := range s.Subsets {
			s.Subsets[n].Failover = nil
		}
		return s
	}
	return Service{Name: t.Service, Datacenter: t.Datacenter, Namespace: t.Namespace, Protocol: TCP}
}

// find gives where a service is declared in a datacenter; -1 when it is not. It is
// called for every upstream, so that it copies no service.
func (m *Mesh) find(t Target, datacenter string) int {
	for n := range m.Services {
		if s := &m.Services[n]; s.Name == t.Service && s.Datacenter == datacenter && s.Namespace == t.Namespace {
			return n
		}
	}
	return -1
}

// Declares tells whether something is declared that holds for a target's service.
func (m *Mesh) Declares(t Target) bool {
	return m.find(t, t.Datacenter) >= 0 || m.find(t, "") >= 0
}

// Port is where the sidecars of a target's service take connections by mutual TLS; 0
// when none is declared here.
func (m *Mesh) Port(t Target) int {
	n := slices.IndexFunc(m.Sidecars, func(s Sidecar) bool {
		return s.Service == t.Service && s.Variant == "" && s.Connect && s.Inbound != nil
	})
	if n < 0 || t.Datacenter != "" || t.Namespace != "" {
		return 0
	}
	return m.Sidecars[n].Inbound.Port
}

// Targets lists the clusters that requests to a target can go to, in order.
func (m *Mesh) Targets(t Target) []Target {
	var out []Target
	add := func(legs []Leg) {
		for _, leg := range legs {
			out = append(out, leg.Target)
		}
	}
	add(m.Legs(t))
	if t.Subset == "" {
		for _, r := range m.Service(t).Routes {
			add(m.Resolve(r.To))
			if r.Mirror != nil {
				add([]Leg{{Target: r.Mirror.Target}})
			}
		}
	}
	slices.SortFunc(out, Target.Compare)
	return slices.Compact(out)
}

// Behind lists whose instances serve a target: its own, then those that it fails
// over to.
func (m *Mesh) Behind(t Target) []Target {
	s := m.Service(t)
	spares := s.Failover
	for _, x := range s.Subsets {
		if x.Name == t.Subset && x.Failover != nil {
			spares = x.Failover
		}
	}
	out := []Target{t}
	for _, spare := range spares {
		if spare != t.Plain() { // a subset that is the spare of the others
			spare.Connect = t.Connect
			out = append(out, spare)
		}
	}
	return out
}

// Legs are the targets of a service's requests that no route matches. A subset that
// is named outright is itself.
func (m *Mesh) Legs(t Target) []Leg { return m.Resolve([]Leg{{Target: t, Weight: Whole}}) }

// Resolve multiplies a split out: a share that goes to a service, and to no subset of
// it, goes where that service's requests go that no route matches. A split that leads
// back to a service which it came from ends at the default subset there; [Mesh.Validate]
// refuses such a circle. What rounding leaves goes to the first share.
func (m *Mesh) Resolve(legs []Leg) []Leg { return m.resolve(legs, nil) }

// resolve knows the services by whose splits it came, so it ends.
func (m *Mesh) resolve(legs []Leg, by []Target) (out []Leg) {
	for _, leg := range legs {
		if leg.Exact || leg.Target.Subset != "" {
			out = join(out, leg)
			continue
		}
		s := m.Service(leg.Target)
		if len(s.Default) == 0 || slices.Contains(by, s.Own("")) {
			leg.Target = s.Own(s.DefaultSubset)
			out = join(out, leg)
			continue
		}
		for _, inner := range portions(leg, m.resolve(s.Default, append(slices.Clone(by), s.Own("")))) {
			out = join(out, inner)
		}
	}
	return out
}

// portions divides one share by a split.
func portions(whole Leg, split []Leg) []Leg {
	out, given := make([]Leg, len(split)), uint32(0)
	for n, leg := range split {
		out[n] = Leg{Target: leg.Target, Weight: uint32(uint64(whole.Weight) * uint64(leg.Weight) / Whole),
			Request: whole.Request.with(leg.Request), Response: whole.Response.with(leg.Response)}
		given += out[n].Weight
	}
	if len(out) > 0 && whole.Weight > given {
		out[0].Weight += whole.Weight - given
	}
	return out
}

// join appends a share, or adds it to one of the same target.
func join(legs []Leg, leg Leg) []Leg {
	plain := func(l Leg) bool { return l.Request.Empty() && l.Response.Empty() }
	n := slices.IndexFunc(legs, func(l Leg) bool { return l.Target == leg.Target && plain(l) })
	if n < 0 || !plain(leg) {
		return append(legs, leg)
	}
	legs[n].Weight += leg.Weight
	return legs
}

// with gives both changes; where they differ the inner one counts.
func (h Headers) with(inner Headers) Headers {
	both := func(a, b map[string]string) map[string]string {
		if len(a) == 0 {
			return b
		}
		out := maps.Clone(a)
		maps.Copy(out, b)
		return out
	}
	return Headers{Set: both(h.Set, inner.Set), Add: both(h.Add, inner.Add), Remove: slices.Concat(h.Remove, inner.Remove)}
}
