package consul

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"patchbay/agent/config"
	"patchbay/tasks"
	"patchbay/tasks/catalog"

	"github.com/google/go-cmp/cmp"
)

func TestALostLastInstanceIsConfirmedAndItsCauseToldByItsNode(t *testing.T) {
	cases := map[string]struct {
		node func(*world) // what becomes of the node
		lie  lie
		took time.Duration
		want catalog.DepartureCause
	}{
		"deregistered while its node lives": {node: func(*world) {}, took: 2 * time.Second, want: catalog.Deregistered},
		"deregistered from a node without an agent": {node: func(w *world) { w.nodes["n1"] = "" },
			took: 2 * time.Second, want: catalog.Deregistered},
		"its node left the catalog": {node: func(w *world) { delete(w.nodes, "n1") },
			took: 10 * time.Second, want: catalog.NodeGone},
		"its node's agent is dead": {node: func(w *world) { w.nodes["n1"] = catalog.Critical },
			took: 10 * time.Second, want: catalog.NodeGone},
		"its node may not be read": {node: func(*world) {}, lie: onNodes(status(403, "Permission denied")),
			took: 10 * time.Second, want: catalog.Unexplained},
		"its node is hidden from the token": {node: func(*world) {}, lie: onNodes(filtered("[]")),
			took: 10 * time.Second, want: catalog.Unexplained},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			inWorld(t, withToken, func(w *world) {
				w.set("web", instance("web-1", "n1", 80))
				ch := w.watch(byName("web"))
				w.next(ch)
				w.change(func() { c.node(w); w.lie = c.lie })
				started := time.Now()
				w.set("web")
				s, took := w.next(ch)
				if v := view(t, s, "web"); took != 0 || v.Verdict.Trust != catalog.Suspicious || len(v.Instances) != 1 || len(v.Verdict.Evidence) == 0 {
					t.Errorf("at once: got %s after %s", describe(s), took)
				}
				s, _ = w.next(ch)
				v := view(t, s, "web")
				if v.Verdict.Trust != catalog.Trusted || len(v.Instances) != 0 || v.Verdict.Confirmed != 2 || len(v.Departures) != 1 {
					t.Fatalf("confirmed: got %s", describe(s))
				}
				if v.Departures[0].Cause != c.want || time.Since(started) != c.took {
					t.Errorf("got %s after %s, want %s after %s", v.Departures[0].Cause, time.Since(started), c.want, c.took)
				}
				w.quiet(ch, 10*time.Minute)
				if reads := w.seen(func(c call) bool { return health(c) && c.consistent }); len(reads) != 2 || reads[0].blocking {
					t.Errorf("confirming reads: %+v", reads)
				}
				w.set("web", instance("web-1", "n1", 80))
				s, _ = w.next(ch)
				if v := view(t, s, "web"); len(v.Departures) != 0 || v.Verdict.Confirmed != 0 {
					t.Errorf("back again: got %s", describe(s))
				}
			})
		})
	}
}

func onNodes(answer func(http.ResponseWriter)) lie {
	return func(w http.ResponseWriter, c call) bool {
		if !strings.Contains(c.path, "/node/") {
			return false
		}
		answer(w)
		return true
	}
}

func filtered(body string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("X-Consul-Results-Filtered-By-ACLs", "true")
		raw("50", body)(w)
	}
}

