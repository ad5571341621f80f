package config

import (
	"fmt"

	"patchbay/agent/internal/filter"
	"patchbay/xds/mesh"
)

// routes decodes what is declared of a service.
func (d *decoder) routes(b labelled) mesh.Service {
	p := d.place(b.pos, fmt.Sprintf("routes %q", b.label))
	s := mesh.Service{Name: b.label, Position: p.declared}
	known := p.serviceFields(&s)
	p.fields(b.body, known)
	for n := range s.Routes {
		r := &s.Routes[n]
		if len(r.To) == 0 && r.Redirect == nil && r.Respond == nil {
			r.To = []mesh.Leg{{Weight: mesh.Whole}}
		}
		for i := range r.To {
			complete(&r.To[i].Target, s)
		}
		if r.Mirror != nil {
			complete(&r.Mirror.Target, s)
		}
	}
	for i := range s.Default {
		complete(&s.Default[i].Target, s)
	}
	for i := range s.Failover {
		complete(&s.Failover[i], s)
	}
	for n := range s.Subsets {
		for i := range s.Subsets[n].Failover {
			complete(&s.Subsets[n].Failover[i], s)
		}
	}
	return s
}

func (p place) serviceFields(s *mesh.Service) map[string]setter {
	protocol := string(mesh.HTTP)
	s.Protocol = mesh.HTTP
	return map[string]setter{
		"protocol": func(f field) {
			p.oneOf(&protocol, "tcp", "http", "http2", "grpc")(f)
			s.Protocol = mesh.Protocol(protocol)
		},
		"datacenter": p.str(&s.Datacenter), "namespace": p.str(&s.Namespace), "default_subset": p.str(&s.DefaultSubset),
		"subset":            p.subsets(s),
		"to":                p.legs(&s.Default),
		"route":             p.routesOf(s),
		"connect_timeout":   p.duration(&s.ConnectTimeout),
		"panic_threshold":   p.integer(&s.Panic, 0, 100),
		"load_balancer":     p.sub("load_balancer", func(p place) map[string]setter { return p.balanceFields(&s.Balance) }),
		"outlier_detection": p.sub("outlier_detection", func(p place) map[string]setter { return p.outlierFields(s) }),
		"circuit_breaker":   p.sub("circuit_breaker", func(p place) map[string]setter { return p.breakerFields(s) }),
		"failover":          p.failover(&s.Failover),
		"sticky":            p.sub("sticky", func(p place) map[string]setter { return p.cookieFields("cookie", made(&s.Sticky)) }),
	}
}

func (p place) subsets(s *mesh.Service) setter {
	return func(f field) {
		for _, b := range p.labels(f, `subset "<name>" { … }`) {
			x := mesh.Subset{Name: b.label}
			inner := p.nth("subset", len(s.Subsets), b.pos)
			inner.fields(b.body, map[string]setter{"filter": inner.filter(&x.Filter), "only_passing": p.boolean(&x.OnlyPassing),
				"failover": inner.failover(&x.Failover)})
			s.Subsets = append(s.Subsets, x)
		}
	}
}

// filter decodes an expression over the entries of Consul's health endpoint.
func (p place) filter(dst *string) setter {
	return func(f field) {
		s, ok := p.text(f)
		if !ok {
			return
		}
		if _, err := filter.Compile(s); err != nil {
			p.problem(f.value.pos, "correct the filter; its syntax is that of Consul's API", "cannot use filter: %v", err)
			return
		}
		*dst = s
	}
}

// legs decodes the shares of a split. The label is the subset.
func (p place) legs(dst *[]mesh.Leg) setter {
	var unweighed []Position
	return func(f field) {
		for _, b := range p.entries(f, p.legFields(&mesh.Leg{}, new(bool))) {
			leg, weighed := mesh.Leg{Target: mesh.Target{Subset: b.label}}, false
			inner := p.nth("to", len(*dst), b.pos)
			inner.fields(b.body, inner.legFields(&leg, &weighed))
			if !weighed {
				leg.Weight = mesh.Whole
				unweighed = append(unweighed, b.pos)
			}
			*dst = append(*dst, leg)
			if len(*dst) > 1 {
				for n, at := range unweighed {
					p.unsure[spotKey{p.declared, fmt.Sprintf("%sto[%d].weight", p.prefix, n)}] = true
					p.problem(at, "write weight = … in percent; all weights of a split add up to 100", "one of several shares has no weight")
				}
				unweighed = nil
			}
		}
	}
}

func (p place) legFields(leg *mesh.Leg, weighed *bool) map[string]setter {
	return with(p.targetFields(&leg.Target), map[string]setter{
		"weight": func(f field) {
			p.percent(&leg.Weight)(f)
			*weighed = true
		},
		"request_headers": p.headers("request_headers", &leg.Request), "response_headers": p.headers("response_headers", &leg.Response),
	})
}
