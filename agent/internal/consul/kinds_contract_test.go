package consul

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"patchbay/agent/config"
	"patchbay/tasks"
	"patchbay/tasks/catalog"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/consul/api"
	"github.com/hashicorp/consul/sdk/testutil"
)

func (r *real) put(key, value string) {
	r.t.Helper()
	if _, err := r.api.KV().Put(&api.KVPair{Key: key, Value: []byte(value)}, nil); err != nil {
		r.t.Fatal(err)
	}
}

func (r *real) remove(key string) {
	r.t.Helper()
	if _, err := r.api.KV().Delete(key, nil); err != nil {
		r.t.Fatal(err)
	}
}

// node registers a node without services.
func (r *real) node(name, address string, meta map[string]string) {
	r.t.Helper()
	if _, err := r.api.Catalog().Register(&api.CatalogRegistration{Node: name, Address: address, NodeMeta: meta}, nil); err != nil {
		r.t.Fatal(err)
	}
}

func (r *real) watch(q catalog.Query) <-chan catalog.Snapshot {
	return r.client.Watch(r.ctx, []catalog.Want{q})
}

// only is the view of a snapshot that has one.
func only(s catalog.Snapshot) *catalog.View { return s.Views()[0] }

// holds tells whether a trusted view has exactly these keys and values.
func holds(pairs map[string]string) func(catalog.Snapshot) bool {
	return func(s catalog.Snapshot) bool { return trusted(s) && maps.Equal(only(s).Pairs, pairs) }
}

func nodeNames(s catalog.Snapshot) string {
	var out []string
	for _, n := range only(s).Nodes {
		out = append(out, n.Name)
	}
	return strings.Join(out, " ")
}

func TestContractAKeyIsCreatedChangedAndDeleted(t *testing.T) {
	r := onConsul(t, config.Consul{}, nil)
	// Other writes let the index of a missing key run ahead of the key's own.
	for n := range 5 {
		r.put(fmt.Sprintf("other/%d", n), "x")
	}
	ch := r.watch(catalog.Query{Kind: catalog.KVKey, Name: "fw/web"})
	r.until(ch, "the missing key", holds(map[string]string{}))
	for _, value := range []string{"one", "two\n${x} \"", "\xff\x00\xfe", ""} {
		r.put("fw/web", value)
		r.put("other/0", value)
		r.until(ch, fmt.Sprintf("value %q", value), holds(map[string]string{"fw/web": value}))
	}
	r.put("fw/web2", "a neighbour")
	r.remove("fw/web")
	s, before := r.until(ch, "the deleted key", holds(map[string]string{}))
	if v := only(s); v.Verdict.Confirmed != 2 || v.Epoch != 0 || len(before) == 0 {
		t.Errorf("got %s after %d doubts", describe(s), len(before))
	}
	r.put("fw/web", "again")
	r.until(ch, "the key again", holds(map[string]string{"fw/web": "again"}))
}

func TestContractAPrefixIsFilledAndEmptied(t *testing.T) {
	r := onConsul(t, config.Consul{}, nil)
	r.put("elsewhere", "x")
	ch := r.watch(catalog.Query{Kind: catalog.KVPrefix, Name: "fw"})
	r.until(ch, "the empty prefix", holds(map[string]string{}))
	r.put("fw/", "")
	r.put("fw/a", "1")
	r.put("fwall", "2")
	r.until(ch, "three keys", holds(map[string]string{"fw/": "", "fw/a": "1", "fwall": "2"}))
	r.remove("fwall")
	s, _ := r.until(ch, "one of three gone", holds(map[string]string{"fw/": "", "fw/a": "1"}))
	if only(s).Verdict.Confirmed != 0 {
		t.Errorf("one of several waited: %s", describe(s))
	}
	if _, err := r.api.KV().DeleteTree("fw", nil); err != nil {
		t.Fatal(err)
	}
	r.until(ch, "the doubt", func(s catalog.Snapshot) bool { return trust(catalog.Suspicious)(s) && len(only(s).Pairs) == 2 })
	s, _ = r.until(ch, "the emptied prefix", holds(map[string]string{}))
	if v := only(s); v.Verdict.Confirmed != 2 || v.Epoch != 0 {
		t.Errorf("got %s", describe(s))
	}
	r.put("fw/b", "3")
	r.until(ch, "filled again", holds(map[string]string{"fw/b": "3"}))
}

