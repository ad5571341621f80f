package chain

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"patchbay/xds/mesh"
)

const maxRoutes = 2048

// routes takes a router over. Consul's last route is for all that no other matches.
func (c *compiler) routes(s *mesh.Service, list []route) error {
	if len(list) > maxRoutes {
		return fmt.Errorf("it has more than %d routes", maxRoutes)
	}
	for n, in := range list {
		r, legs, err := c.route(in)
		if err != nil {
			return fmt.Errorf("route %d: %w", n+1, err)
		}
		if !takesAll(r.Match) {
			r.To = legs
			s.Routes = append(s.Routes, r)
			continue
		}
		r.Match = mesh.Match{}
		c.rest(s, legs, r)
		if n < len(list)-2 {
			c.leave("routes behind route %d, which takes all requests", n+1)
		}
		return nil
	}
	return fmt.Errorf("no route of its %d takes the other requests", len(list))
}

func takesAll(m mesh.Match) bool {
	return m.Path == "" && m.Regex == "" && (m.Prefix == "" || m.Prefix == "/") && len(m.Methods)+len(m.Headers)+len(m.Queries) == 0
}

func (c *compiler) route(in route) (r mesh.Route, legs []mesh.Leg, err error) {
	legs, timeout, err := c.legs(in.NextNode)
	if err != nil || in.Definition == nil {
		return r, legs, err
	}
	if m := in.Definition.Match; m != nil && m.HTTP != nil {
		r.Match = c.match(*m.HTTP)
	}
	r.Timeout = timeout
	d := in.Definition.Destination
	if d == nil {
		return r, legs, nil
	}
	if d.RequestTimeout != 0 {
		r.Timeout = time.Duration(d.RequestTimeout)
	}
	if r.Idle = time.Duration(d.IdleTimeout); r.Idle < 0 {
		r.Idle = 0
		c.leave("idle timeout %s: Envoy's own is kept", time.Duration(d.IdleTimeout))
	}
	if d.PrefixRewrite != "" {
		r.Rewrite = &mesh.Rewrite{Prefix: d.PrefixRewrite}
	}
	r.Request, r.Response, r.Retry = c.headers(d.RequestHeaders), c.headers(d.ResponseHeaders), retry(*d)
	return r, legs, nil
}

func retry(d destination) *mesh.Retry {
	if d.NumRetries == 0 && !d.RetryOnConnectFailure && len(d.RetryOn)+len(d.RetryOnStatusCodes) == 0 {
		return nil
	}
	out := &mesh.Retry{Attempts: max(1, bounded(uint64(d.NumRetries))), On: slices.Clone(d.RetryOn)}
	if d.RetryOnConnectFailure && !slices.Contains(out.On, "connect-failure") {
		out.On = append(out.On, "connect-failure")
	}
	for _, code := range d.RetryOnStatusCodes {
		out.Codes = append(out.Codes, bounded(uint64(code)))
	}
	if len(out.On) == 0 && len(out.Codes) > 0 {
		out.On = []string{"retriable-status-codes"}
	}
	return out
}

func (c *compiler) match(in httpMatch) mesh.Match {
	out := mesh.Match{Path: in.PathExact, Prefix: in.PathPrefix, Regex: in.PathRegex, Methods: in.Methods,
		// Envoy heeds the case of a regular expression whatever is said beside it.
		IgnoreCase: in.CaseInsensitive && in.PathRegex == ""}
	for _, h := range in.Header {
		out.Headers = append(out.Headers, mesh.Field{Name: h.Name, Exact: h.Exact, Prefix: h.Prefix, Suffix: h.Suffix, Contains: h.Contains,
			Regex: h.Regex, IgnoreCase: h.IgnoreCase, Absent: h.Invert})
	}
	for _, q := range in.QueryParam {
		out.Queries = append(out.Queries, mesh.Field{Name: q.Name, Exact: q.Exact, Regex: q.Regex})
	}
	return out
}

// headers takes changes of headers over. Envoy's variables in values are not for
// others to use.
func (c *compiler) headers(in *headers) (out mesh.Headers) {
	if in == nil {
		return out
	}
	for _, m := range []map[string]string{in.Set, in.Add} {
		for _, name := range slices.Sorted(maps.Keys(m)) {
			if strings.Contains(m[name], "%") {
				c.leave("variables in header %s: %s is sent as it stands", name, m[name])
			}
		}
	}
	return mesh.Headers{Set: in.Set, Add: in.Add, Remove: in.Remove}
}
