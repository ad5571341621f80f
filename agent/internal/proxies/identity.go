package proxies

import (
	"cmp"
	"maps"
	"reflect"
	"slices"

	"patchbay/tasks/catalog"
	"patchbay/xds"
	"patchbay/xds/mesh"
	"patchbay/xds/server"
)

// Connect tells what Consul Connect says: whom to trust, the certificates of services
// and who may call them.
type Connect interface {
	// Want makes services all that is followed.
	Want(services []string)
	// Changed is ready when Take has something to give; Take gives what became known
	// since the last time.
	Changed() <-chan struct{}
	Take() xds.News
}

// identities are what is known of Consul Connect. Certificates are given out as they
// are; they are neither read nor told of here.
type identities struct {
	known xds.News
	// of tells which service's identity a role has.
	of map[string]string
}

// news is ready when Consul Connect has news; nil without it.
func (f *Feed) news() <-chan struct{} {
	if f.opts.Connect == nil {
		return nil
	}
	return f.opts.Connect.Changed()
}

// identify notes the identities of roles and follows them.
func (f *Feed) identify(roles []xds.Role) {
	f.identities.of = map[string]string{}
	for _, r := range roles {
		if r.Identity != "" {
			f.identities.of[r.Name] = r.Identity
		}
	}
	if f.opts.Connect == nil {
		return
	}
	services := slices.Compact(slices.Sorted(maps.Values(f.identities.of)))
	f.opts.Connect.Want(services)
	unwanted := func(name string) bool {
		_, found := slices.BinarySearch(services, name)
		return !found
	}
	maps.DeleteFunc(f.identities.known.Leaves, func(name string, _ *xds.Resource) bool { return unwanted(name) })
	said := f.mesh.Says()
	said.Intentions = maps.Clone(said.Intentions)
	maps.DeleteFunc(said.Intentions, func(name string, _ mesh.Intentions) bool { return unwanted(name) })
	f.mesh.Connect = &said
}

// identified tells whether a role can be served: without its certificate, the roots
// and the word on who may call, it would serve nobody or everybody.
func (f *Feed) identified(r xds.Role) bool {
	if r.Identity == "" {
		return true
	}
	k, said := f.identities.known, f.mesh.Says()
	_, told := said.Intentions[r.Identity]
	return k.Roots != nil && k.Leaves[r.Identity] != nil && told && said.Trust != (mesh.Trust{})
}

// secrets are those of a role.
func (f *Feed) secrets(r xds.Role) []*xds.Resource {
	if r.Identity == "" {
		return nil
	}
	return []*xds.Resource{f.identities.known.Roots, f.identities.known.Leaves[r.Identity]}
}

// hear takes news of Consul Connect over. A certificate goes to those who show it and
// changes nothing else; the roots go out first, so that a new certificate is trusted
// when it is shown.
func (f *Feed) hear() {
	n := f.opts.Connect.Take()
	f.identities.known = f.identities.known.And(n)
	f.trust(n)
	if n.Roots != nil {
		f.hand(func(string) *xds.Resource { return n.Roots })
	}
	if len(n.Leaves) > 0 {
		f.hand(func(service string) *xds.Resource { return n.Leaves[service] })
	}
	before := f.mesh.Says()
	now := mesh.Connect{Trust: cmp.Or(n.Trust, before.Trust), Intentions: joined(before.Intentions, n.Intentions)}
	f.mesh.Connect = &now
	for role, service := range f.identities.of {
		word, told := n.Intentions[service]
		old, known := before.Intentions[service]
		if now.Trust != before.Trust || told && (!known || !reflect.DeepEqual(old, word)) {
			f.remake(role)
		}
	}
	f.publish(nil)
}

func joined(a, b map[string]mesh.Intentions) map[string]mesh.Intentions {
	out := make(map[string]mesh.Intentions, len(a)+len(b))
	maps.Copy(out, a)
	maps.Copy(out, b)
	return out
}

// hand gives a secret to every role that is served and has one.
func (f *Feed) hand(secret func(service string) *xds.Resource) {
	var changes []server.Change
	for role, service := range f.identities.of {
		if r := secret(service); r != nil && f.served[role] != nil {
			changes = append(changes, server.Change{Scope: role, Upserts: []*xds.Resource{r}})
		}
	}
	f.opts.Store.Publish(changes...)
}

// remake makes one role anew; it is published with what is due.
func (f *Feed) remake(name string) {
	if f.unruled[name] {
		return // it is made when Consul's rules are known
	}
	r, err := xds.NewRole(f.mesh, name)
	if err != nil {
		f.opts.Log.Error("role was not made, its Envoys keep what they have", "role", name, "err", err)
		return
	}
	f.pending[name] = r
}

// query asks for the health of a target's instances. Those that are reached by mutual
// TLS are the service's own where a sidecar with a port is declared for it, and else
// the proxies that are registered in Consul.
func (f *Feed) query(t mesh.Target) catalog.Query {
	q := catalog.Query{Kind: catalog.ServiceHealth, Name: t.Service, Datacenter: t.Datacenter, Namespace: t.Namespace}
	if t.Connect && f.mesh.Port(t) == 0 {
		q.Kind = catalog.ServiceConnect
	}
	return q
}

// beside gives the sidecars of instances: on the same hosts, at the port that is
// declared.
func (f *Feed) beside(t mesh.Target, list []catalog.Instance) []catalog.Instance {
	port := f.mesh.Port(t)
	if !t.Connect || port == 0 {
		return list
	}
	out := slices.Clone(list)
	for n := range out {
		out[n].Port = port
	}
	return out
}
