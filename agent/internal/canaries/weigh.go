package canaries

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"patchbay/tasks/rollout"
	"patchbay/xds/mesh"
)

// Weigh gives a mesh whose services are split as the canaries stand. Requests that no
// route matches, and shares of routes that go to the service and to no subset of it,
// follow the weights; while a candidate is exposed, those of its cohort go to it. The
// mesh that is given is not changed. A canary of a service that nothing is declared of
// has no effect.
func Weigh(m mesh.Mesh, records []Record) mesh.Mesh {
	m.Services = slices.Clone(m.Services)
	for _, r := range records {
		n := slices.IndexFunc(m.Services, func(s mesh.Service) bool { return s.Own("") == mesh.Target{Service: r.Service()} })
		if n >= 0 && len(rollout.Weights(r.State)) > 0 {
			m.Services[n] = weighed(m.Services[n], r)
		}
	}
	return m
}

func weighed(s mesh.Service, r Record) mesh.Service {
	state := r.State
	weights := rollout.Weights(state)
	for _, name := range slices.Sorted(maps.Keys(weights)) {
		if !s.HasSubset(name) { // it was declared when the weights were given
			s.Subsets = append(slices.Clip(s.Subsets), r.subset(name))
		}
	}
	// Stable first: what the candidate gains comes from the end of stable's range, so
	// that a sticky caller who has come to the candidate stays there.
	s.Default = nil
	for _, name := range []string{state.Stable.Name, state.Candidate.Name} {
		s.Default = append(s.Default, mesh.Leg{Target: s.Own(name), Weight: weights[name]})
	}
	if c := r.Declared.Plan.Sticky; c.Cookie != "" && s.Protocol.L7() {
		s.Sticky = &mesh.Cookie{Name: c.Cookie, TTL: c.TTL}
	}
	if state.Exposed() && s.Protocol.L7() {
		s.Routes = cohort(s, s.Own(state.Candidate.Name), r.Declared.Plan.Cohort)
	}
	return s
}

// cohort gives the routes with one before each that leads to the service, for the
// requests of the cohort, and with one for those that no route matches.
func cohort(s mesh.Service, candidate mesh.Target, matches []rollout.Match) (out []mesh.Route) {
	rest := mesh.Route{Match: mesh.Match{Prefix: "/"}, To: []mesh.Leg{{Target: s.Own(""), Weight: mesh.Whole}}}
	for n, r := range append(slices.Clone(s.Routes), rest) {
		if slices.ContainsFunc(r.To, func(l mesh.Leg) bool { return l.Target == s.Own("") }) {
			for k, match := range matches {
				made := favour(r, s.Own(""), candidate, match)
				made.Name = fmt.Sprintf("cohort %d of %s", k+1, cmp.Or(r.Name, fmt.Sprint(n+1)))
				out = append(out, made)
			}
		}
		if n < len(s.Routes) {
			out = append(out, r)
		}
	}
	return out
}

// favour gives a route for the requests of a cohort: what goes to the service goes to
// the candidate.
func favour(r mesh.Route, service, candidate mesh.Target, match rollout.Match) mesh.Route {
	r.To = slices.Clone(r.To)
	for n, leg := range r.To {
		if leg.Target == service {
			r.To[n].Target = candidate
		}
	}
	f := mesh.Field{Name: match.Name, Exact: match.Value}
	if match.Regexp {
		f.Exact, f.Regex = "", match.Value
	}
	switch match.In {
	case rollout.Header:
		r.Match.Headers = append(slices.Clip(r.Match.Headers), f)
	case rollout.Cookie:
		r.Match.Cookies = append(slices.Clip(r.Match.Cookies), f)
	case rollout.Query:
		r.Match.Queries = append(slices.Clip(r.Match.Queries), f)
	}
	return r
}
