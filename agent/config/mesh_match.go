package config

import "patchbay/xds/mesh"

func (p place) matchFields(m *mesh.Match) map[string]setter {
	return map[string]setter{
		"path": p.str(&m.Path), "prefix": p.str(&m.Prefix), "regex": p.str(&m.Regex),
		"ignore_case": p.boolean(&m.IgnoreCase), "methods": p.list(&m.Methods),
		"header": p.conditions("header", &m.Headers), "query": p.conditions("query", &m.Queries), "cookie": p.conditions("cookie", &m.Cookies),
	}
}

// conditions decodes those on headers, query parameters or cookies; the label is
// the name.
func (p place) conditions(what string, dst *[]mesh.Field) setter {
	return func(f field) {
		for _, b := range p.labels(f, what+` "<name>" { … }`) {
			c, present, absent := mesh.Field{Name: b.label}, false, false
			inner := p.nth(what, len(*dst), b.pos)
			inner.fields(b.body, map[string]setter{
				"exact": p.str(&c.Exact), "prefix": p.str(&c.Prefix), "suffix": p.str(&c.Suffix), "contains": p.str(&c.Contains), "regex": p.str(&c.Regex),
				"invert": p.boolean(&c.Absent), "present": p.boolean(&present), "absent": p.boolean(&absent)})
			c.Absent = c.Absent || absent
			valued := c.Exact+c.Prefix+c.Suffix+c.Contains+c.Regex != ""
			if present && (absent || valued) || absent && valued {
				p.problem(b.pos, "keep one of them; invert = true turns a condition on the value round", "%s %q is asked for a value and for its presence", what, b.label)
			}
			*dst = append(*dst, c)
		}
	}
}