func TestALieIsNeverPublished(t *testing.T) {
	cases := map[string]struct {
		lie      lie
		evidence string // "" when the view must simply be good again
	}{
		"one empty answer of the watch": {lie: once(func(c call) bool { return c.blocking }, raw("60", "[]"))},
		"a few empty answers, contradicted by the second confirming read": {
			lie: times(2, func(c call) bool { return health(c) }, raw("60", "[]"))},
		"empty answers from which Consul hid results": {evidence: "service:read",
			lie: func(w http.ResponseWriter, c call) bool {
				if !health(c) {
					return false
				}
				if c.blocking {
					raw("60", "[]")(w)
				} else {
					filtered("[]")(w)
				}
				return true
			}},
		"a refused token":             {evidence: "service:read", lie: always(status(403, "ACL not found"))},
		"too many requests":           {evidence: "429", lie: always(status(429, "slow down"))},
		"an error of the server":      {evidence: "500", lie: always(status(500, "rpc error"))},
		"half an answer":              {evidence: "EOF", lie: always(raw("60", `[{"Node":{"Node":"n1"`))},
		"null":                        {evidence: "no list", lie: always(raw("60", "null"))},
		"an instance without a node":  {evidence: "no node", lie: always(raw("60", `[{"Service":{"ID":"x"}}]`))},
		"a null instance":             {evidence: "no node", lie: always(raw("60", `[null]`))},
		"a null check":                {evidence: "null", lie: always(raw("60", `[{"Node":{"Node":"n"},"Service":{"ID":"x"},"Checks":[null]}]`))},
		"a port out of range":         {evidence: "70000", lie: always(raw("60", `[{"Node":{"Node":"n"},"Service":{"ID":"x","Port":70000}}]`))},
		"a tagged port out of range":  {evidence: "-1", lie: always(raw("60", `[{"Node":{"Node":"n"},"Service":{"ID":"x","TaggedAddresses":{"lan":{"Port":-1}}}}]`))},
		"a weight out of range":       {evidence: "weights", lie: always(raw("60", `[{"Node":{"Node":"n"},"Service":{"ID":"x","Weights":{"Passing":-1,"Warning":1}}}]`))},
		"an instance listed twice":    {evidence: "twice", lie: always(raw("60", `[{"Node":{"Node":"n"},"Service":{"ID":"x"}},{"Node":{"Node":"n"},"Service":{"ID":"x"}}]`))},
		"text that is not JSON":       {evidence: "invalid", lie: always(raw("60", `<html>`))},
		"a connection that is cut":    {evidence: "EOF", lie: always(func(http.ResponseWriter) { panic(http.ErrAbortHandler) })},
		"an answer that never begins": {evidence: "deadline", lie: func(_ http.ResponseWriter, c call) bool { <-c.gone; return true }},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			inWorld(t, withToken, func(w *world) {
				w.set("web", several(4)...)
				ch := w.watch(byName("web"))
				w.next(ch)
				w.tell(c.lie)
				w.set("web", several(4)...)
				want := catalog.Trusted
				if c.evidence != "" {
					want = catalog.Refused
				}
				s, before := w.until(ch, trust(want))
				for _, s := range append(before, s) {
					if len(view(t, s, "web").Instances) != 4 {
						t.Errorf("a lie was published: %s", describe(s))
					}
				}
				if got := fmt.Sprint(s.Views()[0].Verdict.Evidence); !strings.Contains(got, c.evidence) {
					t.Errorf("evidence %q lacks %q", got, c.evidence)
				}
				if c.evidence == "" && len(before) == 0 {
					t.Error("the view was never suspicious")
				}
				w.quiet(ch, 10*time.Second)
				w.tell(nil)
				w.set("web", several(5)...)
				healing := time.Now()
				w.until(ch, func(s catalog.Snapshot) bool { return trusted(s) && len(view(t, s, "web").Instances) == 5 })
				if took := time.Since(healing); took > 40*time.Second {
					t.Errorf("healed after %s", took)
				}
			})
		})
	}
}

func always(answer func(http.ResponseWriter)) lie {
	return func(w http.ResponseWriter, c call) bool { answer(w); return true }
}

func once(which func(call) bool, answer func(http.ResponseWriter)) lie {
	return times(1, which, answer)
}

func times(n int, which func(call) bool, answer func(http.ResponseWriter)) lie {
	return func(w http.ResponseWriter, c call) bool {
		if n == 0 || !which(c) {
			return false
		}
		n--
		answer(w)
		return true
	}
}

func TestAConfirmingReadThatLostMoreIsDoubtedItself(t *testing.T) {
	inWorld(t, withToken, func(w *world) {
		w.set("web", several(10)...)
		ch := w.watch(byName("web"))
		w.next(ch)
		n := 0
		w.tell(func(rw http.ResponseWriter, c call) bool {
			if !c.consistent || !health(c) {
				return false
			}
			n++
			if n == 2 {
				raw("60", "[]")(rw)
			}
			return n == 2
		})
		w.set("web", several(5)...)
		s, before := w.until(ch, trusted)
		for _, s := range before {
			if len(view(t, s, "web").Instances) != 10 {
				t.Errorf("before the confirmation: %s", describe(s))
			}
		}
		if v := view(t, s, "web"); len(v.Instances) != 5 || v.Verdict.Confirmed != 2 || len(v.Departures) != 5 {
			t.Errorf("got %s", describe(s))
		}
	})
}

func TestAnAnonymousReadConfirmsNothingUnderDefaultDeny(t *testing.T) {
	inWorld(t, config.Consul{}, func(w *world) {
		w.set("web", several(4)...)
		ch := w.watch(byName("web"))
		w.next(ch)
		w.tell(func(rw http.ResponseWriter, c call) bool {
			rw.Header().Set("X-Consul-Default-ACL-Policy", "deny")
			raw("60", "[]")(rw)
			return true
		})
		s, _ := w.until(ch, trust(catalog.Refused))
		if v := view(t, s, "web"); len(v.Instances) != 4 || !strings.Contains(fmt.Sprint(v.Verdict.Evidence), "give a token with service:read") {
			t.Errorf("got %s", describe(s))
		}
	})
}

