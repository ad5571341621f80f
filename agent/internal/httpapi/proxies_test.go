package httpapi

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"patchbay/tasks"
	"patchbay/xds"
	"patchbay/xds/server"

	"github.com/google/go-cmp/cmp"
)

// envoys is one target and one client.
type envoys struct{ err error }

func (e envoys) Targets(context.Context) ([]XDSTarget, error) {
	return []XDSTarget{{Name: "web/v2", Healthy: 1, Total: 2, Version: "x",
		Omitted: []XDSOmission{{Instance: "web-3.n1.dc1", Why: "its port is 0"}}}}, e.err
}

func (envoys) Clients() []server.Client {
	return []server.Client{{Peer: server.Peer{Node: "edge@host-1", Role: "gateway/edge", Agent: "envoy 1.40.0", Address: "127.0.0.1:4000"},
		Types: []server.TypeState{{Type: xds.Cluster, Subscribed: 2, Pending: 1, Responses: 3, Refused: 1, Acked: "a", Rejected: "b", Reason: "no such thing",
			Waiting: 1500 * time.Microsecond, Resources: map[string]string{"web/v2": "a"}}}}}
}

func TestEnvoysAreTold(t *testing.T) {
	f := newFake()
	f.proxies = envoys{}
	var all XDS
	if err := json.Unmarshal(call(t, f, "GET", "/v1/xds", nil).Body.Bytes(), &all); err != nil {
		t.Fatal(err)
	}
	client := XDSClient{Node: "edge@host-1", Role: "gateway/edge", Agent: "envoy 1.40.0", Address: "127.0.0.1:4000",
		Types: []XDSType{{Type: "CDS", Subscribed: 2, Pending: 1, Responses: 3, Refused: 1, Acked: "a", Rejected: "b", Reason: "no such thing", LagMS: 1.5}}}
	targets, err := envoys{}.Targets(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(XDS{RequestID: all.RequestID, Targets: targets, Clients: []XDSClient{client}}, all); diff != "" {
		t.Error(diff)
	}
	var one OneXDSClient
	if err := json.Unmarshal(call(t, f, "GET", "/v1/xds/clients/edge@host-1", nil).Body.Bytes(), &one); err != nil {
		t.Fatal(err)
	}
	client.Types[0].Resources = map[string]string{"web/v2": "a"}
	if diff := cmp.Diff([]XDSClient{client}, one.Clients); diff != "" {
		t.Error(diff)
	}
}

func TestEnvoysThatAreNotThereAreToldToBeMissing(t *testing.T) {
	for name, c := range map[string]struct {
		proxies Proxies
		path    string
		status  int
		says    string
	}{
		"no xds block":       {nil, "/v1/xds", 404, "add an xds block"},
		"another node":       {envoys{}, "/v1/xds/clients/shop", 404, "no client with node id 'shop' is connected"},
		"the agent is going": {envoys{err: tasks.ErrStopping}, "/v1/xds", 503, "the agent is stopping"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			f.proxies = c.proxies
			w := call(t, f, "GET", c.path, nil)
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.says) {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
}
