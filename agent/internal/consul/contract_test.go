package consul

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"patchbay/agent/config"
	"patchbay/agent/internal/testconsul"
	"patchbay/tasks"
	"patchbay/tasks/catalog"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/consul/api"
	"github.com/hashicorp/consul/sdk/testutil"
	"github.com/hashicorp/go-hclog"
)

// real is a client that runs against a Consul server of its own.
type real struct {
	t      *testing.T
	ctx    context.Context
	server *testutil.TestServer
	api    *api.Client
	client *Client
}

// patience is how long a test waits for what must come; nothing is measured by it.
const patience = 60 * time.Second

// onConsul starts a Consul server and a client of it that runs.
func onConsul(t *testing.T, cfg config.Consul, configure testutil.ServerConfigCallback) *real {
	t.Helper()
	server := testconsul.Start(t, configure)
	ctx, cancel := context.WithCancel(t.Context())
	cfg.Address = server.HTTPAddr
	if cfg.MaxPolls == 0 {
		cfg.MaxPolls = 100
	}
	client, err := New(cfg, hclog.New(&hclog.LoggerOptions{Output: io.Discard}))
	if err != nil {
		t.Fatal(err)
	}
	writer, err := api.NewClient(&api.Config{Address: server.HTTPAddr, Token: management})
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	group.Go(func() {
		if err := client.Run(ctx); err != nil {
			t.Errorf("run: %v", err)
		}
	})
	t.Cleanup(func() {
		cancel()
		group.Wait()
	})
	if err := client.WaitLeader(ctx); err != nil {
		t.Fatal(err)
	}
	return &real{t: t, ctx: ctx, server: server, api: writer, client: client}
}

const management = "5f0a5f6e-8a3b-4e0a-9a39-6f5fd2a1c001"

func (r *real) register(node, service, id string, port int, status string, more ...func(*api.CatalogRegistration)) {
	r.t.Helper()
	reg := &api.CatalogRegistration{Node: node, Address: "10.0.0.1",
		Service: &api.AgentService{ID: id, Service: service, Port: port},
		Check:   &api.AgentCheck{Node: node, CheckID: "c:" + id, Name: "http", Status: status, ServiceID: id, Output: "said " + status}}
	for _, f := range more {
		f(reg)
	}
	if _, err := r.api.Catalog().Register(reg, nil); err != nil {
		r.t.Fatal(err)
	}
}

func (r *real) deregister(node, id string) {
	r.t.Helper()
	if _, err := r.api.Catalog().Deregister(&api.CatalogDeregistration{Node: node, ServiceID: id}, nil); err != nil {
		r.t.Fatal(err)
	}
}

func (r *real) until(ch <-chan catalog.Snapshot, what string, wanted func(catalog.Snapshot) bool) (catalog.Snapshot, []catalog.Snapshot) {
	r.t.Helper()
	var before []catalog.Snapshot
	limit := time.After(patience)
	for {
		select {
		case s := <-ch:
			if wanted(s) {
				return s, before
			}
			before = append(before, s)
		case <-limit:
			var last string
			if len(before) > 0 {
				last = describe(before[len(before)-1])
			}
			r.t.Fatalf("%s: did not come; the last snapshot was %s", what, last)
		}
	}
}

// instances finds those of one service in a snapshot that may not have it yet.
func instances(s catalog.Snapshot, service string) []catalog.Instance {
	v, ok := s.View(catalog.Query{Kind: catalog.ServiceHealth, Name: service})
	if !ok {
		return nil
	}
	return v.Instances
}

