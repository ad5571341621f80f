package httpapi

import (
	"context"
	"net/http"
	"time"

	"patchbay/xds"
	"patchbay/xds/server"
)

// Proxies tells how Envoys are served.
type Proxies interface {
	// Targets tells how every set of instances is served, in order.
	Targets(ctx context.Context) ([]XDSTarget, error)
	// Clients lists who is connected, by node.
	Clients() []server.Client
}

// XDSTarget is a set of instances as Envoys are given it.
type XDSTarget struct {
	Name string `json:"name"`
	// Healthy of Total endpoints take requests.
	Healthy int `json:"healthy"`
	Total   int `json:"total"`
	// Omitted are instances that clients cannot be given.
	Omitted []XDSOmission `json:"omitted"`
	// Held says why the last good endpoints are kept; "" when they are the newest.
	Held string `json:"held"`
	// Rules says what is not as the service's entries in Consul say; "" when all is.
	Rules string `json:"rules"`
	// Version is "" until Consul answered for the target.
	Version string `json:"version"`
}

// XDSOmission is an instance that clients cannot be given.
type XDSOmission struct {
	Instance string `json:"instance"`
	Why      string `json:"why"`
}

// XDSClient is a connected client; Types lists CDS, EDS, SDS, LDS and RDS as far as
// it asked for them.
type XDSClient struct {
	Node    string    `json:"node"`
	Role    string    `json:"role"`
	Agent   string    `json:"agent"`
	Address string    `json:"address"`
	Types   []XDSType `json:"types"`
}

// XDSType is what a client has of one type.
type XDSType struct {
	Type string `json:"type"`
	// Subscribed counts what it asked for; Pending those of which it has not
	// acknowledged the newest.
	Subscribed int    `json:"subscribed"`
	Pending    int    `json:"pending"`
	Responses  uint64 `json:"responses"`
	Refused    uint64 `json:"refused"`
	// Acked and Rejected are versions of whole responses; Reason is the client's.
	Acked    string `json:"acked"`
	Rejected string `json:"rejected"`
	Reason   string `json:"reason"`
	// LagMS is how long the oldest change has waited to be acknowledged, in
	// milliseconds; 0 when there is none.
	LagMS float64 `json:"lag_ms"`
	// Resources are the versions last accepted, by name; only for one client.
	Resources map[string]string `json:"resources,omitempty"`
}

// XDS is the answer of GET /v1/xds.
type XDS struct {
	RequestID string      `json:"request_id"`
	Targets   []XDSTarget `json:"targets"`
	Clients   []XDSClient `json:"clients"`
}

// OneXDSClient is the answer of GET /v1/xds/clients/{node}; streams of one node are
// several while it connects anew.
type OneXDSClient struct {
	RequestID string      `json:"request_id"`
	Clients   []XDSClient `json:"clients"`
}

// served lets a request through when Envoys are served at all.
func (a *api) served(next func(exchange)) func(exchange) {
	return func(x exchange) {
		if a.Proxies == nil {
			x.fail(http.StatusNotFound, "no Envoys are served: add an xds block to the configuration")
			return
		}
		next(x)
	}
}

func (a *api) xds(x exchange) {
	targets, err := a.Proxies.Targets(x.r.Context())
	if err != nil {
		x.fail(http.StatusServiceUnavailable, "the agent is stopping: %s", err)
		return
	}
	out := XDS{RequestID: x.id(), Targets: targets, Clients: []XDSClient{}}
	for _, c := range a.Proxies.Clients() {
		out.Clients = append(out.Clients, newXDSClient(c, false))
	}
	x.answer(http.StatusOK, out)
}

func (a *api) xdsClient(x exchange) {
	node := x.r.PathValue("node")
	out := OneXDSClient{RequestID: x.id()}
	for _, c := range a.Proxies.Clients() {
		if c.Node == node {
			out.Clients = append(out.Clients, newXDSClient(c, true))
		}
	}
	if out.Clients == nil {
		x.fail(http.StatusNotFound, "no client with node id '%s' is connected; GET /v1/xds lists those that are", clip(node))
		return
	}
	x.answer(http.StatusOK, out)
}

func newXDSClient(c server.Client, whole bool) XDSClient {
	out := XDSClient{Node: c.Node, Role: c.Role, Agent: c.Agent, Address: c.Address, Types: make([]XDSType, 0, xds.Types)}
	for _, t := range c.Types {
		one := XDSType{Type: t.Type.String(), Subscribed: t.Subscribed, Pending: t.Pending, Responses: t.Responses, Refused: t.Refused,
			Acked: t.Acked, Rejected: t.Rejected, Reason: t.Reason, LagMS: float64(t.Waiting) / float64(time.Millisecond)}
		if whole {
			one.Resources = t.Resources
		}
		out.Types = append(out.Types, one)
	}
	return out
}