func TestContractKeysOfAnyNameAndSizeArrive(t *testing.T) {
	r := onConsul(t, config.Consul{}, nil)
	want := map[string]string{"k/ü ?#": "1", "k/100%": "2", "k/a%2Fb": "3", "k/a/b/": "", "k/=&;+": "4", "k/big": strings.Repeat("x", 500<<10)}
	for key, value := range want {
		r.put(key, value)
	}
	r.until(r.watch(catalog.Query{Kind: catalog.KVPrefix, Name: "k/"}), "all keys", holds(want))
	for key, value := range want {
		r.until(r.watch(catalog.Query{Kind: catalog.KVKey, Name: key}), key, holds(map[string]string{key: value}))
	}
	r.until(r.watch(catalog.Query{Kind: catalog.KVPrefix}), "the whole store", holds(want))
}

func TestContractNodesComeMoveAndGo(t *testing.T) {
	r := onConsul(t, config.Consul{}, nil)
	r.node("other", "10.0.0.9", nil)
	rack := func(n string) map[string]string { return map[string]string{"rack": n, "a=b": "c:d"} }
	ch := r.watch(catalog.Query{Kind: catalog.NodeNames, NodeMeta: catalog.EncodeMeta(map[string]string{"rack": "r1"})})
	r.until(ch, "no node", func(s catalog.Snapshot) bool { return trusted(s) && nodeNames(s) == "" })
	r.node("n2", "10.0.0.2", rack("r1"))
	r.node("n1", "10.0.0.1", rack("r1"))
	r.node("n3", "10.0.0.3", rack("r2"))
	r.until(ch, "two nodes", func(s catalog.Snapshot) bool { return nodeNames(s) == "n1 n2" })
	r.node("n2", "10.0.0.22", rack("r1"))
	s, _ := r.until(ch, "another address", func(s catalog.Snapshot) bool { return only(s).Nodes[1].Address == "10.0.0.22" })
	want := catalog.Node{Name: "n2", Address: "10.0.0.22", Datacenter: "dc1", Meta: rack("r1")}
	if diff := cmp.Diff(want, only(s).Nodes[1]); diff != "" {
		t.Errorf("node (-want +got):\n%s", diff)
	}
	for _, name := range []string{"n2", "n1"} {
		if _, err := r.api.Catalog().Deregister(&api.CatalogDeregistration{Node: name}, nil); err != nil {
			t.Fatal(err)
		}
	}
	s, _ = r.until(ch, "all gone", func(s catalog.Snapshot) bool { return trusted(s) && nodeNames(s) == "" })
	if only(s).Verdict.Confirmed != 2 {
		t.Errorf("the last node left unconfirmed: %s", describe(s))
	}
	all := r.watch(catalog.Query{Kind: catalog.NodeNames})
	r.until(all, "every node", func(s catalog.Snapshot) bool {
		return strings.HasPrefix(nodeNames(s), "n3 ") && strings.HasSuffix(nodeNames(s), " other")
	})
}

func TestContractServicesAreListedByNodeMetaAndOddRegexps(t *testing.T) {
	r := onConsul(t, config.Consul{}, nil)
	on := func(rack string) func(*api.CatalogRegistration) {
		return func(c *api.CatalogRegistration) { c.NodeMeta = map[string]string{"rack": rack, "os": "linux"} }
	}
	r.register("n1", "tier=web", "a", 80, "passing", on("r1"))
	r.register("n2", "tier=db", "b", 81, "passing", on("r2"))
	both := tasks.CatalogServices{Regexp: "^tier=", NodeMeta: map[string]string{"os": "linux"}}
	first := tasks.CatalogServices{Regexp: "^tier=(web|api)$", NodeMeta: map[string]string{"rack": "r1", "os": "linux"}}
	listed := func(c tasks.CatalogServices, want ...string) func(catalog.Snapshot) bool {
		return func(s catalog.Snapshot) bool {
			return trusted(s) && slices.Equal(slices.Sorted(maps.Keys(c.Select(s))), want)
		}
	}
	chBoth, chFirst := r.watch(both.Query()), r.watch(first.Query())
	r.until(chBoth, "both", listed(both, "tier=db", "tier=web"))
	r.until(chFirst, "the one on rack 1", listed(first, "tier=web"))
	r.register("n1", "tier=api", "c", 82, "passing", on("r1"))
	r.until(chFirst, "a new one on rack 1", listed(first, "tier=api", "tier=web"))
	r.deregister("n1", "a")
	r.until(chFirst, "one of two gone", listed(first, "tier=api"))
	r.until(chBoth, "also without rack", listed(both, "tier=api", "tier=db"))
	r.deregister("n1", "c")
	r.until(chFirst, "the last one gone", func(s catalog.Snapshot) bool { return listed(first)(s) && only(s).Verdict.Confirmed == 2 })
}