func TestContractRegisterFlipMoveAndDeregister(t *testing.T) {
	r := onConsul(t, config.Consul{}, nil)
	ch := r.client.Watch(r.ctx, []catalog.Want{catalog.Selector{Names: []string{"web"}}})
	r.until(ch, "the empty service", func(s catalog.Snapshot) bool { return trusted(s) && len(instances(s, "web")) == 0 })
	r.register("n1", "web", "web-1", 80, "passing")
	r.register("n1", "web", "web-2", 81, "passing")
	r.until(ch, "two instances", func(s catalog.Snapshot) bool { return len(instances(s, "web")) == 2 })
	r.register("n1", "web", "web-2", 81, "critical")
	s, _ := r.until(ch, "a failed check", func(s catalog.Snapshot) bool {
		i := instances(s, "web")
		return len(i) == 2 && i[1].Status() == catalog.Critical
	})
	if c, _ := instances(s, "web")[1].WorstCheck(); c.Output != "said critical" || c.Name != "http" {
		t.Errorf("got check %+v", c)
	}
	r.register("n1", "web", "web-2", 91, "passing")
	r.until(ch, "another port", func(s catalog.Snapshot) bool {
		i := instances(s, "web")
		return len(i) == 2 && i[1].Port == 91 && i[1].Status() == catalog.Passing
	})
	r.deregister("n1", "web-2")
	s, _ = r.until(ch, "one of two gone", func(s catalog.Snapshot) bool { return len(instances(s, "web")) == 1 })
	if v := view(t, s, "web"); v.Verdict.Confirmed != 0 {
		t.Errorf("one of several waited: %s", describe(s))
	}
	r.deregister("n1", "web-1")
	r.until(ch, "the doubt", trust(catalog.Suspicious))
	s, _ = r.until(ch, "the last one gone", func(s catalog.Snapshot) bool { return trusted(s) && len(instances(s, "web")) == 0 })
	if v := view(t, s, "web"); v.Verdict.Confirmed != 2 || v.Epoch != 0 || len(v.Departures) != 1 || v.Departures[0].Cause != catalog.Deregistered {
		t.Errorf("got %s, departures %+v", describe(s), v.Departures)
	}
}

func TestContractANodeThatGoesTakesItsInstancesAlong(t *testing.T) {
	r := onConsul(t, config.Consul{}, nil)
	for n := range 3 {
		r.register("n1", "web", fmt.Sprintf("web-%d", n), 80+n, "passing")
	}
	ch := r.client.Watch(r.ctx, []catalog.Want{catalog.Selector{Names: []string{"web"}}})
	r.until(ch, "three instances", func(s catalog.Snapshot) bool { return len(instances(s, "web")) == 3 })
	if _, err := r.api.Catalog().Deregister(&api.CatalogDeregistration{Node: "n1"}, nil); err != nil {
		t.Fatal(err)
	}
	s, before := r.until(ch, "all gone", func(s catalog.Snapshot) bool { return trusted(s) && len(instances(s, "web")) == 0 })
	if len(before) == 0 {
		t.Error("the loss was not doubted")
	}
	for _, d := range view(t, s, "web").Departures {
		if d.Cause != catalog.NodeGone {
			t.Errorf("got %+v", d)
		}
	}
}

func TestContractARegexpSeesNewServicesAndOddNames(t *testing.T) {
	r := onConsul(t, config.Consul{}, nil)
	r.register("n1", "web", "web-1", 80, "passing")
	ch := r.client.Watch(r.ctx, []catalog.Want{catalog.Selector{Regexp: "^(web|a/b|100%|ü )"}})
	r.until(ch, "web", func(s catalog.Snapshot) bool { return len(instances(s, "web")) == 1 })
	odd := []string{"a/b%2F", "100%", "ü ?#", "web-2"}
	for n, name := range odd {
		r.register("n1", name, "id of "+name, 90+n, "passing")
		r.until(ch, name, func(s catalog.Snapshot) bool { return len(instances(s, name)) == 1 })
		r.register("n1", name, "id of "+name, 90+n, "critical")
		r.until(ch, name+" flipped", func(s catalog.Snapshot) bool {
			i := instances(s, name)
			return len(i) == 1 && i[0].Status() == catalog.Critical
		})
	}
	for _, name := range odd {
		r.deregister("n1", "id of "+name)
	}
	r.until(ch, "all of them gone", func(s catalog.Snapshot) bool {
		for _, name := range odd {
			v, ok := s.View(catalog.Query{Kind: catalog.ServiceHealth, Name: name})
			if !ok || len(v.Departures) != 1 {
				return false
			}
		}
		return true
	})
	r.register("n1", "..", "dots", 99, "passing")
	r.register("n1", "web-3", "web-3", 99, "passing")
	all := r.client.Watch(r.ctx, []catalog.Want{catalog.Selector{}})
	s, _ := r.until(all, "all services", func(s catalog.Snapshot) bool { return len(instances(s, "web-3")) == 1 })
	if strings.Contains(describe(s), `health of ..`) {
		t.Errorf("a name that cannot be read is listed: %s", describe(s))
	}
}

