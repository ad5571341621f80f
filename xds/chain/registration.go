package chain

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"patchbay/xds/mesh"
)

// registration is how a sidecar proxy is registered; names are Consul's.
type registration struct {
	Datacenter, Namespace, Partition string
	Port                             int
	Proxy                            proxy
}

type proxy struct {
	DestinationServiceName, DestinationServiceID string
	LocalServiceAddress, LocalServiceSocketPath  string
	LocalServicePort                             int
	Mode                                         string
	Config                                       map[string]any
	Upstreams                                    []upstream
	AccessLogs                                   *accessLogs
	MeshGateway                                  struct{ Mode string }
	Expose                                       struct {
		Checks bool
		Paths  []any
	}
	TransparentProxy struct {
		OutboundListenerPort int
		DialedDirectly       bool
	}
	EnvoyExtensions []any
}

type upstream struct {
	DestinationType, DestinationName                            string
	DestinationNamespace, DestinationPartition, DestinationPeer string
	Datacenter, LocalBindAddress, LocalBindSocketPath           string
	LocalBindPort                                               int
	Config                                                      map[string]any
	MeshGateway                                                 struct{ Mode string }
	CentrallyConfigured                                         bool
}

type accessLogs struct {
	Enabled, DisableListenerLogs       bool
	Type, Path, JSONFormat, TextFormat string
}

// most bounds the upstreams of one sidecar.
const most = 1024

// Sidecar reads how a sidecar proxy of a service is registered. The names of what it
// says and Envoys are not told come with it; an error tells why it cannot be served.
// The variant is the caller's to set.
func Sidecar(service string, text []byte) (mesh.Sidecar, []string, error) {
	var in registration
	if len(text) > maxText {
		return mesh.Sidecar{}, nil, fmt.Errorf("read registration of a sidecar of %s: it is larger than %d MiB", service, maxText>>20)
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return mesh.Sidecar{}, nil, fmt.Errorf("read registration of a sidecar of %s: %w", service, err)
	}
	r := &registrar{in: in}
	more, err := unknown(text, in)
	if err != nil {
		return mesh.Sidecar{}, nil, fmt.Errorf("read registration of a sidecar of %s: %w", service, err)
	}
	for _, name := range more {
		r.leave("%s has no counterpart", name)
	}
	p := in.Proxy
	switch {
	case p.DestinationServiceName != service:
		return mesh.Sidecar{}, nil, fmt.Errorf("read registration of a sidecar of %s: it is that of %q", service, clip(p.DestinationServiceName))
	case len(p.Upstreams) > most:
		return mesh.Sidecar{}, nil, fmt.Errorf("read registration of a sidecar of %s: it has more than %d upstreams", service, most)
	}
	out := mesh.Sidecar{Service: service, Connect: true, Position: fmt.Sprintf("Consul's registration of a sidecar of %s", service)}
	out.Inbound = r.inbound(p)
	for _, u := range p.Upstreams {
		if x, ok := r.upstream(u); ok {
			x.Position = out.Position
			out.Upstreams = append(out.Upstreams, x)
		}
	}
	out.Observe = r.logs(p.AccessLogs)
	r.rest(p)
	if err := validate(out); err != nil {
		return mesh.Sidecar{}, r.unserved, err
	}
	return out, r.unserved, nil
}

// validate looks at a sidecar and at what it says of its upstreams.
func validate(s mesh.Sidecar) error {
	all := (&mesh.Mesh{Sidecars: []mesh.Sidecar{s}}).Validate()
	for _, u := range s.Upstreams {
		own := mesh.Service{Name: u.Target.Service, Protocol: u.Protocol, ConnectTimeout: u.ConnectTimeout, Outlier: u.Outlier, Breaker: u.Breaker, Position: u.Position}
		all = append(all, (&mesh.Mesh{Services: []mesh.Service{own}}).Validate()...)
	}
	if len(all) > 0 {
		return all[0]
	}
	return nil
}

// registrar reads one registration.
type registrar struct {
	in       registration
	unserved []string
}

func (r *registrar) leave(format string, args ...any) { note(&r.unserved, format, args) }

// inbound gives where the sidecar takes requests; nil when it takes none.
func (r *registrar) inbound(p proxy) *mesh.Inbound {
	c := options(p.Config)
	out := &mesh.Inbound{Address: c.text("bind_address"), Port: c.number("bind_port"), LocalPort: p.LocalServicePort, Protocol: protocol(c.text("protocol"))}
	if out.Port == 0 {
		out.Port = r.in.Port
	}
	out.ConnectTimeout, out.Timeout = c.millis("local_connect_timeout_ms"), c.millis("local_request_timeout_ms")
	out.MaxConnections = c.number("max_inbound_connections")
	switch {
	case p.LocalServiceSocketPath != "":
		r.leave("local service at the socket %s", p.LocalServiceSocketPath)
		return nil
	case p.LocalServicePort == 0:
		return nil
	case p.LocalServiceAddress != "" && p.LocalServiceAddress != "127.0.0.1" && p.LocalServiceAddress != "localhost":
		r.leave("local service at %s: it is reached at 127.0.0.1", p.LocalServiceAddress)
	}
	r.others("Config", c)
	return out
}

