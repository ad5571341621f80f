package consul

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"patchbay/agent/config"
	"patchbay/tasks/catalog"

	"github.com/google/go-cmp/cmp"
)

func TestTheFirstSnapshotWaitsForAllQueriesOfItsWatcherOnly(t *testing.T) {
	inWorld(t, withToken, func(w *world) {
		w.set("web", instance("web-1", "n1", 80))
		w.set("api", named("api", "api-1", "n1", 81))
		fails := func(rw http.ResponseWriter, c call) bool {
			if c.service == "api" {
				status(500, "no leader")(rw)
			}
			return c.service == "api"
		}
		w.tell(fails)
		both, one := w.watch(byName("web", "api")), w.watch(byName("web"))
		if s, took := w.next(one); len(s.Views()) != 1 || took != 0 {
			t.Errorf("got %s after %s", describe(s), took)
		}
		w.quiet(both, time.Minute)
		w.tell(nil)
		s, took := w.next(both)
		if len(s.Views()) != 2 || took > 30*time.Second {
			t.Errorf("got %s after %s", describe(s), took)
		}
		w.quiet(both, time.Hour)
	})
}

func TestAChangeReachesTheWatcherAtOnceAlsoRightAfterAnother(t *testing.T) {
	inWorld(t, withToken, func(w *world) {
		w.set("web", several(5)...)
		ch := w.watch(byName("web"))
		w.next(ch)
		time.Sleep(time.Minute)
		for n := range 4 {
			changed := append(several(5)[:4:4], failingCheck(instance("web-4", "n4", 9000+n)))
			w.set("web", changed...)
			s, took := w.next(ch)
			if got := view(t, s, "web").Instances[4]; took != 0 || got.Port != 9000+n || got.Status() != catalog.Critical {
				t.Errorf("change %d: got port %d, %s after %s", n, got.Port, got.Status(), took)
			}
		}
	})
}

func TestOneOfSeveralLeavesWithoutWaiting(t *testing.T) {
	inWorld(t, withToken, func(w *world) {
		w.set("web", several(2)...)
		ch := w.watch(byName("web"))
		w.next(ch)
		w.set("web", several(1)...)
		s, took := w.next(ch)
		if v := view(t, s, "web"); took != 0 || len(v.Instances) != 1 || v.Verdict.Trust != catalog.Trusted {
			t.Errorf("got %s after %s", describe(s), took)
		}
	})
}

func TestWatchersShareAQueryThatEndsWithTheLast(t *testing.T) {
	inWorld(t, withToken, func(w *world) {
		w.set("web", instance("web-1", "n1", 80))
		first, stopFirst := context.WithCancel(w.ctx)
		second, stopSecond := context.WithCancel(w.ctx)
		a := w.client.Watch(first, []catalog.Want{byName("web")})
		b := w.client.Watch(second, []catalog.Want{byName("web")})
		w.next(a)
		w.next(b)
		time.Sleep(3 * time.Minute)
		if n := w.most(); n != 1 {
			t.Errorf("%d requests were open at once, want 1", n)
		}
		stopFirst()
		w.set("web", several(2)...)
		w.next(b)
		stopSecond()
		for range b {
			t.Error("a snapshot came after the end")
		}
		time.Sleep(time.Second)
		before := len(w.seen(health))
		time.Sleep(time.Hour)
		if after := len(w.seen(health)); after != before || len(w.client.Queries()) != 0 {
			t.Errorf("%d requests came after the last watcher left", after-before)
		}
	})
}

func TestAWatcherOfNothingHasOneEmptySnapshot(t *testing.T) {
	inWorld(t, withToken, func(w *world) {
		ctx, cancel := context.WithCancel(w.ctx)
		ch := w.client.Watch(ctx, nil)
		if s, _ := w.next(ch); len(s.Views()) != 0 {
			t.Errorf("got %s", describe(s))
		}
		w.quiet(ch, time.Hour)
		cancel()
		if _, open := <-ch; open {
			t.Error("a second snapshot came")
		}
	})
}

func TestTheNewestSnapshotReplacesOneThatNobodyTook(t *testing.T) {
	inWorld(t, withToken, func(w *world) {
		w.set("web", several(1)...)
		ch := w.watch(byName("web"))
		for n := range 4 {
			time.Sleep(time.Minute)
			w.set("web", several(n+2)...)
		}
		time.Sleep(time.Minute)
		if s, _ := w.next(ch); len(view(t, s, "web").Instances) != 5 {
			t.Errorf("got %s", describe(s))
		}
		w.quiet(ch, time.Minute)
	})
}

