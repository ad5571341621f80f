package xds

import (
	"testing"

	"patchbay/xds/mesh"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	tls "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
)

// bound is a mesh of shop, the gateway edge and web, whose spare is in dc2.
func bound(connect bool) *mesh.Mesh {
	return &mesh.Mesh{Connect: &mesh.Connect{Trust: td},
		Services: []mesh.Service{{Name: "web", Protocol: mesh.HTTP, Subsets: []mesh.Subset{{Name: "v1"}}, DefaultSubset: "v1",
			Failover: []mesh.Target{{Service: "web", Datacenter: "dc2"}}}},
		Sidecars: []mesh.Sidecar{
			{Service: "shop", Connect: connect, Upstreams: []mesh.Upstream{{Target: mesh.Target{Service: "web"}, Port: 9191}}},
			{Service: "web", Connect: connect, Inbound: &mesh.Inbound{Port: 21000, LocalPort: 8080, Protocol: mesh.HTTP}}},
		Gateways: []mesh.Gateway{{Name: "edge", Connect: connect, Listeners: []mesh.Door{{Port: 80, Protocol: mesh.HTTP, Hosts: []mesh.Host{{Target: mesh.Target{Service: "web"}}}}}}}}
}

// part gives one resource of a role, decoded.
func part(t *testing.T, m *mesh.Mesh, role string, kind Type, name string, into proto.Message) *Resource {
	t.Helper()
	r, err := NewRole(m, role)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range r.Resources {
		if x.Type == kind && x.Name == name {
			if err := x.Body.UnmarshalTo(into); err != nil {
				t.Fatal(err)
			}
			return x
		}
	}
	t.Fatalf("%s has no %s %s", role, kind, name)
	return nil
}

func TestWhoIsReachedMustShowAnIdentityOfTheTarget(t *testing.T) {
	for role, service := range map[string]string{SidecarRole("shop"): "shop", GatewayRole("edge"): "edge"} {
		t.Run(role, func(t *testing.T) {
			var c cluster.Cluster
			r := part(t, bound(true), role, Cluster, "web/v1", &c)
			if want := "web/v1!connect"; r.Waits != want || c.GetEdsClusterConfig().GetServiceName() != want {
				t.Errorf("its endpoints are %q, and it waits for %q", c.GetEdsClusterConfig().GetServiceName(), r.Waits)
			}
			var socket tls.UpstreamTlsContext
			if err := c.GetTransportSocket().GetTypedConfig().UnmarshalTo(&socket); err != nil {
				t.Fatal(err)
			}
			var ids []string
			combined := socket.GetCommonTlsContext().GetCombinedValidationContext()
			for _, san := range combined.GetDefaultValidationContext().GetMatchTypedSubjectAltNames() {
				if san.GetSanType() != tls.SubjectAltNameMatcher_URI {
					t.Errorf("a name of type %s is enough", san.GetSanType())
				}
				ids = append(ids, san.GetMatcher().GetExact())
			}
			want := []string{"spiffe://td.consul/ns/default/dc/dc1/svc/web", "spiffe://td.consul/ns/default/dc/dc2/svc/web"}
			if d := cmp.Diff(want, ids); d != "" {
				t.Errorf("want (-), got (+):\n%s", d)
			}
			named := []string{socket.GetSni(), socket.GetCommonTlsContext().GetTlsCertificateSdsSecretConfigs()[0].GetName(), combined.GetValidationContextSdsSecretConfig().GetName()}
			if d := cmp.Diff([]string{"v1.web.default.dc1.internal.td.consul", "leaf:" + service, "roots:td.consul"}, named); d != "" {
				t.Errorf("want (-), got (+):\n%s", d)
			}
		})
	}
}

func TestASidecarTakesCallersWithACertificateAlone(t *testing.T) {
	var l listener.Listener
	part(t, bound(true), SidecarRole("web"), Listener, "inbound", &l)
	var socket tls.DownstreamTlsContext
	if err := l.GetFilterChains()[0].GetTransportSocket().GetTypedConfig().UnmarshalTo(&socket); err != nil {
		t.Fatal(err)
	}
	if !socket.GetRequireClientCertificate().GetValue() {
		t.Error("no certificate is needed")
	}
	common := socket.GetCommonTlsContext()
	if got := common.GetCombinedValidationContext().GetValidationContextSdsSecretConfig().GetName(); got != "roots:td.consul" {
		t.Errorf("callers are checked by %q", got)
	}
	if len(common.GetTlsCertificates()) > 0 {
		t.Error("a certificate is part of the listener, so that another changes it")
	}
}

func TestWithoutConnectNothingIsSecuredAndNobodyIsIdentified(t *testing.T) {
	m := bound(false)
	var c cluster.Cluster
	if r := part(t, m, SidecarRole("shop"), Cluster, "web/v1", &c); r.Waits != "web/v1" || c.GetTransportSocket() != nil {
		t.Errorf("the cluster waits for %q, secured by %v", r.Waits, c.GetTransportSocket())
	}
	if r, err := NewRole(m, SidecarRole("web")); err != nil || r.Identity != "" || r.Owner != "web" {
		t.Errorf("the role has the identity %q and is %q's, %v", r.Identity, r.Owner, err)
	}
}