func TestContractEveryFieldArrivesAsRegistered(t *testing.T) {
	r := onConsul(t, config.Consul{}, nil)
	r.register("n1", "web", "web-1", 80, "warning", func(c *api.CatalogRegistration) {
		c.NodeMeta, c.TaggedAddresses = map[string]string{"rack": "${a}"}, map[string]string{"lan": "10.0.0.1"}
		c.Service.Tags = []string{"z", "quote\"", "${x}", "new\nline", "ü"}
		c.Service.Meta = map[string]string{"k": "\\ \" ${v} \x00 \r\n", "e": ""}
		c.Service.Address, c.Service.Weights = "10.9.9.9", api.AgentWeights{Passing: 5, Warning: 2}
		c.Service.TaggedAddresses = map[string]api.ServiceAddress{"wan": {Address: "1.2.3.4", Port: 99}}
	})
	ch := r.client.Watch(r.ctx, []catalog.Want{catalog.Selector{Names: []string{"web"}}})
	s, _ := r.until(ch, "the instance", func(s catalog.Snapshot) bool { return len(instances(s, "web")) == 1 })
	want := catalog.Instance{ID: "web-1", Name: "web", Address: "10.9.9.9", Port: 80,
		Tags:    []string{"${x}", "new\nline", "quote\"", "z", "ü"},
		Meta:    map[string]string{"k": "\\ \" ${v} \x00 \r\n", "e": ""},
		Weights: catalog.Weights{Passing: 5, Warning: 2}, TaggedAddresses: map[string]catalog.Endpoint{"wan": {Address: "1.2.3.4", Port: 99}},
		Node: catalog.Node{Name: "n1", Address: "10.0.0.1", Datacenter: "dc1", Meta: map[string]string{"rack": "${a}"},
			TaggedAddresses: map[string]string{"lan": "10.0.0.1"}},
		Checks: []catalog.Check{{ID: "c:web-1", Name: "http", Status: "warning", Output: "said warning", ServiceID: "web-1",
			ServiceTags: []string{"z", "quote\"", "${x}", "new\nline", "ü"}}}}
	if diff := cmp.Diff(want, instances(s, "web")[0]); diff != "" {
		t.Errorf("instance (-want +got):\n%s", diff)
	}
}

func TestContractTwoHundredServicesOverTwentyConnectionsAllSeeAChange(t *testing.T) {
	r := onConsul(t, config.Consul{MaxPolls: 20}, nil)
	name := func(n int) string { return fmt.Sprintf("s%03d", n) }
	for n := range 200 {
		r.register("n1", name(n), name(n), 80, "passing")
	}
	var channels []<-chan catalog.Snapshot
	for n := range 200 {
		channels = append(channels, r.client.Watch(r.ctx, []catalog.Want{catalog.Selector{Names: []string{name(n)}}}))
	}
	for n, ch := range channels {
		r.until(ch, name(n), func(s catalog.Snapshot) bool { return len(instances(s, name(n))) == 1 })
	}
	for n := range 200 {
		r.register("n1", name(n), name(n), 80, "critical")
	}
	for n, ch := range channels {
		r.until(ch, name(n), func(s catalog.Snapshot) bool {
			return trusted(s) && instances(s, name(n))[0].Status() == catalog.Critical
		})
	}
}