// upstream takes one upstream over; ok is false for one that cannot be served.
func (r *registrar) upstream(u upstream) (out mesh.Upstream, ok bool) {
	name := "upstream " + u.DestinationName
	switch {
	case u.CentrallyConfigured && u.LocalBindPort == 0 && u.LocalBindSocketPath == "":
		return out, false // settings for an upstream that has no listener of its own
	case u.DestinationType != "" && u.DestinationType != "service":
		r.leave("%s: it is a %s", name, u.DestinationType)
		return out, false
	case u.DestinationPeer != "":
		r.leave("%s of peer %s: %s", name, u.DestinationPeer, errPeer)
		return out, false
	case u.DestinationPartition != "" && usual(u.DestinationPartition) != usual(r.in.Partition):
		r.leave("%s of admin partition %s", name, u.DestinationPartition)
		return out, false
	case u.LocalBindSocketPath != "":
		r.leave("%s at the socket %s", name, u.LocalBindSocketPath)
		return out, false
	}
	out.Target = mesh.Target{Service: u.DestinationName, Datacenter: u.Datacenter, Namespace: u.DestinationNamespace}
	if out.Target.Datacenter == r.in.Datacenter {
		out.Target.Datacenter = ""
	}
	if usual(out.Target.Namespace) == usual(r.in.Namespace) {
		out.Target.Namespace = ""
	}
	out.Address, out.Port = u.LocalBindAddress, u.LocalBindPort
	if u.MeshGateway.Mode != "" && u.MeshGateway.Mode != "none" {
		r.leave("%s: mesh gateway mode %s, its instances are reached directly", name, u.MeshGateway.Mode)
	}
	r.tune(&out, name, options(u.Config))
	return out, true
}

// usual gives "" for the name that Consul gives to what has none.
func usual(name string) string {
	if name == "default" {
		return ""
	}
	return name
}

// tune takes over what the registration says of one upstream.
func (r *registrar) tune(out *mesh.Upstream, name string, c config) {
	if p := c.text("protocol"); p != "" {
		out.Protocol = protocol(p)
	}
	out.ConnectTimeout = c.millis("connect_timeout_ms")
	if l := c.inner("limits"); len(l) > 0 {
		b := mesh.Breaker{Connections: l.number("max_connections"), Pending: l.number("max_pending_requests"), Requests: l.number("max_concurrent_requests")}
		if b != (mesh.Breaker{}) {
			out.Breaker = &b
		}
		r.others(name+": limits", l)
	}
	if h := c.inner("passive_health_check"); len(h) > 0 {
		o := mesh.Outlier{Failures: h.number("max_failures"), Interval: h.span("interval"), Ejection: h.span("base_ejection_time"), MaxPercent: h.number("max_ejection_percent")}
		if o != (mesh.Outlier{}) {
			out.Outlier = &o
		}
		r.others(name+": passive_health_check", h)
	}
	r.others(name, c)
}

// others names what was not asked for.
func (r *registrar) others(where string, c config) {
	for _, key := range slices.Sorted(maps.Keys(c)) {
		if !empty(c[key].value) {
			r.leave("%s: %s", where, c[key].name)
		}
	}
}

func (r *registrar) rest(p proxy) {
	if p.Mode != "" && p.Mode != "direct" {
		r.leave("mode %s: only upstreams with a port are served", p.Mode)
	}
	if p.Expose.Checks || len(p.Expose.Paths) > 0 {
		r.leave("Expose")
	}
	if len(p.EnvoyExtensions) > 0 {
		r.leave("EnvoyExtensions")
	}
}

// logs gives the access log; nil leaves that of the mesh.
func (r *registrar) logs(in *accessLogs) *mesh.Observe {
	if in == nil || !in.Enabled {
		return nil
	}
	out := &mesh.Observe{AccessLog: "/dev/stdout", JSON: in.TextFormat == ""}
	switch in.Type {
	case "file":
		out.AccessLog = in.Path
	case "stderr":
		out.AccessLog = "/dev/stderr"
	}
	if in.JSONFormat != "" || in.TextFormat != "" {
		r.leave("format of the access log: Patchbay's own is used")
	}
	return out
}