// TestContractALostRightOverKeysIsNoDeletion holds what Consul tells of it.
func TestContractALostRightOverKeysIsNoDeletion(t *testing.T) {
	r := onConsul(t, config.Consul{Token: tasks.NewSecret(management)}, func(c *testutil.TestServerConfig) {
		c.ACL.Enabled, c.ACL.DefaultPolicy, c.ACL.Tokens.InitialManagement = true, "deny", management
	})
	r.put("fw/a", "1")
	r.put("fw/b", "2")
	policy, _, err := r.api.ACL().PolicyCreate(&api.ACLPolicy{Name: "keys", Rules: `key_prefix "fw/" { policy = "read" }`}, nil)
	if err != nil {
		t.Fatal(err)
	}
	token, _, err := r.api.ACL().TokenCreate(&api.ACLToken{Policies: []*api.ACLLink{{ID: policy.ID}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := r.second(config.Consul{Token: tasks.NewSecret(token.SecretID), MaxPolls: 1})
	prefix := catalog.Query{Kind: catalog.KVPrefix, Name: "fw/"}
	key := catalog.Query{Kind: catalog.KVKey, Name: "fw/a"}
	all, one := client.Watch(r.ctx, []catalog.Want{prefix}), client.Watch(r.ctx, []catalog.Want{key})
	want := map[string]string{"fw/a": "1", "fw/b": "2"}
	r.until(all, "two keys", holds(want))
	r.until(one, "one key", holds(map[string]string{"fw/a": "1"}))
	policy.Rules = `key_prefix "other/" { policy = "read" }`
	if _, _, err := r.api.ACL().PolicyUpdate(policy, nil); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		ch   <-chan catalog.Snapshot
		keys map[string]string
	}{"the prefix": {all, want}, "the key": {one, map[string]string{"fw/a": "1"}}} {
		r.until(c.ch, name+" refused", func(s catalog.Snapshot) bool {
			if !maps.Equal(only(s).Pairs, c.keys) {
				t.Errorf("%s: the last good answer was lost: %v", name, only(s).Pairs)
			}
			return trust(catalog.Refused)(s) && strings.Contains(describe(s), "key:read")
		})
	}
	blocked, err := client.blocking(r.ctx, prefix, 1, 0)
	if err != nil || !blocked.view.Empty() || !blocked.hidden {
		t.Errorf("a blocking read of a prefix without rights: %+v, %v; want nothing and a word of it", blocked, err)
	}
	anonymous := r.second(config.Consul{MaxPolls: 1})
	if got, err := anonymous.plain(r.ctx, prefix, true); err != nil || !got.denied || got.hidden || !got.view.Empty() {
		t.Errorf("an anonymous read of the prefix: %+v, %v", got, err)
	}
	if got, err := anonymous.plain(r.ctx, key, true); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("an anonymous read of the key: %+v, %v", got, err)
	}
	policy.Rules = `key_prefix "fw/" { policy = "read" }`
	if _, _, err := r.api.ACL().PolicyUpdate(policy, nil); err != nil {
		t.Fatal(err)
	}
	r.until(all, "rights back", holds(want))
}

func TestContractANamespaceOnCommunityEditionGivesConsulsText(t *testing.T) {
	for name, cfg := range map[string]config.Consul{"namespace": {Namespace: "team"}, "partition": {Partition: "team"}} {
		t.Run(name, func(t *testing.T) {
			r := onConsul(t, cfg, nil)
			for _, q := range []catalog.Query{{Kind: catalog.ServiceHealth, Name: "web"}, {Kind: catalog.ServiceNames},
				{Kind: catalog.KVPrefix, Name: "a"}} {
				got, err := r.client.plain(r.ctx, q, false)
				if err == nil || !strings.Contains(err.Error(), "Consul Enterprise feature") {
					t.Errorf("%s: got %+v, %v", q, got, err)
				}
			}
		})
	}
}

func TestContractTheLastInstanceLeavesTheListWhileItsHealthIsStillRead(t *testing.T) {
	r := onConsul(t, config.Consul{}, nil)
	r.register("n1", "web", "web-1", 80, "passing")
	names := tasks.CatalogServices{Regexp: "^web$"}
	ch := r.client.Watch(r.ctx, []catalog.Want{names.Query(), catalog.Selector{Regexp: "^web$"}})
	r.until(ch, "web", func(s catalog.Snapshot) bool { return len(names.Select(s)) == 1 && len(instances(s, "web")) == 1 })
	r.deregister("n1", "web-1")
	s, _ := r.until(ch, "web gone from the list", func(s catalog.Snapshot) bool {
		v, ok := s.View(catalog.Query{Kind: catalog.ServiceHealth, Name: "web"})
		return trusted(s) && len(names.Select(s)) == 0 && ok && len(v.Departures) == 1
	})
	if v := view(t, s, "web"); v.Departures[0].Cause != catalog.Deregistered {
		t.Errorf("got %+v", v.Departures)
	}
}
