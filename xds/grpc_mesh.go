package xds

import (
	"slices"

	"patchbay/xds/mesh"
)

// grpcMesh is a mesh without what gRPC refuses, ignores or cannot do. What would
// only look at a call from outside, such as logs, is left out too.
func grpcMesh(m *mesh.Mesh) *mesh.Mesh {
	out := &mesh.Mesh{Services: make([]mesh.Service, 0, len(m.Services))}
	for _, s := range m.Services {
		out.Services = append(out.Services, grpcService(s))
	}
	return out
}

func grpcService(s mesh.Service) mesh.Service {
	// The options of the protocol are Envoy's: gRPC knows what it speaks.
	s.Protocol, s.Panic, s.Outlier, s.Sticky = mesh.HTTP, 0, nil, nil
	switch s.Balance.Policy {
	case mesh.Random:
		s.Balance.Policy = mesh.RoundRobin
	case mesh.Maglev: // the other that keeps a key on its instance
		s.Balance.Policy = mesh.RingHash
	}
	s.Balance.Hash = grpcHash(s.Balance.Hash)
	s.Default = grpcLegs(s.Default)
	var routes []mesh.Route
	for _, r := range s.Routes {
		if r, ok := grpcRoute(r); ok {
			routes = append(routes, r)
		}
	}
	s.Routes = routes
	return s
}

// grpcRoute gives the route as gRPC can follow it; ok is false when no call can
// match: calls are POST and have no query.
func grpcRoute(r mesh.Route) (out mesh.Route, ok bool) {
	if len(r.Match.Methods) > 0 && !slices.Contains(r.Match.Methods, "POST") {
		return r, false
	}
	if slices.ContainsFunc(r.Match.Queries, func(f mesh.Field) bool { return !f.Absent }) {
		return r, false
	}
	r.Match.Methods, r.Match.Queries = nil, nil
	r.Mirror, r.Rewrite, r.Limit, r.Idle = nil, nil, nil, 0
	r.Request, r.Response = mesh.Headers{}, mesh.Headers{}
	r.To, r.Hash, r.Retry = grpcLegs(r.To), grpcHash(r.Hash), grpcRetry(r.Retry)
	return r, true
}

// grpcLegs are the shares without their changes of headers.
func grpcLegs(legs []mesh.Leg) []mesh.Leg {
	out := slices.Clone(legs)
	for n := range out {
		out[n].Request, out[n].Response = mesh.Headers{}, mesh.Headers{}
	}
	return out
}

// grpcHash keeps the things of a call that gRPC can choose by.
func grpcHash(list []mesh.Hash) []mesh.Hash {
	return slices.DeleteFunc(slices.Clone(list), func(h mesh.Hash) bool { return h.Header == "" && !h.SourceIP })
}

// grpcConditions tells what each condition of Envoy is in gRPC; what is not in it
// does not occur there.
var grpcConditions = map[string]string{
	"5xx": "unavailable", "gateway-error": "unavailable", "connect-failure": "unavailable", "refused-stream": "unavailable",
	"reset": "unavailable", "reset-before-request": "unavailable",
	"cancelled": "cancelled", "deadline-exceeded": "deadline-exceeded", "internal": "internal",
	"resource-exhausted": "resource-exhausted", "unavailable": "unavailable",
}

// grpcRetry gives a retry by conditions of gRPC, nil when none is left.
func grpcRetry(r *mesh.Retry) *mesh.Retry {
	if r == nil || r.Attempts < 1 {
		return nil // gRPC refuses all routes for one with no attempts
	}
	out := &mesh.Retry{Attempts: r.Attempts}
	for _, on := range r.On {
		if known := grpcConditions[on]; known != "" && !slices.Contains(out.On, known) {
			out.On = append(out.On, known)
		}
	}
	if len(r.On) == 0 {
		out.On = []string{"unavailable"}
	}
	if len(out.On) == 0 {
		return nil
	}
	return out
}
