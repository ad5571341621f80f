package proxies

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"patchbay/tasks/catalog"
	"patchbay/xds/mesh"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// compiled gives what a real Consul compiled, from the cases of xds/chain.
func compiled(t *testing.T, name string) string {
	t.Helper()
	a, err := txtar.ParseFile("../../../xds/chain/testdata/" + name + ".txtar")
	if err != nil {
		t.Fatal(err)
	}
	return string(a.Files[1].Data)
}

// rule gives Consul's chain of a service.
func (w *world) rule(service, text string) {
	w.t.Helper()
	w.views.set(catalog.NewPairsView(catalog.Query{Kind: catalog.DiscoveryChain, Name: service}, map[string]string{service: text}))
	w.settle()
}

// edge is a gateway before services that the file says nothing of.
func edge(services ...string) mesh.Mesh {
	d := mesh.Door{Port: 80, Protocol: mesh.HTTP}
	for _, s := range services {
		d.Hosts = append(d.Hosts, mesh.Host{Target: mesh.Target{Service: s}, Names: []string{s + ".test"}})
	}
	return mesh.Mesh{Gateways: []mesh.Gateway{{Name: "edge", Listeners: []mesh.Door{d}}}}
}

// notes tells of every target what is not as Consul says.
func (w *world) notes() map[string]string {
	w.t.Helper()
	list, err := w.feed.Targets(w.ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string]string{}
	for _, t := range list {
		if t.Rules != "" {
			out[t.String()] = t.Rules
		}
	}
	return out
}

