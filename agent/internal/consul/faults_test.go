package consul

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"patchbay/agent/config"
	"patchbay/tasks"
	"patchbay/tasks/catalog"
)

func TestAConsulThatWasAwayForADayIsFollowedAgain(t *testing.T) {
	inWorld(t, withToken, func(w *world) {
		w.set("web", several(3)...)
		ch := w.watch(byName("web"))
		w.next(ch)
		w.tell(func(http.ResponseWriter, call) bool { panic(http.ErrAbortHandler) })
		before := len(w.seen(health))
		time.Sleep(24 * time.Hour)
		if ok, _, err := w.client.Answering(); ok || err == nil {
			t.Errorf("answering = %v %v though nothing answered for a day", ok, err)
		}
		if n := len(w.seen(health)) - before; n < 24*60 || n > 24*3600 {
			t.Errorf("%d requests in a day, want about two or three a minute", n)
		}
		w.set("web", several(4)...)
		w.tell(nil)
		s, _ := w.until(ch, func(s catalog.Snapshot) bool { return len(view(t, s, "web").Instances) == 4 })
		if ok, _, _ := w.client.Answering(); !ok || !trusted(s) {
			t.Errorf("answering = %v, %s", ok, describe(s))
		}
	})
}

func TestARegexpMayHoldAnySign(t *testing.T) {
	inWorld(t, withToken, func(w *world) {
		odd := []string{"tier=web", `back\slash`, `q"uote`, "dollar$", "{{ key }}"}
		for _, name := range append(odd, "web") {
			w.set(name, named(name, "i", "n1", 80))
		}
		c := tasks.CatalogServices{Regexp: `=|\\|"|\$|\{\{`}
		s, _ := w.next(w.client.Watch(w.ctx, []catalog.Want{c.Query()}))
		got := c.Select(s)
		for _, name := range odd {
			if _, ok := got[name]; !ok {
				t.Errorf("%q is not among %v", name, got)
			}
		}
		if len(got) != len(odd) {
			t.Errorf("got %v, want the odd names alone", got)
		}
	})
}

func TestNodeMetaIsAskedForInOneOrder(t *testing.T) {
	meta := map[string]string{"a": "1", "b": "2", "c": "3", "d": "4", "e": "5"}
	for range 20 {
		inWorld(t, config.Consul{Address: "consul.invalid:8500"}, func(w *world) {
			for range 2 { // two tasks with equal conditions
				w.next(w.client.Watch(w.ctx, []catalog.Want{tasks.CatalogServices{NodeMeta: meta}.Query()}))
			}
			if n := len(w.client.Queries()); n != 1 {
				t.Errorf("%d queries for two equal conditions, want one", n)
			}
		})
	}
}

func TestAFirstEmptyAnswerToNobodyUnderDefaultDenyIsNotTaken(t *testing.T) {
	inWorld(t, config.Consul{Address: "consul.invalid:8500"}, func(w *world) {
		w.set("web", several(2)...)
		w.tell(func(rw http.ResponseWriter, _ call) bool {
			rw.Header().Set("X-Consul-Default-ACL-Policy", "deny")
			raw("60", "[]")(rw)
			return true
		})
		ch := w.watch(byName("web"))
		w.quiet(ch, time.Hour)
		if err := w.client.Queries()[0].Err; err == nil || !strings.Contains(err.Error(), "no token is configured") || !strings.Contains(err.Error(), "service:read") {
			t.Errorf("got %v", err)
		}
		w.tell(nil)
		if s, _ := w.next(ch); len(view(t, s, "web").Instances) != 2 {
			t.Errorf("got %s", describe(s))
		}
	})
}