func TestARegexpFollowsNewServicesAndPureHealth(t *testing.T) {
	inWorld(t, withToken, func(w *world) {
		w.set("web", instance("web-1", "n1", 80))
		w.set("db", named("db", "db-1", "n1", 5432))
		ch := w.watch(catalog.Selector{Regexp: "^web"})
		if s, _ := w.next(ch); len(s.Views()) != 2 {
			t.Errorf("first: got %s", describe(s))
		}
		w.set("web-admin", named("web-admin", "a-1", "n1", 81))
		s, _ := w.until(ch, func(s catalog.Snapshot) bool { return len(s.Views()) == 3 })
		view(t, s, "web-admin")
		w.set("web-admin", named("web-admin", "a-1", "n1", 81), failingCheck(named("web-admin", "a-2", "n1", 82)))
		s, took := w.next(ch)
		if v := view(t, s, "web-admin"); took != 0 || v.Instances[1].Status() != catalog.Critical {
			t.Errorf("flip: got %s after %s", describe(s), took)
		}
	})
}

func TestAFailingListOfNamesDropsNoService(t *testing.T) {
	inWorld(t, withToken, func(w *world) {
		w.set("web", instance("web-1", "n1", 80))
		ch := w.watch(catalog.Selector{})
		w.next(ch)
		w.tell(func(rw http.ResponseWriter, c call) bool {
			if c.path == "/v1/catalog/services" {
				status(500, "rpc error")(rw)
			}
			return c.path == "/v1/catalog/services"
		})
		s, _ := w.until(ch, func(s catalog.Snapshot) bool { return !trusted(s) })
		view(t, s, "web")
		w.set("web", several(3)...)
		w.until(ch, func(s catalog.Snapshot) bool { return len(view(t, s, "web").Instances) == 3 })
		w.tell(nil)
		w.until(ch, trusted)
	})
}

func TestAVanishedServiceStaysUntilItsHealthIsConfirmedAndKeepsItsEvidence(t *testing.T) {
	inWorld(t, withToken, func(w *world) {
		w.set("web", instance("web-1", "n1", 80))
		w.set("api", named("api", "api-1", "n1", 81))
		ch := w.watch(catalog.Selector{Regexp: "web|api"})
		w.next(ch)
		started := time.Now()
		w.set("web")
		s, before := w.until(ch, func(s catalog.Snapshot) bool { return len(view(t, s, "web").Instances) == 0 })
		for _, s := range before {
			if v := view(t, s, "web"); len(v.Instances) != 1 {
				t.Errorf("before the confirmation: got %s", describe(s))
			}
		}
		if took := time.Since(started); took != 2*time.Second {
			t.Errorf("the confirmation took %s, want 2s", took)
		}
		want := []catalog.Departure{{Member: catalog.Member{Key: "web-1.n1.dc1", Service: "web", Node: "n1", Address: "10.0.0.1", Port: 80},
			Cause: catalog.Deregistered}}
		if diff := cmp.Diff(want, view(t, s, "web").Departures); diff != "" {
			t.Errorf("departures (-want +got):\n%s", diff)
		}
		time.Sleep(23*time.Hour + 30*time.Minute)
		w.set("api", named("api", "api-1", "n1", 91))
		s, _ = w.until(ch, func(s catalog.Snapshot) bool { return view(t, s, "api").Instances[0].Port == 91 })
		if v := view(t, s, "web"); len(v.Departures) != 1 || v.Verdict.Confirmed != 2 {
			t.Errorf("a day later: got %s", describe(s))
		}
		w.until(ch, func(s catalog.Snapshot) bool { return len(s.Views()) == 2 })
	})
}

func TestHostileNamesAreEscapedOrLeftOut(t *testing.T) {
	inWorld(t, withToken, func(w *world) {
		odd := []string{"a/b", "100%", "a%2Fb", "ü ?#&x=1", "q\"${x}"}
		for _, name := range odd {
			w.set(name, named(name, "id", "n1", 80))
		}
		for _, name := range []string{"..", "a/../b", "nul\x00", "line\nfeed", "a//b"} {
			w.set(name, named(name, "id", "n1", 80))
		}
		s, _ := w.next(w.watch(catalog.Selector{}))
		for _, name := range odd {
			if v := view(t, s, name); len(v.Instances) != 1 || v.Instances[0].Name != name {
				t.Errorf("%q: got %s", name, describe(s))
			}
		}
		if got := len(s.Views()); got != len(odd)+2 {
			t.Errorf("got %d views, want those of the odd names, of consul and of the list", got)
		}
	})
}

