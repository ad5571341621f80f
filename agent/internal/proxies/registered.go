package proxies

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"patchbay/tasks/catalog"
	"patchbay/xds"
	"patchbay/xds/chain"
	"patchbay/xds/mesh"
	"patchbay/xds/server"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// registered are the sidecars of one service as they are registered in Consul. The
// registrations of a service are read once a client asks for one of them. Sidecars
// that are registered alike share a role.
type registered struct {
	service string
	// view is Consul's newest answer; nil before the first.
	view *catalog.View
	// sidecars are by variant; variants tells that of every proxy that can be served,
	// by its key, and wrong why its newest registration cannot be.
	sidecars map[string]mesh.Sidecar
	variants map[string]string
	wrong    map[string]error
	byID     map[string][]string // keys
	seekers  []seeker
}

// seeker is a client that wants to know its role.
type seeker struct {
	service, id, node string
	answer            chan<- found
}

type found struct {
	role string
	err  error
}

// maxRegistered bounds the services whose registrations are read; there is one read for
// each.
const maxRegistered = 10_000

// proxiesOf asks how the sidecars of a service are registered.
func proxiesOf(service string) catalog.Query {
	return catalog.Query{Kind: catalog.ConnectProxies, Name: service}
}

// Registered finds the role of the sidecar that is registered in Consul for a service
// under an id, on a node; the node may be "" where all of that id are registered alike.
// It waits for Consul's first answer until ctx ends.
func (f *Feed) Registered(ctx context.Context, service, id, node string) (role string, err error) {
	answer := make(chan found, 1)
	stopping := status.Error(codes.Unavailable, "the agent is stopping")
	select {
	case f.seek <- seeker{service, id, node, answer}:
	case <-f.ended:
		return "", stopping
	case <-ctx.Done():
		return "", ctx.Err()
	}
	select {
	case got := <-answer:
		return got.role, got.err
	case <-f.ended:
		return "", stopping
	case <-ctx.Done():
		return "", status.Errorf(codes.Unavailable, "consul has not told yet how the sidecars of %s are registered", printable(service))
	}
}

func printable(s string) string { return strings.ToValidUTF8(s, "") }

// find answers a seeker, at once or when Consul has.
func (f *Feed) find(s seeker) {
	q := proxiesOf(s.service)
	r := f.registered[q]
	if r == nil && len(f.registered) >= maxRegistered {
		s.answer <- found{err: status.Error(codes.ResourceExhausted, "sidecars of too many services are asked for")}
		return
	}
	if r == nil {
		r = &registered{service: s.service}
		f.registered[q] = r
		f.relay()
		f.publish(f.unsettled(nil))
	}
	r.seekers = append(r.seekers, s)
	if r.view != nil {
		r.answer()
	}
}

// answer tells all seekers what is known.
func (r *registered) answer() {
	for _, s := range r.seekers {
		role, err := r.role(s.id, s.node)
		s.answer <- found{role, err}
	}
	r.seekers = nil
}

// role finds a proxy's role.
func (r *registered) role(id, node string) (string, error) {
	var variants []string
	var wrong error
	for _, key := range r.byID[id] {
		if _, n := catalog.SplitProxyKey(key); node != "" && n != node {
			continue
		}
		if v, ok := r.variants[key]; ok {
			variants = append(variants, v)
		} else {
			wrong = r.wrong[key]
		}
	}
	slices.Sort(variants)
	variants = slices.Compact(variants)
	switch {
	case len(variants) == 1:
		return xds.VariantRole(r.service, variants[0]), nil
	case wrong != nil:
		return "", status.Errorf(codes.FailedPrecondition, "the registration cannot be served: %s", wrong)
	case len(variants) > 1:
		return "", status.Errorf(codes.FailedPrecondition, "proxies %s of %s are registered differently on several nodes: print the bootstrap with -node-name", printable(id), printable(r.service))
	}
	return "", status.Errorf(codes.NotFound, "no sidecar of %s is declared or registered in Consul with the id %s: add its block, or give the id with -proxy-id", printable(r.service), printable(id))
}

// register takes Consul's answer on the sidecars of a service over; it tells whether
// that changes anything. A proxy whose new registration cannot be served keeps the last
// good one. What is not registered any more stays until nobody has it: see
// [Feed.settled].
func (f *Feed) register(v *catalog.View) bool {
	r := f.registered[v.Query]
	if r == nil || r.view != nil && r.view.Digest == v.Digest {
		return false
	}
	before := *r
	r.view, r.variants, r.wrong, r.byID = v, map[string]string{}, map[string]error{}, map[string][]string{}
	if r.sidecars == nil {
		r.sidecars = map[string]mesh.Sidecar{}
	}
	f.views[v.Query] = v
	f.keeper.note(v.Query, v)
	read := map[string]error{}
	for _, key := range slices.Sorted(maps.Keys(v.Pairs)) {
		id, _ := catalog.SplitProxyKey(key)
		r.byID[id] = append(r.byID[id], key)
		variant := catalog.NewHasher().String(v.Pairs[key]).Sum().Short()
		err, known := read[variant]
		if !known {
			err = f.enroll(r, variant, v.Pairs[key])
			read[variant] = err
		}
		last, had := before.variants[key]
		switch {
		case err == nil:
			r.variants[key] = variant
		case had:
			r.variants[key] = last
		}
		if err == nil {
			continue
		}
		if r.wrong[key] = err; before.wrong[key] == nil {
			f.opts.Log.Warn("registration of a sidecar was refused", "proxy", key, "service", r.service, "err", err)
		}
	}
	return true
}

