package proxies

import (
	"reflect"
	"slices"

	"patchbay/xds"
	"patchbay/xds/mesh"
)

// maker makes roles, and anew only those of whose services one changed: a step of a
// canary, or one service's rules in Consul, costs what its callers cost and not what
// the whole mesh does.
type maker struct {
	mesh  mesh.Mesh // that roles are of
	roles []xds.Role
	// touched are by role all services that requests of its clients can come by.
	touched map[string]map[mesh.Target]bool
	// changed are the services that the newest making was about; all tells that it was
	// about more than that.
	changed map[mesh.Target]bool
	all     bool
}

// make gives what [xds.NewRoles] gives. The mesh must not be changed afterwards.
func (k *maker) make(m *mesh.Mesh) ([]xds.Role, error) {
	if k.roles == nil || (len(k.mesh.Services) == 0) != (len(m.Services) == 0) || !sameList(k.mesh.Sidecars, m.Sidecars) || !sameList(k.mesh.Gateways, m.Gateways) ||
		!reflect.DeepEqual(k.mesh.Observe, m.Observe) || k.mesh.Connect != m.Connect && !reflect.DeepEqual(k.mesh.Connect, m.Connect) {
		roles, err := xds.NewRoles(m)
		if err != nil {
			return nil, err
		}
		k.mesh, k.roles, k.touched, k.changed, k.all = *m, roles, touchedBy(m), nil, true
		return roles, nil
	}
	changed := changedServices(k.mesh.Services, m.Services)
	k.changed, k.all = changed, false
	if len(changed) == 0 {
		return k.roles, nil
	}
	roles := make([]xds.Role, 0, len(k.roles))
	for _, r := range k.roles {
		if touched := k.touched[r.Name]; touched != nil && !anyOf(touched, changed) {
			roles = append(roles, r)
			continue
		}
		again, err := xds.NewRole(m, r.Name)
		if err != nil {
			return nil, err
		}
		roles = append(roles, again)
	}
	k.mesh, k.roles, k.touched = *m, roles, touchedBy(m)
	return roles, nil
}

// stale lists the targets whose endpoints the newest declaration may have changed, in
// order.
func (f *Feed) stale() []mesh.Target {
	var out []mesh.Target
	for t, state := range f.targets {
		changed := f.made.all || state.Version == ""
		for _, behind := range f.mesh.Behind(t) {
			own := whole(behind)
			changed = changed || f.made.changed[own]
			own.Datacenter = "" // what is declared without one holds there too
			changed = changed || f.made.changed[own]
		}
		if changed {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, mesh.Target.Compare)
	return out
}

// sameList is quick for lists that were never copied.
func sameList[T any](a, b []T) bool {
	if len(a) != len(b) {
		return false
	}
	return len(a) == 0 || &a[0] == &b[0] || reflect.DeepEqual(a, b)
}

func anyOf(set, of map[mesh.Target]bool) bool {
	for t := range of {
		if set[t] {
			return true
		}
	}
	return false
}

// whole is the target of all instances of a target's service.
func whole(t mesh.Target) mesh.Target {
	return mesh.Target{Service: t.Service, Datacenter: t.Datacenter, Namespace: t.Namespace}
}

// index finds services as [mesh.Mesh.Service] does, whose search takes too long for
// every upstream of a large mesh.
type index map[mesh.Target]*mesh.Service

func newIndex(services []mesh.Service) index {
	out := make(index, len(services))
	for n := range services {
		if own := services[n].Own(""); out[own] == nil {
			out[own] = &services[n]
		}
	}
	return out
}

// changedServices are those that differ, were added or are gone.
func changedServices(before, after []mesh.Service) map[mesh.Target]bool {
	out := map[mesh.Target]bool{}
	a, b := newIndex(before), newIndex(after)
	for t, s := range a {
		if other := b[t]; other == nil || other != s && !reflect.DeepEqual(*s, *other) {
			out[t] = true
		}
	}
	for t := range b {
		if a[t] == nil {
			out[t] = true
		}
	}
	return out
}

// touchedBy tells of each role but that of gRPC clients, who may call anything, which
// services it is made of.
func touchedBy(m *mesh.Mesh) map[string]map[mesh.Target]bool {
	x, out := newIndex(m.Services), map[string]map[mesh.Target]bool{}
	for _, s := range m.Sidecars {
		set := map[mesh.Target]bool{}
		x.touch(set, mesh.Target{Service: s.Service})
		for _, u := range s.Upstreams {
			x.touch(set, u.Target)
		}
		out[xds.VariantRole(s.Service, s.Variant)] = set
	}
	for _, g := range m.Gateways {
		set := map[mesh.Target]bool{}
		for _, d := range g.Listeners {
			for _, h := range d.Hosts {
				x.touch(set, h.Target)
			}
		}
		out[xds.GatewayRole(g.Name)] = set
	}
	return out
}

// touch adds a target's service and all that it leads to.
func (x index) touch(set map[mesh.Target]bool, t mesh.Target) {
	own := whole(t)
	if set[own] {
		return
	}
	set[own] = true
	s := x[own]
	if s == nil {
		own.Datacenter = "" // what is declared without one holds there too
		set[own] = true
		s = x[own]
	}
	if s == nil {
		return
	}
	for _, next := range leadsTo(*s) {
		x.touch(set, next)
	}
}

// leadsTo lists the targets that a service names.
func leadsTo(s mesh.Service) (out []mesh.Target) {
	for _, leg := range s.Default {
		out = append(out, leg.Target)
	}
	for _, r := range s.Routes {
		for _, leg := range r.To {
			out = append(out, leg.Target)
		}
		if r.Mirror != nil {
			out = append(out, r.Mirror.Target)
		}
	}
	out = append(out, s.Failover...)
	for _, sub := range s.Subsets {
		out = append(out, sub.Failover...)
	}
	return out
}

// lacking gives by role the services that nothing is declared of, as [undeclared]
// finds them. It looks at each target once, however many roles name it.
func lacking(m *mesh.Mesh) map[string][]mesh.Target {
	found, out := map[mesh.Target][]mesh.Target{}, map[string][]mesh.Target{}
	for role, targets := range entrances(m) {
		var all []mesh.Target
		for _, t := range targets {
			list, seen := found[t]
			if !seen {
				list = undeclared(m, t)
				found[t] = list
			}
			all = append(all, list...)
		}
		slices.SortFunc(all, mesh.Target.Compare)
		out[role] = slices.Compact(all)
	}
	return out
}
