package mesh

import "time"

// Mesh is all that is declared.
type Mesh struct {
	Services []Service
	Sidecars []Sidecar
	Gateways []Gateway
	// Logs, Tracing and Tags are for every sidecar and gateway.
	Observe Observe
	// Connect is what Consul says, not what is declared; nil until it is known.
	Connect *Connect
}

// Sidecar is an Envoy beside the instances of a service.
type Sidecar struct {
	Service string
	// Variant tells sidecars of one service apart that are registered differently; ""
	// for the one that is declared.
	Variant string
	// Observe, when it is not nil, takes the place of the mesh's.
	Observe *Observe
	// Connect makes all connections to and from other sidecars mutual TLS with
	// identities of Consul Connect.
	Connect bool
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
	// ConnectTimeout is for a connection to the program, 0 means 5 s; Timeout bounds a
	// request to it, 0 does not.
	ConnectTimeout, Timeout time.Duration
	// MaxConnections bounds the connections to the program; 0 means Envoy's default.
	MaxConnections int
}

// Upstream is a service that a sidecar reaches at an address of its own.
type Upstream struct {
	Target Target
	// Address is where the program connects to; "" means 127.0.0.1.
	Address  string
	Port     int
	Position string
	// What follows takes, where it is set, the place of what the service declares, for
	// this sidecar alone.
	Protocol       Protocol
	ConnectTimeout time.Duration
	Outlier        *Outlier
	Breaker        *Breaker
}

// Gateway is an Envoy at the edge.
type Gateway struct {
	Name string
	// Connect makes all connections to services mutual TLS, with the identity of a
	// service of the gateway's name.
	Connect   bool
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
