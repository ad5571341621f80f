package proxies

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"patchbay/tasks/catalog"
	"patchbay/xds"
	"patchbay/xds/chain"
	"patchbay/xds/mesh"
)

// rules are what Consul's configuration entries say of the services that are used
// and not declared: the file owns what it declares.
type rules map[catalog.Query]*rule

// rule is what Consul says of one service.
type rule struct {
	own mesh.Target
	// chain is the last that could be served; without services before the first.
	chain chain.Chain
	// newest is Consul's newest answer, whether it can be served or not.
	newest *catalog.View
	// refused says why the newest is not served; "" when it is.
	refused string
}

// known tells whether Consul answered.
func (r *rule) known() bool { return len(r.chain.Services) > 0 }

// chainOf asks for what Consul compiled of a target's service.
func chainOf(t mesh.Target) catalog.Query {
	return catalog.Query{Kind: catalog.DiscoveryChain, Name: t.Service, Datacenter: t.Datacenter, Namespace: t.Namespace}
}

// undeclared lists the services that requests to the targets lead to and that m says
// nothing of.
func undeclared(m *mesh.Mesh, targets ...mesh.Target) []mesh.Target {
	var out []mesh.Target
	for _, entry := range targets {
		for _, t := range append(m.Targets(entry), entry) {
			if t.Subset = ""; !m.Declares(t) {
				out = append(out, t)
			}
		}
	}
	slices.SortFunc(out, mesh.Target.Compare)
	return slices.Compact(out)
}

// entrances lists by role the targets that its clients name.
func entrances(m *mesh.Mesh) map[string][]mesh.Target {
	out := map[string][]mesh.Target{}
	for _, s := range m.Sidecars {
		for _, u := range s.Upstreams {
			role := xds.VariantRole(s.Service, s.Variant)
			out[role] = append(out[role], u.Target)
			if s.Variant == "" {
				out[xds.GRPCRole] = append(out[xds.GRPCRole], u.Target)
			}
		}
	}
	for _, g := range m.Gateways {
		for _, d := range g.Listeners {
			for _, h := range d.Hosts {
				out[xds.GatewayRole(g.Name)] = append(out[xds.GatewayRole(g.Name)], h.Target)
			}
		}
	}
	for _, s := range m.Services {
		out[xds.GRPCRole] = append(out[xds.GRPCRole], s.Own(""))
	}
	return out
}

// want makes rules those that m needs, and gives by role those that are needed.
func (r rules) want(m *mesh.Mesh) map[string][]*rule {
	out, wanted := map[string][]*rule{}, map[catalog.Query]bool{}
	for role, targets := range lacking(m) {
		for _, t := range targets {
			q := chainOf(t)
			wanted[q] = true
			if r[q] == nil {
				r[q] = &rule{own: t}
			}
			out[role] = append(out[role], r[q])
		}
	}
	maps.DeleteFunc(r, func(q catalog.Query, _ *rule) bool { return !wanted[q] })
	return out
}

// learn takes an answer of Consul over where it can be served; what cannot be leaves
// the last good rules, and none before them.
func (f *Feed) learn(one *rule, v *catalog.View) {
	before := one.refused
	one.newest, one.refused = v, ""
	next, err := f.compile(one.own, v.Pairs[v.Query.Name])
	switch {
	case err == nil:
		one.chain, f.views[v.Query] = next, v
		f.keeper.note(v.Query, v)
		return
	case one.known() && f.check(one.chain) == nil:
		one.refused = fmt.Sprintf("the rules are those of before, the newest in Consul cannot be served: %s", err)
	default:
		one.chain = next.Plain()
		one.refused = fmt.Sprintf("no rules, requests go to all instances; those in Consul cannot be served: %s", err)
	}
	if one.refused != before {
		f.opts.Log.Warn("rules of consul were refused", "service", one.own.String(), "err", err)
	}
}

