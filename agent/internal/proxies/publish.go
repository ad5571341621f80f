package proxies

import (
	"slices"

	"patchbay/tasks/catalog"
	"patchbay/xds"
	"patchbay/xds/mesh"
	"patchbay/xds/server"
)

// publish builds the endpoints of targets and gives them out, together with every
// role that waited for them.
func (f *Feed) publish(targets []mesh.Target) {
	shared := server.Change{Scope: server.Shared}
	for _, t := range targets {
		if r := f.build(t); r != nil {
			shared.Upserts = append(shared.Upserts, r)
		}
	}
	changes := []server.Change{shared}
	for name, r := range f.pending {
		if !f.identified(r) || slices.ContainsFunc(r.Targets, func(t mesh.Target) bool { return f.targets[t].Version == "" }) {
			continue
		}
		delete(f.pending, name)
		changes = append(changes, f.give(r))
	}
	f.opts.Store.Publish(changes...)
}

// give makes the change that brings a role to what is wanted.
func (f *Feed) give(r xds.Role) server.Change {
	out := server.Change{Scope: r.Name, Upserts: slices.Concat(r.Resources, f.secrets(r))}
	now := map[server.Key]bool{}
	for _, x := range r.Resources {
		now[server.Key{Type: x.Type, Name: x.Name}] = true
	}
	for k := range f.served[r.Name] {
		if !now[k] {
			out.Removed = append(out.Removed, k)
		}
	}
	f.served[r.Name] = now
	return out
}

// build makes the endpoints of a target; nil while Consul has not answered for it.
func (f *Feed) build(t mesh.Target) *xds.Resource {
	var groups []xds.Group
	state := f.targets[t]
	for n, behind := range f.mesh.Behind(t) {
		v := f.views[f.query(behind)]
		if v == nil && n == 0 {
			return nil
		}
		if v != nil {
			groups = append(groups, f.group(behind, v))
		}
	}
	r, omitted, err := xds.NewEndpoints(t, groups...)
	if err != nil {
		f.opts.Log.Error("endpoints were not made", "target", t.String(), "err", err)
		return nil
	}
	if !slices.Equal(omitted, state.Omitted) {
		for _, o := range omitted {
			f.opts.Log.Warn("instance cannot be given to Envoy", "target", t.String(), "instance", o.Instance, "why", o.Why)
		}
	}
	state.Omitted, state.Version = omitted, r.Version
	state.Healthy, state.Total = count(groups)
	return r
}

// group gives the instances of one priority.
func (f *Feed) group(t mesh.Target, v *catalog.View) xds.Group {
	g := xds.Group{Instances: f.beside(t, v.Instances)}
	for _, sub := range f.mesh.Service(t).Subsets {
		if sub.Name != t.Subset {
			continue
		}
		g.OnlyPassing = sub.OnlyPassing
		if match := f.matchers[sub.Filter]; match != nil {
			g.Instances = slices.DeleteFunc(slices.Clone(g.Instances), func(i catalog.Instance) bool { return !match(i) })
		}
	}
	return g
}

func count(groups []xds.Group) (healthy, total int) {
	for _, g := range groups {
		total += len(g.Instances)
		for _, i := range g.Instances {
			if s := i.Status(); s == catalog.Passing || s == catalog.Warning && !g.OnlyPassing {
				healthy++
			}
		}
	}
	return healthy, total
}
