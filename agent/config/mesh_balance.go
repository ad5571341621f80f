package config

import (
	"fmt"
	"math"

	"patchbay/xds/mesh"
)

func (p place) balanceFields(b *mesh.Balance) map[string]setter {
	return map[string]setter{
		"policy": p.str(&b.Policy), "choices": p.integer(&b.Choices, 2, math.MaxInt32),
		"min_ring": p.integer(&b.MinRing, 1, math.MaxInt32), "max_ring": p.integer(&b.MaxRing, 1, math.MaxInt32), "hash": p.hashes(&b.Hash)}
}

// hashes decodes what instances are chosen by, in order.
func (p place) hashes(dst *[]mesh.Hash) setter {
	return func(f field) {
		list, ok := f.value.objects()
		if !ok {
			p.problem(f.pos, "write hash { … }", "%s must be a block, not %s", f.name, f.value.kind)
		}
		for _, n := range list {
			h := mesh.Hash{}
			inner := p.nth("hash", len(*dst), n.pos)
			inner.fields(n, inner.hashFields(&h))
			*dst = append(*dst, h)
		}
	}
}

func (p place) hashFields(h *mesh.Hash) map[string]setter {
	// A hash is by cookie when anything of a cookie is said.
	ofCookie := func(name string) setter {
		return func(f field) { p.cookieFields("cookie", made(&h.Cookie))[name](f) }
	}
	return map[string]setter{
		"header": p.str(&h.Header), "query": p.str(&h.Query), "source_ip": p.boolean(&h.SourceIP), "terminal": p.boolean(&h.Terminal),
		"cookie": ofCookie("cookie"), "ttl": ofCookie("ttl"), "path": ofCookie("path")}
}

// cookieFields decodes a cookie whose name is the attribute.
func (p place) cookieFields(name string, c *mesh.Cookie) map[string]setter {
	return map[string]setter{name: p.str(&c.Name), "ttl": p.duration(&c.TTL), "path": p.str(&c.Path)}
}

func (p place) outlierFields(s *mesh.Service) map[string]setter {
	o := made(&s.Outlier)
	return map[string]setter{
		"failures": p.integer(&o.Failures, 1, math.MaxInt32), "interval": p.duration(&o.Interval), "ejection": p.duration(&o.Ejection),
		"max_percent": p.integer(&o.MaxPercent, 1, 100)}
}

func (p place) breakerFields(s *mesh.Service) map[string]setter {
	b := made(&s.Breaker)
	return map[string]setter{
		"connections": p.integer(&b.Connections, 1, math.MaxInt32), "pending": p.integer(&b.Pending, 1, math.MaxInt32),
		"requests": p.integer(&b.Requests, 1, math.MaxInt32), "retries": p.integer(&b.Retries, 1, math.MaxInt32)}
}

// failover decodes blocks, or a list of service/subset@datacenter+namespace, in order.
// An empty list is not nil.
func (p place) failover(dst *[]mesh.Target) setter {
	return func(f field) {
		if *dst == nil {
			*dst = []mesh.Target{}
		}
		if f.value.kind != kindObject && !holdsBlocks(f.value) {
			for _, e := range elements(f) {
				if text, ok := p.text(e); ok {
					p.mark(fmt.Sprintf("failover[%d]", len(*dst)), e.pos)
					*dst = append(*dst, target(text))
				}
			}
			return
		}
		list, _ := f.value.objects()
		for _, n := range list {
			var t mesh.Target
			inner := p.nth("failover", len(*dst), n.pos)
			inner.fields(n, inner.targetFields(&t))
			*dst = append(*dst, t)
		}
	}
}

// holdsBlocks tells whether a list has objects and nothing else.
func holdsBlocks(n node) bool {
	list, ok := n.objects()
	return ok && len(list) > 0
}
