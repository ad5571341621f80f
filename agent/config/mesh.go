package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"patchbay/xds/mesh"
)

// meshBlocks are what the files say of the mesh, in their order.
type meshBlocks struct {
	xds, observe               field
	routes, sidecars, gateways []field
	canaries                   []field
}

// mesh decodes what is declared of services, sidecars and gateways.
func (d *decoder) mesh(b meshBlocks) {
	d.xds(b.xds)
	d.observe(b.observe)
	m := &d.cfg.Mesh
	for _, f := range b.routes {
		for _, l := range d.labels(f, `routes "<service>" { … }`) {
			m.Services = append(m.Services, d.routes(l))
		}
	}
	for _, f := range b.sidecars {
		for _, l := range d.labels(f, `sidecar "<service>" { … }`) {
			m.Sidecars = append(m.Sidecars, d.sidecar(l))
		}
	}
	for _, f := range b.gateways {
		for _, l := range d.labels(f, `gateway "<name>" { … }`) {
			m.Gateways = append(m.Gateways, d.gateway(l))
		}
	}
	for _, f := range b.canaries {
		for _, l := range d.labels(f, `canary "<service>" { … }`) {
			d.canary(l)
		}
	}
	for _, mistake := range m.Validate() {
		if d.unread(mistake) {
			continue
		}
		d.problem(d.spot(mistake), mistake.Do, "%s: %s", mistake.Name, mistake.What)
	}
}

// place is where a part of the mesh is decoded. It remembers where each of its
// fields stands, for what is found wrong when all is known.
type place struct {
	*decoder
	// declared is the position of the declaration as the mesh has it.
	declared string
	// path is how messages name the block; prefix how [mesh.Mistake] names what is
	// in it.
	path, prefix string
}

// place is where a declaration is decoded.
func (d *decoder) place(at Position, path string) place {
	p := place{decoder: d, declared: at.String(), path: path}
	p.mark("", at)
	return p
}

// in is a block within the place.
func (p place) in(name string) place {
	p.path, p.prefix = join(p.path, name), p.prefix+name+"."
	return p
}

// nth is one of several blocks of a name.
func (p place) nth(name string, n int, at Position) place {
	p.mark(fmt.Sprintf("%s[%d]", name, n), at)
	p.path, p.prefix = join(p.path, name), fmt.Sprintf("%s%s[%d].", p.prefix, name, n)
	return p
}

// declare is a place of its own, which the mesh gives a position.
func (p place) declare(name string, at Position) place {
	return p.place(at, join(p.path, name))
}

func (p place) mark(name string, at Position) {
	p.spots[spotKey{p.declared, p.prefix + name}] = at
}

// fields decodes the place's own block.
func (p place) fields(n node, known map[string]setter) {
	known = maps.Clone(known)
	for name, set := range known {
		known[name] = func(f field) {
			p.mark(name, f.pos)
			before := len(p.problems)
			set(f)
			if _, block := f.value.objects(); !block && len(p.problems) > before {
				p.unsure[spotKey{p.declared, p.prefix + name}] = true
			}
		}
	}
	p.block(n, p.path, known)
}

// sub decodes a block that may stand once.
func (p place) sub(name string, known func(p place) map[string]setter) setter {
	return func(f field) {
		if n, ok := p.object(f); ok {
			inner := p.in(name)
			inner.fields(n, known(inner))
		}
	}
}

// once refuses a second block where others may stand many times.
func (p place) once(set setter) setter {
	var first *field
	return func(f field) {
		if first != nil {
			p.twice(*first, f)
			return
		}
		first = &f
		set(f)
	}
}

// entries gives the blocks of f, each with its label or "": the label may be left
// out, or be written as an attribute. known are the names within the block: in JSON
// an object with any other name holds labels.
func (p place) entries(f field, known map[string]setter) (out []labelled) {
	list, ok := f.value.objects()
	if !ok || len(list) == 0 {
		p.problem(f.pos, "write "+f.name+" { … }", "%s must be a block, not %s", f.name, f.value.kind)
		return nil
	}
	for _, n := range list {
		if !holdsLabels(n, known) {
			out = append(out, labelled{pos: n.pos, body: n})
			continue
		}
		for _, l := range n.fields {
			bodies, _ := l.value.objects()
			for _, body := range bodies {
				out = append(out, labelled{label: l.name, pos: labelPos(f, l), body: body})
			}
		}
	}
	return out
}

func holdsLabels(n node, known map[string]setter) bool {
	if len(n.fields) == 0 || n.style == styleBlock {
		return len(n.fields) > 0 && n.fields[0].label
	}
	return !slices.ContainsFunc(n.fields, func(f field) bool {
		_, block := f.value.objects()
		_, is := known[strings.ToLower(f.name)]
		return !block || is
	})
}

// spotKey is a field of what stands at a position.
type spotKey struct{ declared, field string }

// spot gives the place of a mistake: of its field, or of what holds that.
func (d *decoder) spot(m mesh.Mistake) Position {
	for field := m.Field; ; {
		if at, ok := d.spots[spotKey{m.Position, field}]; ok {
			return at
		}
		n := strings.LastIndexAny(field, ".[")
		if n < 0 {
			break
		}
		field = field[:n]
	}
	return d.spots[spotKey{m.Position, ""}]
}

// unread tells whether a mistake may come from a value that could not be read, which is
// told already.
func (d *decoder) unread(m mesh.Mistake) bool {
	for key := range d.unsure {
		rest, within := strings.CutPrefix(key.field, m.Field)
		if m.Field != "" && key.declared == m.Position && within && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			return true
		}
	}
	return false
}