// compile reads an answer and looks whether it can be served. Beside an error comes at
// least the service.
func (f *Feed) compile(own mesh.Target, text string) (chain.Chain, error) {
	if text == "" { // Consul compiles none
		return chain.Chain{Services: []mesh.Service{f.file.Service(own)}}, nil
	}
	out, err := chain.Compile(own, []byte(text))
	if err != nil {
		return out, err
	}
	return out, f.check(out)
}

// check tells why a chain cannot be served beside what the file declares.
func (f *Feed) check(c chain.Chain) error {
	if err := c.Check(f.file); err != nil {
		return err
	}
	_, err := f.match(&mesh.Mesh{Services: c.Services})
	return err
}

// rule takes an answer of Consul; it tells whether it changes what is served.
func (f *Feed) rule(v *catalog.View) bool {
	one := f.rules[v.Query]
	if one == nil || one.newest != nil && one.newest.Digest == v.Digest {
		return false
	}
	f.stir(one)
	f.learn(one, v)
	f.stir(one)
	return true
}

// stir makes the endpoints be built anew that a chain may say something else of.
func (f *Feed) stir(one *rule) {
	for _, s := range one.chain.Services {
		f.stirred[s.Own("")] = true
	}
}

// unsettled adds the targets that are new or stirred.
func (f *Feed) unsettled(dirty []mesh.Target) []mesh.Target {
	for t, state := range f.targets {
		stirred := slices.ContainsFunc(f.mesh.Behind(t), func(b mesh.Target) bool {
			b.Subset = ""
			return f.stirred[b.Plain()]
		})
		if (state.Version == "" || stirred) && !slices.Contains(dirty, t) {
			dirty = append(dirty, t)
		}
	}
	clear(f.stirred)
	return dirty
}

// over lays the rules over what is declared.
func (r rules) over(m *mesh.Mesh) *mesh.Mesh {
	out := *m
	out.Services = slices.Clone(m.Services)
	at := map[mesh.Target]int{} // of the services that are Consul's
	queries := slices.SortedFunc(maps.Keys(r), catalog.Query.Compare)
	for _, q := range queries {
		if one := r[q]; one.known() {
			at[one.own] = len(out.Services)
			out.Services = append(out.Services, one.chain.Services[0])
		}
	}
	for _, q := range queries {
		if !r[q].known() {
			continue
		}
		for _, s := range r[q].chain.Services[1:] {
			n, there := at[s.Own("")]
			switch {
			case there:
				out.Services[n].Subsets = both(out.Services[n].Subsets, s.Subsets)
			case !m.Declares(s.Own("")):
				at[s.Own("")] = len(out.Services)
				out.Services = append(out.Services, s)
			}
		}
	}
	return &out
}

// both gives the subsets of two chains of one service; they were compiled of the same
// entry.
func both(a, b []mesh.Subset) []mesh.Subset {
	out := slices.Clone(a)
	for _, s := range b {
		if !slices.ContainsFunc(a, func(x mesh.Subset) bool { return x.Name == s.Name }) {
			out = append(out, s)
		}
	}
	return out
}

// notes tells by target what is not as Consul's entries say.
func (r rules) notes(m *mesh.Mesh) map[mesh.Target]string {
	out := map[mesh.Target]string{}
	for _, q := range slices.SortedFunc(maps.Keys(r), catalog.Query.Compare) {
		one := r[q]
		text := one.refused
		if !one.known() {
			text = fmt.Sprintf("Consul has not told the entries of %s yet", one.own)
		}
		if text == "" && len(one.chain.Unserved) > 0 {
			text = fmt.Sprintf("not served of Consul's entries of %s: %s", one.own, strings.Join(one.chain.Unserved, "; "))
		}
		if text == "" {
			continue
		}
		for _, t := range m.Targets(one.own) {
			if out[t] != "" && !strings.Contains(out[t], text) {
				text = out[t] + "; " + text
			}
			out[t] = text
		}
	}
	return out
}
