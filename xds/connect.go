package xds

import (
	"cmp"

	"patchbay/xds/mesh"
)

// News is what became known of Consul Connect since the last time, the newest of each.
type News struct {
	// Trust is whole, or the zero value while it is not known.
	Trust mesh.Trust
	// Roots is the secret of [NewRoots], Authorities the same certificates in PEM; nil
	// and "" when they did not change.
	Roots       *Resource
	Authorities string
	// Leaves are secrets of [NewLeaf], Intentions say who may call, both by service.
	Leaves     map[string]*Resource
	Intentions map[string]mesh.Intentions
}

// And gives both; what next knows counts.
func (n News) And(next News) News {
	n.Trust, n.Roots, n.Authorities = cmp.Or(next.Trust, n.Trust), cmp.Or(next.Roots, n.Roots), cmp.Or(next.Authorities, n.Authorities)
	n.Leaves, n.Intentions = join(n.Leaves, next.Leaves), join(n.Intentions, next.Intentions)
	return n
}

// join puts what b has into a, which may be nil.
func join[V any](a, b map[string]V) map[string]V {
	if a == nil {
		a = make(map[string]V, len(b))
	}
	for k, v := range b {
		a[k] = v
	}
	return a
}
