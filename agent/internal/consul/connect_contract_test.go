package consul

import (
	"strings"
	"testing"
	"time"

	"patchbay/agent/config"
	"patchbay/tasks"
	"patchbay/tasks/catalog"
	"patchbay/xds"
	"patchbay/xds/mesh"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/consul/api"
	"github.com/hashicorp/consul/sdk/testutil"
)

// withConnect is a Consul with a CA that denies by default.
func withConnect(c *testutil.TestServerConfig) {
	c.ACL.Enabled, c.ACL.DefaultPolicy, c.ACL.Tokens.InitialManagement = true, "deny", management
	c.Connect = map[string]any{"enabled": true}
}

// connection follows Consul Connect and gathers what it tells.
type connection struct {
	*real
	connect *Connect
	known   xds.News
}

func (r *real) connected() *connection {
	c := &connection{real: r, connect: r.client.Connect(false)}
	done := make(chan error, 1)
	go func() { done <- c.connect.Run(r.ctx) }()
	r.t.Cleanup(func() {
		if err := <-done; err != nil {
			r.t.Error(err)
		}
	})
	return c
}

// knows waits until what is known is as wanted.
func (c *connection) knows(what string, wanted func(xds.News) bool) {
	c.t.Helper()
	limit := time.After(patience)
	for !wanted(c.known) {
		select {
		case <-c.connect.Changed():
			c.known = c.known.And(c.connect.Take())
		case <-limit:
			c.t.Fatalf("%s: did not come", what)
		}
	}
}