// enroll adds the sidecars that are registered alike.
func (f *Feed) enroll(r *registered, variant, text string) error {
	s, unserved, err := chain.Sidecar(r.service, []byte(text))
	if err != nil {
		return err
	}
	if len(unserved) > 0 {
		f.opts.Log.Warn("registration says what is not served", "service", r.service, "unserved", strings.Join(unserved, "; "))
	}
	s.Variant = variant
	for n, u := range s.Upstreams {
		if f.file.Declares(u.Target) {
			s.Upstreams[n].Protocol = "" // the file owns what it declares
		}
	}
	if _, err := xds.NewRole(&mesh.Mesh{Sidecars: []mesh.Sidecar{s}}, xds.VariantRole(s.Service, variant)); err != nil {
		return err // it would hold up all others
	}
	r.sidecars[variant] = s
	return nil
}

// enrollAnew reads the registrations again, as it counts what the file declares, and
// takes over those that an earlier process knew.
func (f *Feed) enrollAnew() {
	for q := range f.known {
		if q.Kind == catalog.ConnectProxies && f.registered[q] == nil {
			f.registered[q] = &registered{service: q.Name, view: f.known[q]}
		}
	}
	for _, r := range f.registered {
		if v := r.view; v != nil {
			r.view = nil
			f.register(v)
		}
	}
}

// declaredAndRegistered is what the file declares with the sidecars of Consul.
func (f *Feed) declaredAndRegistered() *mesh.Mesh {
	out := *f.file
	for _, q := range slices.SortedFunc(maps.Keys(f.registered), catalog.Query.Compare) {
		r := f.registered[q]
		if slices.ContainsFunc(f.file.Sidecars, func(s mesh.Sidecar) bool { return s.Service == r.service }) {
			continue
		}
		for _, variant := range slices.Sorted(maps.Keys(r.sidecars)) {
			out.Sidecars = append(slices.Clip(out.Sidecars), r.sidecars[variant])
		}
	}
	return &out
}

// settled answers those who waited for Consul and lets go of clients whose registration
// is another now: they come back and get what is theirs. Then what nobody is registered
// for and nobody has is forgotten.
func (f *Feed) settled() {
	roles := map[string]map[string]bool{} // by client
	for _, r := range f.registered {
		if r.view == nil {
			continue
		}
		r.answer()
		for key, variant := range r.variants {
			id, node := catalog.SplitProxyKey(key)
			for _, name := range []string{id, onNode(id, node)} {
				if roles[name] == nil {
					roles[name] = map[string]bool{}
				}
				roles[name][xds.VariantRole(r.service, variant)] = true
			}
		}
	}
	used := map[string]bool{}
	if f.opts.Evict != nil {
		f.opts.Evict(func(p server.Peer) bool {
			service, variant := xds.SplitRole(p.Role)
			stays := variant == "" || f.registered[proxiesOf(service)] == nil || roles[p.Node] == nil || roles[p.Node][p.Role]
			used[p.Role] = used[p.Role] || stays
			return !stays
		})
	}
	f.retire(used)
}

// retire forgets the sidecars that nobody is registered as and that nobody uses, and
// the services without any.
func (f *Feed) retire(used map[string]bool) {
	var gone []string
	for q, r := range f.registered {
		if r.view == nil {
			continue
		}
		wanted := map[string]bool{}
		for _, variant := range r.variants {
			wanted[variant] = true
		}
		for variant := range r.sidecars {
			if role := xds.VariantRole(r.service, variant); !wanted[variant] && !used[role] {
				delete(r.sidecars, variant)
				gone = append(gone, role)
			}
		}
		if len(r.view.Pairs)+len(r.sidecars) == 0 {
			delete(f.registered, q)
			gone = append(gone, "")
		}
	}
	if len(gone) == 0 {
		return
	}
	f.relay()
	f.publish(f.unsettled(nil))
	for _, role := range gone {
		f.opts.Store.Forget(role)
	}
}

// onNode names a proxy among all: ids are unique on a node alone.
func onNode(id, node string) string {
	if node == "" {
		return id
	}
	return fmt.Sprintf("%s@%s", id, node)
}