func TestAFirstEmptyAnswerFromWhichResultsAreHiddenIsNotTaken(t *testing.T) {
	inWorld(t, withToken, func(w *world) {
		w.tell(always(filtered("[]")))
		ch := w.watch(byName("web"))
		w.quiet(ch, time.Minute)
		if err := w.client.Queries()[0].Err; err == nil || !strings.Contains(err.Error(), "node:read") {
			t.Errorf("got %v", err)
		}
	})
}

func TestAListOfNamesThatAlwaysLackedSomeCanStillShrink(t *testing.T) {
	inWorld(t, withToken, func(w *world) {
		for _, name := range []string{"a", "b", "c"} {
			w.set(name, named(name, name+"-1", "n1", 80))
		}
		w.tell(func(rw http.ResponseWriter, c call) bool {
			if c.path == "/v1/catalog/services" {
				rw.Header().Set("X-Consul-Results-Filtered-By-ACLs", "true")
			}
			return false
		})
		ch := w.watch(catalog.Selector{Regexp: "^none$"})
		w.next(ch)
		w.set("a")
		w.set("b")
		w.set("c")
		s, _ := w.until(ch, func(s catalog.Snapshot) bool { return len(s.Views()[0].Names) == 1 })
		if !trusted(s) {
			t.Errorf("got %s", describe(s))
		}
	})
}

func TestAnIndexThatFellMakesTheNextShrinkWait(t *testing.T) {
	inWorld(t, withToken, func(w *world) {
		w.set("web", several(8)...)
		ch := w.watch(byName("web"))
		w.next(ch)
		w.restore()
		w.quiet(ch, 5*time.Minute)
		started := time.Now()
		w.set("web", several(7)...)
		s, _ := w.until(ch, func(s catalog.Snapshot) bool { return len(view(t, s, "web").Instances) == 7 })
		if v := view(t, s, "web"); v.Epoch != 1 || v.Verdict.Confirmed != 2 || time.Since(started) != 10*time.Second {
			t.Errorf("got %s after %s", describe(s), time.Since(started))
		}
		w.set("web", several(6)...)
		if s, took := w.next(ch); took != 0 || len(view(t, s, "web").Instances) != 6 {
			t.Errorf("the second shrink: got %s after %s", describe(s), took)
		}
	})
}

func TestALostCatalogIsSeenSoonAndItsIndexTold(t *testing.T) {
	inWorld(t, withToken, func(w *world) {
		w.set("web", several(5)...)
		ch := w.watch(byName("web"))
		w.next(ch)
		w.tell(always(func(http.ResponseWriter) { panic(http.ErrAbortHandler) }))
		w.until(ch, trust(catalog.Refused))
		w.restore()
		started := time.Now()
		w.set("web")
		w.tell(nil)
		s, _ := w.until(ch, trust(catalog.Suspicious))
		if time.Since(started) > time.Second {
			t.Errorf("doubted after %s", time.Since(started))
		}
		if v := view(t, s, "web"); len(v.Instances) != 5 {
			t.Errorf("got %s", describe(s))
		}
		s, _ = w.until(ch, trusted)
		if v := view(t, s, "web"); v.Epoch != 1 || v.Verdict.Confirmed != 2 || time.Since(started) < 10*time.Second {
			t.Errorf("got %s after %s", describe(s), time.Since(started))
		}
	})
}

func TestAnIndexOfZeroOrOneThatJumpsMakesNoBusyLoop(t *testing.T) {
	for name, index := range map[string]func(n int) string{
		"always zero":         func(int) string { return "0" },
		"no number":           func(int) string { return "many" },
		"up and down":         func(n int) string { return fmt.Sprint(100 + n%2) },
		"rising all the time": func(n int) string { return fmt.Sprint(100 + n) },
		"falling":             func(n int) string { return fmt.Sprint(100_000 - n) },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, withToken, func(w *world) {
				n := 0
				w.tell(func(rw http.ResponseWriter, c call) bool {
					n++
					raw(index(n), `[{"Node":{"Node":"n"},"Service":{"ID":"x"}}]`)(rw)
					return true
				})
				ch := w.watch(byName("web"))
				w.next(ch)
				w.quiet(ch, time.Minute)
				if calls := len(w.seen(health)); calls > 2*60+10 {
					t.Errorf("%d requests in a minute, want at most 2 per second", calls)
				}
			})
		})
	}
}

