package config

import (
	"fmt"
	"strconv"
	"strings"

	"patchbay/xds/mesh"
)

// sidecar decodes the Envoy beside a service.
func (d *decoder) sidecar(b labelled) mesh.Sidecar {
	p := d.place(b.pos, fmt.Sprintf("sidecar %q", b.label))
	s := mesh.Sidecar{Service: b.label, Position: p.declared}
	in := mesh.Inbound{}
	p.fields(b.body, map[string]setter{
		"port":     p.integer(&in.LocalPort, 1, maxPort),
		"connect":  p.boolean(&s.Connect),
		"protocol": p.protocol(&in.Protocol),
		"listen": p.sub("listen", func(p place) map[string]setter {
			return map[string]setter{"address": p.listenAddress(&in.Address), "port": p.integer(&in.Port, 1, maxPort)}
		}),
		"upstreams": p.upstreamList(&s),
		"upstream":  p.upstreamBlocks(&s),
	})
	if in != (mesh.Inbound{}) {
		if in.Protocol == "" { // the routes are known already
			in.Protocol = d.cfg.Mesh.Service(mesh.Target{Service: s.Service}).Protocol
		}
		s.Inbound = &in
	}
	return s
}

func (p place) protocol(dst *mesh.Protocol) setter {
	return func(f field) {
		s := string(*dst)
		p.oneOf(&s, "tcp", "http", "http2", "grpc")(f)
		*dst = mesh.Protocol(s)
	}
}

// upstreamList decodes the short form, service/subset@datacenter+namespace:port.
func (p place) upstreamList(s *mesh.Sidecar) setter {
	return func(f field) {
		for _, e := range elements(f) {
			text, ok := p.text(e)
			if !ok {
				continue
			}
			name, port, _ := strings.Cut(text, ":")
			inner := p.declare("upstreams", e.pos)
			u := mesh.Upstream{Target: target(name), Position: inner.declared}
			u.Port, _ = strconv.Atoi(port) // what is no port is told as one that is missing
			s.Upstreams = append(s.Upstreams, u)
		}
	}
}

func (p place) upstreamBlocks(s *mesh.Sidecar) setter {
	return func(f field) {
		for _, b := range p.labels(f, `upstream "<service>" { … }`) {
			inner := p.declare(fmt.Sprintf("upstream %q", b.label), b.pos)
			u := mesh.Upstream{Target: mesh.Target{Service: b.label}, Position: inner.declared}
			known := p.targetFields(&u.Target)
			delete(known, "service")
			inner.fields(b.body, with(known, map[string]setter{
				"port": p.integer(&u.Port, 1, maxPort), "address": p.listenAddress(&u.Address)}))
			s.Upstreams = append(s.Upstreams, u)
		}
	}
}

// gateway decodes an Envoy at the edge.
func (d *decoder) gateway(b labelled) mesh.Gateway {
	p := d.place(b.pos, fmt.Sprintf("gateway %q", b.label))
	g := mesh.Gateway{Name: b.label, Position: p.declared}
	p.fields(b.body, map[string]setter{"connect": p.boolean(&g.Connect), "listener": func(f field) {
		list, ok := f.value.objects()
		if !ok {
			p.problem(f.pos, "write listener { … }", "%s must be a block, not %s", f.name, f.value.kind)
		}
		for _, n := range list {
			g.Listeners = append(g.Listeners, p.declare("listener", n.pos).listener(n))
		}
	}})
	return g
}

func (p place) listener(n node) mesh.Door {
	l := mesh.Door{Protocol: mesh.HTTP, Position: p.declared}
	p.fields(n, map[string]setter{
		"address": p.listenAddress(&l.Address), "port": p.integer(&l.Port, 1, maxPort), "protocol": p.protocol(&l.Protocol),
		"service": func(f field) {
			for _, b := range p.labels(f, `service "<name>" { … }`) {
				h := mesh.Host{Target: mesh.Target{Service: b.label}}
				inner := p.nth("service", len(l.Hosts), b.pos)
				known := p.targetFields(&h.Target)
				delete(known, "service")
				inner.fields(b.body, with(known, map[string]setter{"hosts": p.list(&h.Names)}))
				l.Hosts = append(l.Hosts, h)
			}
		}})
	return l
}
