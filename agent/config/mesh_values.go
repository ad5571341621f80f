package config

import (
	"strconv"
	"strings"

	"patchbay/xds/mesh"
)

// percent decodes a percentage with at most two decimals into hundredths.
func (d *decoder) percent(dst *uint32) setter {
	return func(f field) {
		v, ok := hundredths(f.value.text)
		if !ok || !f.value.scalar() || f.value.kind == kindBool {
			d.problem(f.pos, "write a percentage from 0 to 100 with at most two decimals, such as 12.5", "%s must be a percentage", f.name)
			return
		}
		*dst = v
	}
}

// hundredths reads what percent takes; it never rounds.
func hundredths(text string) (v uint32, ok bool) {
	text, more, _ := strings.Cut(strings.TrimSuffix(text, "%"), ".")
	more = strings.TrimRight(more, "0")
	if len(more) > 2 || text == "" {
		return 0, false
	}
	n, err := strconv.ParseUint(text+(more + "00")[:2], 10, 32)
	return uint32(n), err == nil && n <= mesh.Whole
}

// integers decodes a list of whole numbers.
func (d *decoder) integers(dst *[]int, least, most int) setter {
	return func(f field) {
		*dst = nil
		for _, e := range elements(f) {
			n := least
			d.integer(&n, least, most)(e)
			*dst = append(*dst, n)
		}
	}
}

// targetFields are those of a set of instances.
func (d *decoder) targetFields(t *mesh.Target) map[string]setter {
	return map[string]setter{"service": d.str(&t.Service), "subset": d.str(&t.Subset),
		"datacenter": d.str(&t.Datacenter), "namespace": d.str(&t.Namespace)}
}

// complete makes a target without a service one of the service itself.
func complete(t *mesh.Target, s mesh.Service) {
	if t.Service != "" {
		return
	}
	t.Service = s.Name
	if t.Datacenter == "" {
		t.Datacenter = s.Datacenter
	}
	if t.Namespace == "" {
		t.Namespace = s.Namespace
	}
}

// target reads service/subset@datacenter+namespace, of which each part may be left
// out.
func target(text string) (t mesh.Target) {
	text, t.Namespace, _ = strings.Cut(text, "+")
	text, t.Datacenter, _ = strings.Cut(text, "@")
	t.Service, t.Subset, _ = strings.Cut(text, "/")
	return t
}

// listenAddress decodes an IP address.
func (d *decoder) listenAddress(dst *string) setter {
	return func(f field) {
		if s, ok := d.text(f); ok {
			*dst = s
		}
	}
}
