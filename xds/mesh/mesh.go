package mesh

import "slices"

// Mesh is all that is declared.
type Mesh struct {
	Services []Service
	Sidecars []Sidecar
	Gateways []Gateway
	// Logs, Tracing and Tags are for every sidecar and gateway.
	Observe Observe
}

// Sidecar is an Envoy beside the instances of a service.
type Sidecar struct {
	Service string
	// Inbound takes requests for the service; nil when the sidecar is for outgoing
	// requests only.
	Inbound   *Inbound
	Upstreams []Upstream
	Position  string
}

// Inbound is where a sidecar listens and what it passes on to.
type Inbound struct {
	// Address is where it listens; "" means all addresses.
	Address string
	Port    int
	// LocalPort is the program's own, on 127.0.0.1.
	LocalPort int
	Protocol  Protocol
}

// Upstream is a service that a sidecar reaches at an address of its own.
type Upstream struct {
	Target Target
	// Address is where the program connects to; "" means 127.0.0.1.
	Address  string
	Port     int
	Position string
}

// Gateway is an Envoy at the edge.
type Gateway struct {
	Name      string
	Listeners []Door
	Position  string
}

// Door is one listener of a gateway.
type Door struct {
	// Address is where it listens; "" means 127.0.0.1.
	Address  string
	Port     int
	Protocol Protocol
	// Hosts are tried by the most specific name; for TCP they are names of TLS (SNI).
	Hosts    []Host
	Position string
}

// Host is a service behind a gateway.
type Host struct {
	Target Target
	// Names are host names such as web.example.com or *.example.com; none means all.
	Names []string
}

// Observe switches on what tells of requests.
type Observe struct {
	// AccessLog is a path such as /dev/stdout; "" means none. JSON chooses the format.
	AccessLog string
	JSON      bool
	// Tracing is the address host:port of an OpenTelemetry collector (gRPC); "" means
	// none. Sample is in hundredths of a percent of requests.
	Tracing string
	Sample  uint32
	// Tags are added to every statistic.
	Tags map[string]string
}

// Service gives what is declared of a service; what nothing is declared of is TCP
// with all of its instances.
func (m *Mesh) Service(t Target) Service {
	n := slices.IndexFunc(m.Services, func(s Service) bool {
		return s.Name == t.Service && s.Datacenter == t.Datacenter && s.Namespace == t.Namespace
	})
	if n < 0 {
		return Service{Name: t.Service, Datacenter: t.Datacenter, Namespace: t.Namespace, Protocol: TCP}
	}
	return m.Services[n]
}

// Targets lists the clusters that requests to a target can go to, in order.
func (m *Mesh) Targets(t Target) []Target {
	var out []Target
	for _, leg := range m.Legs(t) {
		out = append(out, leg.Target)
	}
	if t.Subset == "" {
		for _, r := range m.Service(t).Routes {
			for _, leg := range r.To {
				out = append(out, leg.Target)
			}
			if r.Mirror != nil {
				out = append(out, r.Mirror.Target)
			}
		}
	}
	slices.SortFunc(out, Target.Compare)
	return slices.Compact(out)
}

// Behind lists whose instances serve a target: its own, then those that it fails
// over to.
func (m *Mesh) Behind(t Target) []Target {
	return append([]Target{t}, m.Service(t).Failover...)
}

// Legs are the targets of a service's requests that no route matches. A subset that
// is named outright is itself.
func (m *Mesh) Legs(t Target) []Leg {
	s := m.Service(t)
	switch {
	case t.Subset != "":
		return []Leg{{Target: t, Weight: Whole}}
	case len(s.Default) > 0:
		return s.Default
	}
	return []Leg{{Target: s.Own(s.DefaultSubset), Weight: Whole}}
}