func TestConsulsRulesAreServedWhereTheFileSaysNothing(t *testing.T) {
	inWorld(t, func(w *world) {
		w.views.silent = true
		w.declare(edge("web"))
		w.tell("web", nil, version("1"), version("1"), version("2"))
		if w.store.Has("gateway/edge") {
			t.Fatal("the gateway is served before Consul told the rules of its service")
		}
		w.rule("web", compiled(t, "canary-split"))
		if !w.store.Has("gateway/edge") {
			t.Error("the gateway waits though all is known")
		}
		if diff := cmp.Diff([]string{"web/v1 2/2", "web/v2 1/1"}, w.targets()); diff != "" {
			t.Error(diff)
		}
		w.rule("web", compiled(t, "split-to-another-service"))
		w.tell("web-next", nil, version("3"))
		if diff := cmp.Diff([]string{"web 3/3", "web-next 1/1"}, w.targets()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestRulesThatCannotBeServedLeaveTheLastGoodAndAreTold(t *testing.T) {
	for name, bad := range map[string]func(*testing.T) string{
		"an expression that Envoy refuses": func(t *testing.T) string { return compiled(t, "expression-that-envoy-refuses") },
		"a target that cannot be reached":  func(t *testing.T) string { return compiled(t, "redirect-to-a-peer") },
		"what is no chain":                 func(*testing.T) string { return "[]" },
		"a filter that cannot be read": func(t *testing.T) string {
			return strings.ReplaceAll(compiled(t, "canary-split"), `Service.Meta.version == \"2\"`, "Service.Meta.version =")
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.declare(edge("web"))
				w.tell("web", nil, version("1"), version("2"))
				w.rule("web", compiled(t, "canary-split"))
				w.rule("web", bad(t))
				if diff := cmp.Diff([]string{"web/v1 1/1", "web/v2 1/1"}, w.targets()); diff != "" {
					t.Error(diff)
				}
				for _, target := range []string{"web/v1", "web/v2"} {
					if note := w.notes()[target]; !strings.Contains(note, "the rules are those of before") {
						t.Errorf("%s tells %q", target, note)
					}
				}
				w.rule("web", compiled(t, "canary-split"))
				if notes := w.notes(); len(notes) > 0 {
					t.Errorf("good rules leave %v", notes)
				}
			})
		})
	}
}

func TestRulesThatWereNeverGoodLeaveTheServiceItself(t *testing.T) {
	inWorld(t, func(w *world) {
		w.views.silent = true
		w.declare(edge("web", "shop"))
		w.rule("shop", "")
		w.rule("web", compiled(t, "redirect-to-a-peer"))
		w.tell("web", nil, version("1"))
		w.tell("shop", nil, version("1"))
		if diff := cmp.Diff([]string{"shop 1/1", "web 1/1"}, w.targets()); diff != "" {
			t.Error(diff)
		}
		if note := w.notes()["web"]; !strings.Contains(note, "no rules, requests go to all instances") || !w.store.Has("gateway/edge") {
			t.Errorf("one service's mistake holds up another's, or is not told: %q", note)
		}
	})
}

func TestWhatHasNoCounterpartIsTold(t *testing.T) {
	inWorld(t, func(w *world) {
		w.declare(edge("web"))
		w.tell("web", nil, version("1"))
		w.rule("web", compiled(t, "failover-to-a-peer"))
		if note := w.notes()["web"]; !strings.Contains(note, "external.other: instances of a cluster peer cannot be reached") {
			t.Errorf("web tells %q", note)
		}
	})
}

func TestTheFileOwnsWhatItDeclares(t *testing.T) {
	inWorld(t, func(w *world) {
		m := edge("web")
		m.Services = []mesh.Service{{Name: "web", Protocol: mesh.HTTP}}
		w.declare(m)
		w.rule("web", compiled(t, "canary-split"))
		w.tell("web", nil, version("1"), version("2"))
		if diff := cmp.Diff([]string{"web 2/2"}, w.targets()); diff != "" {
			t.Error(diff)
		}
		asked := slices.ContainsFunc(w.views.list(), func(q catalog.Query) bool { return q.Kind == catalog.DiscoveryChain })
		if asked {
			t.Error("Consul is asked for rules that do not count")
		}
		w.declare(edge("web"))
		w.settle()
		if diff := cmp.Diff([]string{"web/v1 1/1", "web/v2 1/1"}, w.targets()); diff != "" {
			t.Errorf("without routes in the file: %s", diff)
		}
	})
}

func TestAnAgentThatStartsAgainHasTheLastGoodRules(t *testing.T) {
	kept := []*catalog.View{
		catalog.NewPairsView(catalog.Query{Kind: catalog.DiscoveryChain, Name: "web"}, map[string]string{"web": compiled(t, "canary-split")}),
		catalog.NewServiceView(catalog.Query{Kind: catalog.ServiceHealth, Name: "web"}, []catalog.Instance{{ID: "a", Name: "web", Port: 1,
			Meta: map[string]string{"version": "1"}, Weights: catalog.Weights{Passing: 1}, Node: catalog.Node{Name: "n", Address: "10.0.0.1"}}}),
	}
	inWorldAfter(t, kept, func(w *world) {
		w.views.silent = true
		w.declare(edge("web"))
		if !w.store.Has("gateway/edge") {
			t.Error("the gateway waits for Consul")
		}
		w.rule("web", compiled(t, "redirect-to-a-peer"))
		if diff := cmp.Diff([]string{"web/v1 1/1 held", "web/v2 0/0 held"}, w.targets()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestGoodRulesAreKeptOnDiskUntilNobodyNeedsThem(t *testing.T) {
	inWorld(t, func(w *world) {
		good, q := compiled(t, "canary-split"), catalog.Query{Kind: catalog.DiscoveryChain, Name: "web"}
		w.declare(edge("web"))
		w.rule("web", good)
		w.rule("web", compiled(t, "redirect-to-a-peer"))
		time.Sleep(2 * keepEvery)
		if v := w.kept.of(q); v == nil || v.Pairs["web"] != good {
			t.Errorf("on disk is %v", v)
		}
		w.declare(edge("shop"))
		time.Sleep(2 * keepEvery)
		if v := w.kept.of(q); v != nil {
			t.Errorf("rules that nobody needs are still on disk: %v", v)
		}
	})
}

func TestASubsetSelectsInOtherDatacentersToo(t *testing.T) {
	inWorld(t, func(w *world) {
		w.declare(edge("web"))
		w.rule("web", compiled(t, "failover"))
		w.tell("web", nil)
		var far []catalog.Instance
		for n, v := range []string{"1", "2", "2"} {
			far = append(far, catalog.Instance{ID: fmt.Sprint(n), Name: "web", Port: 1 + n, Meta: map[string]string{"version": v},
				Weights: catalog.Weights{Passing: 1}, Node: catalog.Node{Name: "n", Address: "10.0.0.2", Datacenter: "dc2"}})
		}
		w.views.set(catalog.NewServiceView(catalog.Query{Kind: catalog.ServiceHealth, Name: "web", Datacenter: "dc2"}, far))
		w.settle()
		if diff := cmp.Diff([]string{"spare 0/0", "web/v1 0/0", "web/v2 2/2"}, w.targets()); diff != "" {
			t.Error(diff)
		}
	})
}
