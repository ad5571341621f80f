package mesh

import (
	"cmp"
	"net/url"
	"slices"
	"time"
)

// Protocol is what a service speaks.
type Protocol string

// The protocols; "" means TCP.
const (
	TCP   Protocol = "tcp"
	HTTP  Protocol = "http"
	HTTP2 Protocol = "http2"
	GRPC  Protocol = "grpc"
)

// L7 tells whether requests of the protocol can be routed one by one.
func (p Protocol) L7() bool { return p == HTTP || p == HTTP2 || p == GRPC }

// Target names a set of instances: those of a service, or of one of its subsets.
// It is comparable.
type Target struct {
	Service string
	// Subset is "" for all instances.
	Subset string
	// Datacenter and Namespace are "" for the agent's own.
	Datacenter, Namespace string
	// Connect tells that the instances are reached through their sidecars, by mutual
	// TLS; it is set of endpoints alone, never of what is declared.
	Connect bool
}

// Plain is the target as it is declared.
func (t Target) Plain() Target {
	t.Connect = false
	return t
}

// String names the target's cluster: service, then /subset, @datacenter and
// +namespace where they are set, and !connect. Different targets have different names.
func (t Target) String() string {
	out := url.PathEscape(t.Service)
	for _, part := range []struct{ sign, text string }{{"/", t.Subset}, {"@", t.Datacenter}, {"+", t.Namespace}} {
		if part.text != "" {
			out += part.sign + url.QueryEscape(part.text)
		}
	}
	if t.Connect {
		out += "!connect"
	}
	return out
}

// Compare orders targets by service, subset, datacenter and namespace.
func (t Target) Compare(u Target) int {
	return cmp.Or(cmp.Compare(t.Service, u.Service), cmp.Compare(t.Subset, u.Subset),
		cmp.Compare(t.Datacenter, u.Datacenter), cmp.Compare(t.Namespace, u.Namespace), cmp.Compare(rank(t.Connect), rank(u.Connect)))
}

func rank(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Service is how requests to a service are routed and how its instances are used.
type Service struct {
	Name string
	// Datacenter and Namespace are where its instances are; "" is the agent's own.
	Datacenter, Namespace string
	Protocol              Protocol
	Subsets               []Subset
	// DefaultSubset takes requests that no route sends elsewhere; "" means all
	// instances.
	DefaultSubset string
	// Routes are tried in order; what none matches goes to the service itself.
	Routes []Route
	// Default is how the requests that no route matches are split; nil sends all to
	// the default subset.
	Default []Leg
	// ConnectTimeout is for a connection to an instance; 0 means 5 s.
	ConnectTimeout time.Duration
	// Panic is the percentage, 0 to 100, of healthy instances below which requests
	// go to all instances; 0 means never.
	Panic    int
	Balance  Balance
	Outlier  *Outlier
	Breaker  *Breaker
	Failover []Target
	// Sticky, when set, keeps a caller on its leg through all changes of weight.
	Sticky *Cookie
	// Position is the file and line of the declaration, for errors.
	Position string
}

// Own gives the target of a subset of the service.
func (s Service) Own(subset string) Target {
	return Target{Service: s.Name, Subset: subset, Datacenter: s.Datacenter, Namespace: s.Namespace}
}

// HasSubset tells whether the subset is declared; "" always is.
func (s Service) HasSubset(name string) bool {
	return name == "" || slices.ContainsFunc(s.Subsets, func(x Subset) bool { return x.Name == name })
}

// Subset is a part of a service's instances.
type Subset struct {
	Name string
	// Filter is a Consul filter expression over health entries, such as
	// `Service.Meta.version == "2"`; "" selects all.
	Filter string
	// OnlyPassing leaves out instances with a warning.
	OnlyPassing bool
	// Failover, when it is not nil, takes the place of the service's own.
	Failover []Target
}

// Cookie keeps a caller where it was.
type Cookie struct {
	Name string
	// TTL is how long the caller stays; 0 means until its session ends.
	TTL  time.Duration
	Path string
}

// The policies of [Balance].
const (
	RoundRobin   = "round_robin"
	LeastRequest = "least_request"
	Random       = "random"
	RingHash     = "ring_hash"
	Maglev       = "maglev"
)

// Balance is how an instance is chosen.
type Balance struct {
	// Policy is one of the constants above; "" means round robin.
	Policy string
	// Choices is how many instances least_request compares, at least 2; 0 means 2.
	Choices int
	// MinRing and MaxRing bound the ring of ring_hash; 0 means Envoy's default.
	MinRing, MaxRing int
	// Hash says by what ring_hash and maglev choose, first that is there.
	Hash []Hash
}

// Hash is one thing of a request by which an instance is chosen: exactly one of
// Header, Cookie, Query and SourceIP.
type Hash struct {
	Header, Query string
	Cookie        *Cookie
	SourceIP      bool
	// Terminal ends the list when this thing is there.
	Terminal bool
}

// Outlier takes instances out that fail real requests.
type Outlier struct {
	// Failures in a row, 5xx or gateway errors, take an instance out; 0 means 5.
	Failures int
	// Interval is how often Envoy judges; 0 means 10 s.
	Interval time.Duration
	// Ejection is how long an instance is out the first time; 0 means 30 s.
	Ejection time.Duration
	// MaxPercent of a target's instances may be out at once, 1 to 100; 0 means 10.
	MaxPercent int
}

// Breaker bounds what is under way to a target from one sidecar; 0 means Envoy's
// default (1,024, and 3 retries).
type Breaker struct{ Connections, Pending, Requests, Retries int }