// TestContractConsulHidesResultsAsExpected fails if a new Consul changes what
// the confirming reads rely on.
func TestContractConsulHidesResultsAsExpected(t *testing.T) {
	r := onConsul(t, config.Consul{Token: tasks.NewSecret(management)}, func(c *testutil.TestServerConfig) {
		c.ACL.Enabled, c.ACL.DefaultPolicy, c.ACL.Tokens.InitialManagement = true, "deny", management
	})
	r.register("n1", "web", "web-1", 80, "passing")
	r.register("n1", "web", "web-2", 81, "passing")
	policy, _, err := r.api.ACL().PolicyCreate(&api.ACLPolicy{Name: "reader",
		Rules: `service_prefix "" { policy = "read" } node_prefix "" { policy = "read" }`}, nil)
	if err != nil {
		t.Fatal(err)
	}
	token, _, err := r.api.ACL().TokenCreate(&api.ACLToken{Policies: []*api.ACLLink{{ID: policy.ID}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	// A lost right wakes no blocking query before its wait ends: without long
	// polls all reads are plain, one a second.
	client := r.second(config.Consul{Token: tasks.NewSecret(token.SecretID), MaxPolls: 1})
	ch := client.Watch(r.ctx, []catalog.Want{catalog.Selector{Names: []string{"web"}}})
	r.until(ch, "two instances", func(s catalog.Snapshot) bool { return len(instances(s, "web")) == 2 })
	refused := func(why string) func(catalog.Snapshot) bool {
		return func(s catalog.Snapshot) bool {
			if len(instances(s, "web")) != 2 {
				t.Errorf("%s: the last good answer was lost: %s", why, describe(s))
			}
			return trust(catalog.Refused)(s) && strings.Contains(describe(s), "service:read")
		}
	}
	policy.Rules = `service_prefix "" { policy = "read" }`
	if _, _, err := r.api.ACL().PolicyUpdate(policy, nil); err != nil {
		t.Fatal(err)
	}
	r.until(ch, "node:read lost", refused("node:read lost"))
	web := catalog.Query{Kind: catalog.ServiceHealth, Name: "web"}
	blocked, err := client.blocking(r.ctx, web, 1, time.Second)
	if err != nil || len(blocked.view.Instances) != 0 || blocked.hidden {
		t.Errorf("a blocking read without node:read: %+v, %v; want nothing and no word of it", blocked, err)
	}
	policy.Rules += ` node_prefix "" { policy = "read" }`
	if _, _, err := r.api.ACL().PolicyUpdate(policy, nil); err != nil {
		t.Fatal(err)
	}
	r.until(ch, "rights back", trusted)
	if _, err := r.api.ACL().TokenDelete(token.AccessorID, nil); err != nil {
		t.Fatal(err)
	}
	r.until(ch, "token deleted", refused("token deleted"))

	got, err := r.second(config.Consul{MaxPolls: 1}).plain(r.ctx, web, true)
	if err != nil || !got.denied || got.hidden || len(got.view.Instances) != 0 {
		t.Errorf("an anonymous read: %+v, %v", got, err)
	}
}

// second runs another client against the same server.
func (r *real) second(cfg config.Consul) *Client {
	r.t.Helper()
	cfg.Address = r.server.HTTPAddr
	client, err := New(cfg, hclog.New(&hclog.LoggerOptions{Output: io.Discard}))
	if err != nil {
		r.t.Fatal(err)
	}
	var group sync.WaitGroup
	ctx, cancel := context.WithCancel(r.ctx)
	group.Go(func() {
		if err := client.Run(ctx); err != nil {
			r.t.Errorf("run: %v", err)
		}
	})
	r.t.Cleanup(func() { cancel(); group.Wait() })
	return client
}

// TestContractBlockingReadsLackTheHeaders holds the facts on which the rules of
// the cursor and of the verdict rest.
func TestContractBlockingReadsLackTheHeaders(t *testing.T) {
	r := onConsul(t, config.Consul{}, nil)
	for _, name := range []string{"first", "second", "third"} {
		r.register("n1", name, name, 80, "passing")
		r.deregister("n1", name)
	}
	web := catalog.Query{Kind: catalog.ServiceHealth, Name: "first"}
	plain, err := r.client.plain(r.ctx, web, false)
	if err != nil {
		t.Fatal(err)
	}
	blocked, err := r.client.blocking(r.ctx, web, plain.view.Index, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if blocked.view.Index > plain.view.Index {
		t.Errorf("the stream's index %d is above the leader's %d", blocked.view.Index, plain.view.Index)
	}
	r.register("n1", "first", "first", 80, "passing")
	plain, err = r.client.plain(r.ctx, web, true)
	if err != nil {
		t.Fatal(err)
	}
	// The stream may lag behind: it is asked until it has come as far.
	for tries := 0; tries < 100 && err == nil && blocked.view.Index < plain.view.Index; tries++ {
		blocked, err = r.client.blocking(r.ctx, web, max(1, plain.view.Index-1), time.Second)
	}
	if err != nil || blocked.view.Index != plain.view.Index {
		t.Errorf("a service with instances: the stream is at %d, the leader at %d, %v", blocked.view.Index, plain.view.Index, err)
	}
	if blocked.view.Digest != plain.view.Digest {
		t.Error("the stream and the leader differ")
	}
}
