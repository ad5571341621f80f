package chain

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Bounds of an answer.
const (
	maxText  = 4 << 20
	maxNodes = 4096
)

// answer is the part of Consul's answer that is understood; names are Consul's.
// Fields without use are there so that they are not reported as unknown.
type answer struct{ Chain *compiled }

type compiled struct {
	ServiceName, Namespace, Partition, Datacenter string
	Protocol, StartNode                           string
	Default                                       bool
	EnvoyExtensions                               []any
	ServiceMeta                                   map[string]string
	CustomizationHash                             string
	Nodes                                         map[string]*node
	Targets                                       map[string]*target
	AutoVirtualIPs, ManualVirtualIPs              []string
}

type node struct {
	Type, Name   string
	Routes       []route
	Splits       []split
	Resolver     *resolver
	LoadBalancer *balancer
}

type route struct {
	Definition *struct {
		Match       *match
		Destination *destination
	}
	NextNode string
}

type match struct{ HTTP *httpMatch }

type httpMatch struct {
	PathExact, PathPrefix, PathRegex string
	CaseInsensitive                  bool
	Header                           []headerMatch
	QueryParam                       []queryMatch
	Methods                          []string
}

type headerMatch struct {
	Name                                   string
	Present                                bool
	Exact, Prefix, Suffix, Contains, Regex string
	IgnoreCase, Invert                     bool
}

type queryMatch struct {
	Name         string
	Present      bool
	Exact, Regex string
}

type destination struct {
	Service, ServiceSubset, Namespace, Partition string
	PrefixRewrite                                string
	RequestTimeout, IdleTimeout                  span
	NumRetries                                   uint32
	RetryOnConnectFailure                        bool
	RetryOn                                      []string
	RetryOnStatusCodes                           []uint32
	RequestHeaders, ResponseHeaders              *headers
}

type headers struct {
	Add, Set map[string]string
	Remove   []string
}

type split struct {
	Definition *struct {
		Weight                                       float64
		Service, ServiceSubset, Namespace, Partition string
		RequestHeaders, ResponseHeaders              *headers
	}
	Weight   float64
	NextNode string
}

type resolver struct {
	Default                        bool
	ConnectTimeout, RequestTimeout span
	Target                         string
	Failover                       *failover
}

type failover struct {
	Targets []string
	Policy  *struct {
		Mode    string
		Regions []string
	}
}

type balancer struct {
	Policy         string
	RingHashConfig *struct {
		MinimumRingSize, MaximumRingSize uint64
	}
	LeastRequestConfig *struct{ ChoiceCount uint32 }
	HashPolicies       []hashPolicy
}

type hashPolicy struct {
	Field, FieldValue string
	CookieConfig      *struct {
		Session bool
		TTL     span
		Path    string
	}
	SourceIP, Terminal bool
}

type target struct {
	ID, Service, ServiceSubset             string
	Namespace, Partition, Datacenter, Peer string
	MeshGateway                            struct{ Mode string }
	Subset                                 struct {
		Filter      string
		OnlyPassing bool
	}
	ConnectTimeout   span
	External         bool
	SNI, Name        string
	Locality         *struct{ Region, Zone string }
	TransparentProxy struct {
		OutboundListenerPort int
		DialedDirectly       bool
	}
}

// span is a duration that Consul writes as text in some places and as nanoseconds in
// others.
type span time.Duration

// UnmarshalJSON implements [json.Unmarshaler].
func (s *span) UnmarshalJSON(b []byte) error {
	if n, err := strconv.ParseInt(string(b), 10, 64); err == nil {
		*s = span(n)
		return nil
	}
	var text *string
	if err := json.Unmarshal(b, &text); err != nil || text == nil || *text == "" {
		return err
	}
	d, err := time.ParseDuration(*text)
	*s = span(d)
	return err
}

// decode reads an answer and the names of what it holds beyond what is understood.
func decode(text []byte) (*compiled, []string, error) {
	if len(text) > maxText {
		return nil, nil, fmt.Errorf("the answer is larger than %d MiB", maxText>>20)
	}
	var a answer
	if err := json.Unmarshal(text, &a); err != nil {
		return nil, nil, err
	}
	if a.Chain == nil || a.Chain.ServiceName == "" {
		return nil, nil, errors.New("the answer holds no chain")
	}
	if len(a.Chain.Nodes)+len(a.Chain.Targets) > maxNodes {
		return nil, nil, fmt.Errorf("it has more than %d nodes and targets", maxNodes)
	}
	more, err := unknown(text, a)
	return a.Chain, more, err
}