func (r *real) policy(rules string) (token string) {
	r.t.Helper()
	policy, _, err := r.api.ACL().PolicyCreate(&api.ACLPolicy{Name: strings.NewReplacer(" ", "", `"`, "", "{", "", "}", "", "=", "-", "_", "").Replace(rules), Rules: rules}, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	made, _, err := r.api.ACL().TokenCreate(&api.ACLToken{Policies: []*api.ACLLink{{ID: policy.ID}}}, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return made.SecretID
}

func (r *real) write(entry api.ConfigEntry) {
	r.t.Helper()
	if _, _, err := r.api.ConfigEntries().Set(entry, nil); err != nil {
		r.t.Fatal(err)
	}
}

func TestContractIdentitiesAndIntentionsComeFromConsul(t *testing.T) {
	r := onConsul(t, config.Consul{Token: tasks.NewSecret(management)}, withConnect)
	c := r.connected()
	c.connect.Want([]string{"web"})
	c.knows("all of web", func(n xds.News) bool {
		_, told := n.Intentions["web"]
		return n.Trust.Datacenter == "dc1" && strings.HasSuffix(n.Trust.Domain, ".consul") && n.Roots != nil && n.Leaves["web"] != nil && told
	})
	if d := cmp.Diff(mesh.Intentions{Deny: true}, c.known.Intentions["web"]); d != "" {
		t.Errorf("without an intention (-want +got):\n%s", d)
	}
	if n := strings.Count(c.known.Authorities, "BEGIN CERTIFICATE"); n != 1 {
		t.Errorf("%d roots are trusted at first", n)
	}
	r.write(&api.ServiceConfigEntry{Kind: api.ServiceDefaults, Name: "web", Protocol: "http"})
	r.write(&api.ServiceIntentionsConfigEntry{Kind: api.ServiceIntentions, Name: "web", Sources: []*api.SourceIntention{
		{Name: "shop", Action: api.IntentionActionAllow},
		{Name: "cart", Permissions: []*api.IntentionPermission{{Action: api.IntentionActionAllow, HTTP: &api.IntentionHTTPPermission{
			PathPrefix: "/api", Methods: []string{"GET"}, Header: []api.IntentionHTTPHeaderPermission{{Name: "x-a", Exact: "1", Invert: true}}}}}},
	}})
	want := mesh.Intentions{Deny: true, List: []mesh.Intention{
		{Source: mesh.Source{Name: "cart", Namespace: "default"}, Precedence: 9, Permissions: []mesh.Permission{{Allow: true, Match: mesh.Match{
			Prefix: "/api", Methods: []string{"GET"}, Headers: []mesh.Field{{Name: "x-a", Exact: "1", Absent: true}}}}}},
		{Source: mesh.Source{Name: "shop", Namespace: "default"}, Precedence: 9, Allow: true}}}
	c.knows("both intentions", func(n xds.News) bool { return cmp.Equal(want, n.Intentions["web"]) })
	r.write(&api.JWTProviderConfigEntry{Kind: api.JWTProvider, Name: "idp", Issuer: "i", JSONWebKeySet: &api.JSONWebKeySet{Local: &api.LocalJWKS{JWKS: "eyJrZXlzIjpbXX0="}}})
	r.write(&api.ServiceIntentionsConfigEntry{Kind: api.ServiceIntentions, Name: "web", JWT: &api.IntentionJWTRequirement{Providers: []*api.IntentionJWTProvider{{Name: "idp"}}},
		Sources: []*api.SourceIntention{{Name: "shop", Action: api.IntentionActionAllow}}})
	want.List = []mesh.Intention{{Source: mesh.Source{Name: "shop", Namespace: "default"}, Precedence: 9}}
	c.knows("a demand of a token, which denies", func(n xds.News) bool { return cmp.Equal(want, n.Intentions["web"]) })
	ca, _, err := r.api.Connect().CAGetConfig(nil)
	if err != nil {
		t.Fatal(err)
	}
	ca.Config["PrivateKeyType"], ca.Config["PrivateKeyBits"] = "rsa", 2048
	if _, err := r.api.Connect().CASetConfig(ca, nil); err != nil {
		t.Fatal(err)
	}
	c.knows("the old root and the new", func(n xds.News) bool { return strings.Count(n.Authorities, "BEGIN CERTIFICATE") == 2 })
}

func TestContractProxiesOfAServiceAreItsConnectInstances(t *testing.T) {
	r := onConsul(t, config.Consul{Token: tasks.NewSecret(management)}, withConnect)
	r.register("n1", "web", "web-1", 80, "passing")
	r.register("n1", "web-sidecar-proxy", "web-1-proxy", 21000, "passing", func(reg *api.CatalogRegistration) {
		reg.Service.Kind, reg.Service.Proxy = api.ServiceKindConnectProxy, &api.AgentServiceConnectProxyConfig{DestinationServiceName: "web", DestinationServiceID: "web-1"}
	})
	q := catalog.Query{Kind: catalog.ServiceConnect, Name: "web"}
	s, _ := r.until(r.client.Watch(r.ctx, []catalog.Want{q}), "the proxy", func(s catalog.Snapshot) bool {
		v, ok := s.View(q)
		return ok && len(v.Instances) == 1
	})
	v, _ := s.View(q)
	if i := v.Instances[0]; i.ID != "web-1-proxy" || i.Port != 21000 {
		t.Errorf("web is reached at %s, port %d", i.ID, i.Port)
	}
}

func TestContractConsulJudgesTheTokensOfClients(t *testing.T) {
	r := onConsul(t, config.Consul{Token: tasks.NewSecret(management)}, withConnect)
	web := r.policy(`service "web" { policy = "write" }`)
	for name, c := range map[string]struct {
		token, service string
		want           bool
	}{
		"a token of the service":     {web, "web", true},
		"a token of another service": {web, "shop", false},
		"a token that nobody knows":  {"0f0a5f6e-8a3b-4e0a-9a39-6f5fd2a1c0ff", "web", false},
		"a right to read alone":      {r.policy(`service "web" { policy = "read" }`), "web", false},
	} {
		t.Run(name, func(t *testing.T) {
			allowed, judged, err := r.client.MayWrite(r.ctx, tasks.NewSecret(c.token), c.service)
			if err != nil || !judged || allowed != c.want {
				t.Errorf("allowed %t, judged %t, %v; want %t", allowed, judged, err, c.want)
			}
		})
	}
}

func TestContractATokenProvesNothingWithoutACLs(t *testing.T) {
	r := onConsul(t, config.Consul{}, nil)
	allowed, judged, err := r.client.MayWrite(r.ctx, tasks.NewSecret("anything"), "web")
	if allowed || judged || err != nil {
		t.Errorf("allowed %t, judged %t, %v", allowed, judged, err)
	}
}
