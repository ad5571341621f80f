package xds

import (
	"cmp"
	"slices"

	"patchbay/xds/mesh"
)

// seen is the mesh as it is for one upstream of a sidecar, which may have settings of
// its own for the services that its requests go to.
func seen(m *mesh.Mesh, u mesh.Upstream) *mesh.Mesh {
	if u.Protocol == "" && u.ConnectTimeout == 0 && u.Outlier == nil && u.Breaker == nil {
		return m
	}
	out := *m
	out.Services = slices.Clone(m.Services)
	for _, t := range append(m.Targets(u.Target), u.Target) {
		s := m.Service(t)
		n := slices.IndexFunc(out.Services, func(x mesh.Service) bool { return x.Own("") == s.Own("") })
		if n < 0 {
			n = len(out.Services)
			out.Services = append(out.Services, s)
		}
		own := &out.Services[n]
		own.Protocol = cmp.Or(u.Protocol, own.Protocol)
		own.ConnectTimeout = cmp.Or(u.ConnectTimeout, own.ConnectTimeout)
		own.Outlier = cmp.Or(u.Outlier, own.Outlier)
		own.Breaker = cmp.Or(u.Breaker, own.Breaker)
	}
	return &out
}
