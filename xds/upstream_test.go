package xds

import (
	"strings"
	"testing"
	"time"

	"patchbay/xds/mesh"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
)

// made gives a cluster of a role.
func made(t *testing.T, r Role, name string) *cluster.Cluster {
	t.Helper()
	for _, x := range r.Resources {
		if x.Type == Cluster && x.Name == name {
			out := &cluster.Cluster{}
			if err := x.Body.UnmarshalTo(out); err != nil {
				t.Fatal(err)
			}
			return out
		}
	}
	t.Fatalf("role %s has no cluster %s", r.Name, name)
	return nil
}

func TestAnUpstreamHasSettingsOfItsOwnForOneSidecar(t *testing.T) {
	own := mesh.Upstream{Target: mesh.Target{Service: "web"}, Port: 9001, Protocol: mesh.HTTP, ConnectTimeout: 700 * time.Millisecond,
		Breaker: &mesh.Breaker{Connections: 3}, Outlier: &mesh.Outlier{Failures: 2}}
	m := &mesh.Mesh{
		Services: []mesh.Service{{Name: "web", Protocol: mesh.TCP, Default: []mesh.Leg{{Target: mesh.Target{Service: "a"}, Exact: true, Weight: 9000},
			{Target: mesh.Target{Service: "b", Datacenter: "dc2"}, Exact: true, Weight: 1000}}}},
		Sidecars: []mesh.Sidecar{{Service: "shop", Variant: "x", Upstreams: []mesh.Upstream{own}},
			{Service: "cart", Upstreams: []mesh.Upstream{{Target: own.Target, Port: 9001}}}}}
	shop, err := NewRole(m, VariantRole("shop", "x"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b@dc2"} {
		c := made(t, shop, name)
		if c.GetConnectTimeout().AsDuration() != own.ConnectTimeout || c.GetCircuitBreakers().GetThresholds()[0].GetMaxConnections().GetValue() != 3 ||
			c.GetOutlierDetection().GetConsecutive_5Xx().GetValue() != 2 {
			t.Errorf("cluster %s has not what the registration says: %v", name, c)
		}
	}
	routed := false
	for _, r := range shop.Resources {
		routed = routed || r.Type == Routes && r.Name == "web"
	}
	if !routed {
		t.Error("the protocol of the registration does not count")
	}
	cart, err := NewRole(m, SidecarRole("cart"))
	if err != nil {
		t.Fatal(err)
	}
	if c := made(t, cart, "a"); c.GetConnectTimeout().AsDuration() != connectTimeout || c.GetCircuitBreakers() != nil {
		t.Errorf("another sidecar has them too: %v", c)
	}
}

func TestWhatTheRegistrationSaysOfTheProgramHoldsForItsCluster(t *testing.T) {
	m := &mesh.Mesh{Sidecars: []mesh.Sidecar{{Service: "shop", Inbound: &mesh.Inbound{Port: 21000, LocalPort: 8080, ConnectTimeout: 300 * time.Millisecond, MaxConnections: 7}}}}
	r, err := NewRole(m, SidecarRole("shop"))
	if err != nil {
		t.Fatal(err)
	}
	c := made(t, r, LocalCluster)
	if c.GetConnectTimeout().AsDuration() != 300*time.Millisecond || c.GetCircuitBreakers().GetThresholds()[0].GetMaxConnections().GetValue() != 7 {
		t.Errorf("the cluster of the program is %v", c)
	}
}

func TestARegisteredSidecarHasAccessLogsOfItsOwn(t *testing.T) {
	logs := func(observe *mesh.Observe) string {
		m := &mesh.Mesh{Observe: mesh.Observe{AccessLog: "/of/all"}, Sidecars: []mesh.Sidecar{{Service: "shop", Variant: "x", Observe: observe,
			Upstreams: []mesh.Upstream{{Target: mesh.Target{Service: "web"}, Port: 9001}}}}}
		r, err := NewRole(m, VariantRole("shop", "x"))
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range r.Resources {
			if x.Type == Listener {
				return string(x.Body.GetValue())
			}
		}
		t.Fatal("there is no listener")
		return ""
	}
	if got := logs(&mesh.Observe{AccessLog: "/of/one"}); !strings.Contains(got, "/of/one") || strings.Contains(got, "/of/all") {
		t.Errorf("its own log is not the one: %q", got)
	}
	if got := logs(nil); !strings.Contains(got, "/of/all") {
		t.Errorf("without its own it has not that of all: %q", got)
	}
}

func TestARoleIsSplitAsItIsMade(t *testing.T) {
	for _, c := range [][2]string{{"web", ""}, {"web", "1a2b"}, {"a#b", "1a2b"}} {
		if service, variant := SplitRole(VariantRole(c[0], c[1])); service != c[0] || variant != c[1] {
			t.Errorf("%v is read as %q and %q", c, service, variant)
		}
	}
	if service, _ := SplitRole(GatewayRole("edge")); service != "" {
		t.Errorf("a gateway is a sidecar of %q", service)
	}
}