func TestMoreQueriesThanConnectionsAllSeeChanges(t *testing.T) {
	cfg := withToken
	cfg.MaxPolls = 10
	inWorld(t, cfg, func(w *world) {
		var channels []<-chan catalog.Snapshot
		name := func(n int) string { return fmt.Sprintf("s%03d", n) }
		for n := range 100 {
			w.set(name(n), named(name(n), "i", "n1", 80))
			channels = append(channels, w.watch(byName(name(n))))
		}
		for _, ch := range channels {
			w.next(ch)
		}
		for round := range 2 {
			time.Sleep(15 * time.Second)
			started := time.Now()
			for n := range 100 {
				w.set(name(n), named(name(n), "i", "n1", 81+round))
			}
			for n, ch := range channels {
				if s, _ := w.next(ch); view(t, s, name(n)).Instances[0].Port != 81+round {
					t.Errorf("got %s", describe(s))
				}
			}
			if took := time.Since(started); took > 3*time.Second {
				t.Errorf("the last of 100 changes was seen after %s", took)
			}
		}
		if n := w.most(); n > 10 {
			t.Errorf("%d requests were open at once, want at most 10", n)
		}
		before := len(w.seen(health))
		time.Sleep(10 * time.Second)
		if n := len(w.seen(health)) - before; n > 1200 {
			t.Errorf("%d idle requests in 10 s, want about 1,000", n)
		}
		held := map[string]bool{}
		for _, c := range w.seen(func(c call) bool { return c.blocking }) {
			held[c.service] = true
		}
		if len(held) < 30 {
			t.Errorf("only %d of 100 queries ever had a long poll", len(held))
		}
	})
}

func TestConsulAnswersOrNot(t *testing.T) {
	inWorld(t, withToken, func(w *world) {
		if ok, since, err := w.client.Answering(); ok || !since.IsZero() || err != nil {
			t.Errorf("before: %v %s %v", ok, since, err)
		}
		leaderless := true
		w.tell(func(rw http.ResponseWriter, c call) bool {
			if leaderless {
				raw("1", `""`)(rw)
			}
			return leaderless
		})
		ctx, cancel := context.WithTimeout(w.ctx, time.Minute)
		defer cancel()
		if err := w.client.WaitLeader(ctx); err == nil || !strings.Contains(err.Error(), "no leader") {
			t.Errorf("got %v", err)
		}
		if ok, _, err := w.client.Answering(); ok || err == nil {
			t.Errorf("without a leader: %v %v", ok, err)
		}
		w.tell(nil)
		if err := w.client.WaitLeader(w.ctx); err != nil {
			t.Error(err)
		}
		if ok, since, _ := w.client.Answering(); !ok || since.IsZero() {
			t.Errorf("with a leader: %v %s", ok, since)
		}
		w.tell(func(rw http.ResponseWriter, c call) bool { status(403, "ACL not found")(rw); return true })
		ch := w.watch(byName("web"))
		time.Sleep(time.Minute)
		if ok, _, _ := w.client.Answering(); !ok {
			t.Error("a refusal counts as no answer")
		}
		if q := w.client.Queries(); len(q) != 1 || q[0].Err == nil || !strings.Contains(q[0].Err.Error(), "service:read") {
			t.Errorf("got %+v", q)
		}
		w.quiet(ch, time.Minute)
	})
}

func TestTheEnvironmentChangesNothing(t *testing.T) {
	for name, value := range map[string]string{"CONSUL_HTTP_TOKEN": "env", "CONSUL_HTTP_TOKEN_FILE": "/does/not/exist",
		"CONSUL_NAMESPACE": "env", "CONSUL_PARTITION": "env", "CONSUL_HTTP_ADDR": "https://env.invalid", "CONSUL_HTTP_SSL": "true",
		"CONSUL_HTTP_AUTH": "env:env"} {
		t.Setenv(name, value)
	}
	for _, cfg := range []config.Consul{{}, withToken} {
		inWorld(t, cfg, func(w *world) {
			w.set("web", instance("web-1", "n1", 80))
			w.next(w.watch(catalog.Selector{Names: []string{"web"}, Datacenter: "dc2", Namespace: "team"}, byName("web")))
			for _, c := range w.seen(health) {
				if c.token != cfg.Token.Reveal() || strings.Contains(c.query, "s3cret") {
					t.Errorf("token %q, query %q", c.token, c.query)
				}
				if c.query != "dc=dc2&ns=team" && strings.ContainsAny(c.query, "ns=") && !c.blocking {
					t.Errorf("query %q", c.query)
				}
			}
		})
	}
}

func TestNoRedirectIsFollowedAndNoErrorTellsTheToken(t *testing.T) {
	inWorld(t, withToken, func(w *world) {
		w.tell(func(rw http.ResponseWriter, c call) bool {
			rw.Header().Set("Location", "http://evil.invalid/"+c.service)
			status(301, "")(rw)
			return true
		})
		w.watch(byName("web"))
		time.Sleep(time.Minute)
		err := w.client.Queries()[0].Err
		if err == nil || !strings.Contains(err.Error(), "301") || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("got %v", err)
		}
	})
}
