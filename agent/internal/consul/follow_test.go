package consul

import (
	"net/http"
	"testing"
	"time"

	"patchbay/tasks/catalog"

	"github.com/google/go-cmp/cmp"
)

func service(name string) catalog.Query {
	return catalog.Query{Kind: catalog.ServiceHealth, Name: name}
}

// take waits for changed views and tells them by service.
func take(t *testing.T, f *Follower) map[string]int {
	t.Helper()
	select {
	case <-f.Changed():
	case <-time.After(time.Hour):
		t.Fatal("nothing changed")
	}
	out := map[string]int{}
	for _, v := range f.Take() {
		out[v.Query.Name] = v.Len()
	}
	return out
}

func TestAServiceThatDoesNotAnswerHoldsNoFollowedServiceUp(t *testing.T) {
	inWorld(t, withToken, func(w *world) {
		w.set("web", several(2)...)
		w.tell(func(rw http.ResponseWriter, c call) bool {
			if c.service == "api" {
				status(500, "no leader")(rw)
			}
			return c.service == "api"
		})
		f := w.client.Follow()
		defer f.Close()
		f.Need([]catalog.Query{service("web"), service("api")})
		if diff := cmp.Diff(map[string]int{"web": 2}, take(t, f)); diff != "" {
			t.Error(diff)
		}
		w.set("web", several(1)...)
		if diff := cmp.Diff(map[string]int{"web": 1}, take(t, f)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAFollowerTakesTheNewestViewsThatChangedOnly(t *testing.T) {
	inWorld(t, withToken, func(w *world) {
		w.set("web", several(1)...)
		w.set("api", named("api", "api-1", "n1", 81))
		f := w.client.Follow()
		defer f.Close()
		f.Need([]catalog.Query{service("web"), service("api")})
		time.Sleep(time.Second)
		if diff := cmp.Diff(map[string]int{"web": 1, "api": 1}, take(t, f)); diff != "" {
			t.Error(diff)
		}
		for n := range 3 {
			w.set("web", several(2+n)...)
			time.Sleep(time.Second)
		}
		if diff := cmp.Diff(map[string]int{"web": 4}, take(t, f)); diff != "" {
			t.Error(diff)
		}
		if left := f.Take(); len(left) != 0 {
			t.Errorf("%d views are left", len(left))
		}
	})
}

func TestAFollowerSharesTheViewsOfTasksAndLetsThemGo(t *testing.T) {
	inWorld(t, withToken, func(w *world) {
		w.set("web", several(1)...)
		w.next(w.watch(byName("web")))
		reads := len(w.seen(health))
		f := w.client.Follow()
		f.Need([]catalog.Query{service("web")})
		if diff := cmp.Diff(map[string]int{"web": 1}, take(t, f)); diff != "" {
			t.Error(diff)
		}
		if more := len(w.seen(health)) - reads; more != 0 {
			t.Errorf("%d more reads", more)
		}
		f.Need([]catalog.Query{service("api")})
		take(t, f)
		f.Close()
		if got := w.client.Queries(); len(got) != 1 || got[0].Query != service("web") {
			t.Errorf("the queries are %v", got)
		}
	})
}

func TestAnAgentThatWatchesNothingKnowsWhetherConsulIsThere(t *testing.T) {
	inWorld(t, withToken, func(w *world) {
		time.Sleep(time.Second)
		if ok, _, err := w.client.Answering(); !ok {
			t.Fatalf("Consul is there: %v", err)
		}
		w.tell(func(rw http.ResponseWriter, c call) bool {
			status(500, "no leader")(rw)
			return true
		})
		time.Sleep(2 * beatEvery)
		if ok, _, _ := w.client.Answering(); ok {
			t.Error("Consul is away and nobody noticed")
		}
	})
}
