package consul

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"patchbay/agent/config"
	"patchbay/tasks"
	"patchbay/tasks/catalog"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/consul/api"
	"github.com/hashicorp/consul/sdk/testutil"
	"github.com/hashicorp/go-hclog"
)

var everyWant = []catalog.Want{catalog.Selector{Names: []string{"web", "api"}}, catalog.Query{Kind: catalog.KVPrefix, Name: "fw/"},
	catalog.Query{Kind: catalog.KVKey, Name: "lb"}, catalog.Query{Kind: catalog.ServiceHealth, Name: "far", Datacenter: "dc9"}}

func TestTheRightsNeededAreThoseOfTheWants(t *testing.T) {
	cases := map[string]struct {
		wants []catalog.Want
		r     Registration
		want  []string
	}{
		"nothing": {},
		"services, keys and a registration": {everyWant, asPatchbay, []string{`service:read on "api"`, "node:read on all nodes",
			`service:read on "web"`, `key:read on "fw/"`, `key:read on "lb"`, `service:write on "patchbay"`}},
		"services by regexp": {[]catalog.Want{catalog.Selector{Regexp: "^web"}}, Registration{}, []string{"service:read on all services", "node:read on all nodes"}},
		"a list of services": {[]catalog.Want{tasks.CatalogServices{}.Query()}, Registration{}, []string{"service:read on all services"}},
		"a list by node metadata": {[]catalog.Want{tasks.CatalogServices{NodeMeta: map[string]string{"a": "b"}}.Query()}, Registration{},
			[]string{"service:read on all services", "node:read on all nodes"}},
		"nodes": {[]catalog.Want{tasks.Nodes{}.Query()}, Registration{}, []string{"node:read on all nodes"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, r := range needed(c.wants, c.r) {
				got = append(got, r.String())
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// advice is what a client of the token says.
func (r *real) advice(token string) string {
	r.t.Helper()
	client, err := New(config.Consul{Address: r.server.HTTPAddr, Token: tasks.NewSecret(token), MaxPolls: 2}, hclog.NewNullLogger())
	if err != nil {
		r.t.Fatal(err)
	}
	defer client.conns.CloseIdleConnections()
	log := &lines{}
	client.log = hclog.New(&hclog.LoggerOptions{Output: log, Level: hclog.Warn})
	client.AdviseToken(r.ctx, everyWant, asPatchbay)
	log.mu.Lock()
	defer log.mu.Unlock()
	if text := log.buf.String(); token == "" || !strings.Contains(text, token) {
		return text
	}
	r.t.Error("the token is in the log")
	return ""
}

func TestContractAdviceTellsWhatTheTokenLacks(t *testing.T) {
	r := onConsul(t, config.Consul{Token: tasks.NewSecret(management)}, func(c *testutil.TestServerConfig) {
		c.ACL.Enabled, c.ACL.DefaultPolicy, c.ACL.Tokens.InitialManagement = true, "deny", management
	})
	policy, _, err := r.api.ACL().PolicyCreate(&api.ACLPolicy{Name: "some",
		Rules: `service "web" { policy = "read" } node_prefix "" { policy = "read" } key_prefix "fw/" { policy = "read" }`}, nil)
	if err != nil {
		t.Fatal(err)
	}
	mint := func(ttl time.Duration) *api.ACLToken {
		t.Helper()
		token, _, err := r.api.ACL().TokenCreate(&api.ACLToken{Policies: []*api.ACLLink{{ID: policy.ID}}, ExpirationTTL: ttl}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	weak, expiring, deleted := mint(0), mint(time.Hour), mint(0)
	if _, err := r.api.ACL().TokenDelete(deleted.AccessorID, nil); err != nil {
		t.Fatal(err)
	}
	const lacks = `service:read on \"api\", key:read on \"lb\", service:write on \"patchbay\"`
	cases := map[string]struct {
		token string
		says  []string // nil for not a word
	}{
		"a token that may all":   {management, nil},
		"a token that lacks":     {weak.SecretID, []string{"consul token lacks rights", lacks}},
		"a token that will end":  {expiring.SecretID, []string{"consul token expires", lacks}},
		"a token that is gone":   {deleted.SecretID, []string{"consul refused the token", "ACL not found"}},
		"no token, default deny": {"", []string{"no consul token was configured"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := r.advice(c.token)
			for _, text := range c.says {
				if !strings.Contains(got, text) {
					t.Errorf("%q is not in %q", text, got)
				}
			}
			if c.says == nil && got != "" {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestContractNoAdviceWhereConsulChecksNoRights(t *testing.T) {
	r := onConsul(t, config.Consul{}, nil)
	if got := r.advice(""); got != "" {
		t.Errorf("got %q", got)
	}
}

func TestAdviceStaysSilentWhenConsulCannotTell(t *testing.T) {
	for name, answer := range map[string]func(http.ResponseWriter){
		"no such endpoint": status(http.StatusNotFound, "no"), "an error": status(http.StatusInternalServerError, "no"),
		"no JSON": func(rw http.ResponseWriter) { io.WriteString(rw, "<html>") }} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, withToken, func(w *world) {
				w.tell(func(rw http.ResponseWriter, c call) bool {
					if c.path == "/v1/acl/token/self" {
						io.WriteString(rw, `{"AccessorID":"a"}`)
					} else {
						answer(rw)
					}
					return true
				})
				log := &lines{}
				w.client.log = hclog.New(&hclog.LoggerOptions{Output: log, Level: hclog.Warn})
				w.client.AdviseToken(w.ctx, everyWant, asPatchbay)
				if log.buf.Len() > 0 || len(w.seen(func(c call) bool { return strings.HasSuffix(c.path, "authorize") && c.token == "s3cret" })) != 1 {
					t.Errorf("got %q", log.buf.String())
				}
			})
		})
	}
}

func TestTheBaseOfEveryAddressIsAURL(t *testing.T) {
	for want, cfg := range map[string]config.Consul{
		"http://localhost:8500": {},
		"http://a:1":            {Address: "a:1"},
		"https://a:1":           {Address: "a:1", TLS: config.TLS{Enabled: true}},
		"https://a:1/consul":    {Address: "https://a:1/consul/"},
		"http://localhost":      {Address: "unix:///run/consul.sock"},
	} {
		if got := baseURL(cfg); got != want {
			t.Errorf("%q: got %s, want %s", cfg.Address, got, want)
		}
	}
}