func TestAFrozenWatchIsFoundByTheReread(t *testing.T) {
	inWorld(t, withToken, func(w *world) {
		w.set("web", several(3)...)
		ch := w.watch(byName("web"))
		w.next(ch)
		time.Sleep(time.Minute)
		w.mu.Lock()
		old, index := w.services["web"], w.touched["web"]
		w.mu.Unlock()
		w.tell(func(rw http.ResponseWriter, c call) bool {
			if !c.blocking {
				return false
			}
			select {
			case <-time.After(55 * time.Second):
			case <-c.gone:
			}
			reply(rw, index, old)
			return true
		})
		w.set("web", several(4)...)
		s, took := w.next(ch)
		if v := view(t, s, "web"); len(v.Instances) != 4 || took > 7*time.Minute {
			t.Errorf("got %s after %s", describe(s), took)
		}
		w.quiet(ch, time.Hour)
	})
}

func TestARereadComesEveryFiveMinutes(t *testing.T) {
	inWorld(t, withToken, func(w *world) {
		w.set("web", several(3)...)
		w.next(w.watch(byName("web")))
		time.Sleep(time.Hour)
		plain := w.seen(func(c call) bool { return health(c) && !c.blocking })
		if len(plain) < 9 || len(plain) > 16 {
			t.Errorf("%d plain reads in an hour, want about 12", len(plain))
		}
		for _, c := range w.seen(func(c call) bool { return c.blocking }) {
			if !strings.Contains(c.query, "wait=60000ms") {
				t.Errorf("a long poll asked for %q", c.query)
			}
		}
	})
}

func TestTheGuardLetsAConfirmedLastInstanceGo(t *testing.T) {
	inWorld(t, withToken, func(w *world) {
		w.set("web", instance("web-1", "n1", 80))
		ch := w.watch(catalog.Selector{Regexp: "^web$"})
		s, _ := w.next(ch)
		applied := []catalog.Member{view(t, s, "web").Instances[0].Member()}
		w.set("web")
		s, _ = w.until(ch, func(s catalog.Snapshot) bool { return trusted(s) && len(view(t, s, "web").Instances) == 0 })
		verdict := tasks.Guard{}.Review(tasks.Proposal{Applied: applied, Baseline: true, Views: s.Views(),
			Selected: func(string) bool { return true }})
		if verdict.Held() {
			t.Errorf("held: %+v", verdict.Findings)
		}
	})
}

func TestEverythingOfAnInstanceIsDecoded(t *testing.T) {
	inWorld(t, withToken, func(w *world) {
		w.tell(always(raw("60", `[{"Node":{"ID":"id","Node":"n1","Address":"10.0.0.1","Datacenter":"dc1",
			"TaggedAddresses":{"lan":"10.0.0.1"},"Meta":{"rack":"a"}},
			"Service":{"Kind":"typical","ID":"web-1","Service":"web","Tags":["b","a"],"Address":"10.1.0.1","Port":80,
			"Meta":{"k":"${v}\"\n"},"Weights":{"Passing":3,"Warning":0},"TaggedAddresses":{"wan":{"Address":"1.2.3.4","Port":81}},"Namespace":"ns"},
			"Checks":[{"CheckID":"c","Name":"http","Status":"warning","Type":"http","Output":"slow","Notes":"n","ServiceID":"web-1","ServiceTags":["a"]}]},
			{"Node":{"Node":"n2"},"Service":{"ID":"web-2"}}]`)))
		s, _ := w.next(w.watch(byName("web")))
		want := catalog.Instance{ID: "web-1", Name: "web", Kind: "typical", Address: "10.1.0.1", Port: 80, Tags: []string{"a", "b"},
			Meta: map[string]string{"k": "${v}\"\n"}, Namespace: "ns", Weights: catalog.Weights{Passing: 3},
			TaggedAddresses: map[string]catalog.Endpoint{"wan": {Address: "1.2.3.4", Port: 81}},
			Node: catalog.Node{ID: "id", Name: "n1", Address: "10.0.0.1", Datacenter: "dc1",
				TaggedAddresses: map[string]string{"lan": "10.0.0.1"}, Meta: map[string]string{"rack": "a"}},
			Checks: []catalog.Check{{ID: "c", Name: "http", Status: "warning", Type: "http", Output: "slow", Notes: "n",
				ServiceID: "web-1", ServiceTags: []string{"a"}}}}
		got := view(t, s, "web").Instances
		if diff := cmp.Diff(want, got[0]); diff != "" {
			t.Errorf("instance (-want +got):\n%s", diff)
		}
		if got[1].Weights != (catalog.Weights{Passing: 1, Warning: 1}) || len(got[1].Checks) != 0 {
			t.Errorf("defaults: got %+v", got[1])
		}
	})
}
