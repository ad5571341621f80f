package config

import (
	"fmt"
	"math"
	"net/http"
	"time"

	"patchbay/xds/mesh"
)

func (p place) routesOf(s *mesh.Service) setter {
	return func(f field) {
		for _, b := range p.entries(f, p.routeFields(&mesh.Route{})) {
			inner := p.declare(fmt.Sprintf("route %q", b.label), b.pos)
			r := mesh.Route{Name: b.label, Position: inner.declared}
			inner.fields(b.body, inner.routeFields(&r))
			s.Routes = append(s.Routes, r)
		}
	}
}

func (p place) routeFields(r *mesh.Route) map[string]setter {
	return map[string]setter{
		"match":   p.once(p.sub("match", func(p place) map[string]setter { return p.matchFields(&r.Match) })),
		"to":      p.legs(&r.To),
		"timeout": p.timeout(&r.Timeout), "idle_timeout": p.duration(&r.Idle),
		"retry":           p.sub("retry", func(p place) map[string]setter { return p.retryFields(made(&r.Retry)) }),
		"mirror":          p.sub("mirror", func(p place) map[string]setter { return p.mirrorFields(r) }),
		"fault":           p.sub("fault", func(p place) map[string]setter { return p.faultFields(r) }),
		"rewrite":         p.sub("rewrite", func(p place) map[string]setter { return p.rewriteFields(made(&r.Rewrite)) }),
		"redirect":        p.sub("redirect", func(p place) map[string]setter { return p.redirectFields(made(&r.Redirect)) }),
		"respond":         p.sub("respond", func(p place) map[string]setter { return p.respondFields(made(&r.Respond)) }),
		"rate_limit":      p.sub("rate_limit", func(p place) map[string]setter { return p.limitFields(made(&r.Limit)) }),
		"request_headers": p.headers("request_headers", &r.Request), "response_headers": p.headers("response_headers", &r.Response),
		"hash": p.hashes(&r.Hash),
	}
}

// made gives the value behind a pointer, which is made when it is not there.
func made[T any](p **T) *T {
	if *p == nil {
		*p = new(T)
	}
	return *p
}

// timeout decodes one that 0 switches off.
func (p place) timeout(dst *time.Duration) setter {
	return func(f field) {
		v := time.Duration(-1)
		p.duration(&v)(f)
		if v == 0 {
			v = -1
		}
		*dst = v
	}
}

func (p place) retryFields(r *mesh.Retry) map[string]setter {
	r.Attempts = 1
	return map[string]setter{
		"attempts": p.integer(&r.Attempts, 1, 100), "on": p.list(&r.On), "codes": p.integers(&r.Codes, 400, 599), "per_try_timeout": p.duration(&r.PerTry)}
}

func (p place) mirrorFields(r *mesh.Route) map[string]setter {
	m := made(&r.Mirror)
	m.Share = mesh.Whole
	return with(p.targetFields(&m.Target), map[string]setter{"percent": p.percent(&m.Share)})
}

func (p place) faultFields(r *mesh.Route) map[string]setter {
	x := made(&r.Fault)
	x.DelayShare, x.AbortShare = mesh.Whole, mesh.Whole
	return map[string]setter{
		"delay": p.duration(&x.Delay), "delay_percent": p.percent(&x.DelayShare),
		"status": p.integer(&x.Status, 200, 599), "abort_percent": p.percent(&x.AbortShare)}
}

func (p place) rewriteFields(r *mesh.Rewrite) map[string]setter {
	return map[string]setter{
		"prefix": p.str(&r.Prefix), "regex": p.str(&r.Regex), "substitution": p.str(&r.Substitution), "host": p.str(&r.Host)}
}

func (p place) redirectFields(r *mesh.Redirect) map[string]setter {
	return map[string]setter{
		"scheme": p.str(&r.Scheme), "host": p.str(&r.Host), "path": p.str(&r.Path), "prefix": p.str(&r.Prefix),
		"port": p.integer(&r.Port, 1, maxPort), "code": p.integer(&r.Code, 301, 308)}
}

func (p place) respondFields(r *mesh.Respond) map[string]setter {
	r.Status = http.StatusOK
	return map[string]setter{"status": p.integer(&r.Status, 200, 599), "body": p.str(&r.Body)}
}

func (p place) limitFields(l *mesh.Limit) map[string]setter {
	l.Per = time.Second
	return map[string]setter{
		"requests": p.integer(&l.Requests, 1, math.MaxInt32), "per": p.duration(&l.Per), "burst": p.integer(&l.Burst, 1, math.MaxInt32)}
}

// headers decodes changes of headers.
func (p place) headers(name string, h *mesh.Headers) setter {
	return p.sub(name, func(p place) map[string]setter {
		return map[string]setter{"set": p.stringMap(&h.Set), "add": p.stringMap(&h.Add), "remove": p.list(&h.Remove)}
	})
}
