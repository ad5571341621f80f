package e2e

import (
	"strings"
	"testing"

	"patchbay/e2e/internal/rig"
)

var web = rig.Site{Upstream: "web", File: "web.conf"}

func TestNGINXFollowsAService(t *testing.T) {
	t.Parallel()
	for name, backend := range map[string]string{"with states in local files": local, "with states in Consul": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, web)
			w.serve("web", "web-1", "web-2")
			w.start(w.config(backend, w.nginxTask("web", "web", web.File)))
			w.answers("web", "web-1", "web-2")
			w.must(w.patchbay.AwaitReady(w.t.Context(), limit))

			w.serve("web", "web-3", "web-4")
			w.answers("web", "web-1", "web-2", "web-3", "web-4")

			w.must(w.consul.SetHealth("web-2", "critical"))
			w.answers("web", "web-1", "web-3", "web-4")
			w.cause("web", "web-2", "health")
			w.must(w.consul.SetHealth("web-2", "passing"))
			w.answers("web", "web-1", "web-2", "web-3", "web-4")

			w.must(w.consul.Deregister("web-4"))
			w.answers("web", "web-1", "web-2", "web-3")
			w.cause("web", "web-4", "removed")
		})
	}
}

// cause waits until the newest applied run names an instance's change as its cause.
func (w *world) cause(task, instance, what string) {
	w.t.Helper()
	_, err := w.patchbay.AwaitRun(w.t.Context(), task, limit, func(r rig.Run) bool {
		if r.Phase != "applied" {
			return false
		}
		for _, c := range r.Causes {
			if strings.HasPrefix(c.Instance, instance+".") && c.What == what {
				return true
			}
		}
		return false
	})
	w.must(err)
}

func TestAnInstanceThatMovesIsFollowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, web)
	w.serve("web", "web-1", "web-2")
	w.start(w.config(local, w.nginxTask("web", "web", web.File)))
	w.answers("web", "web-1", "web-2")
	w.phase("web", "applied")

	old := w.backends["web-1"]
	moved := w.backend("moved")
	w.must(w.consul.RegisterAs("web-1", "web", moved))
	w.answers("web", "moved", "web-2")
	w.cause("web", "web-1", "address")
	if got := w.applied("web"); got != 2 {
		t.Errorf("a move was applied in %d runs after the first, want 1", got-1)
	}
	if old.Port() == moved.Port() {
		t.Error("the instance did not move at all")
	}
}

func TestTheLastInstanceMayBeDeregistered(t *testing.T) {
	t.Parallel()
	w := newWorld(t, web)
	w.serve("web", "web-1")
	w.start(w.config(local, w.nginxTask("web", "web", web.File)))
	w.answers("web", "web-1")

	w.must(w.consul.Deregister("web-1"))
	w.answers("web")
}

func TestTwoTasksShareAService(t *testing.T) {
	t.Parallel()
	second := rig.Site{Upstream: "b-web", File: "second.conf"}
	w := newWorld(t, web, second)
	w.serve("web", "web-1")
	w.start(w.config(local,
		w.nginxTask("first", "web", web.File),
		w.nginxTask("second", "web", second.File, `upstream_prefix = "b-"`)))
	w.answers("web", "web-1")
	w.answers("b-web", "web-1")

	w.serve("web", "web-2")
	w.answers("web", "web-1", "web-2")
	w.answers("b-web", "web-1", "web-2")
	if first, second := w.applied("first"), w.applied("second"); first != 2 || second != 2 {
		t.Errorf("the tasks applied %d and %d times, want 2 each", first, second)
	}
}

func TestARegexpSeesNewServicesAndPureHealthChanges(t *testing.T) {
	t.Parallel()
	shared := "all.conf"
	w := newWorld(t, rig.Site{Upstream: "api-a", File: shared}, rig.Site{Upstream: "api-b", File: shared})
	w.serve("api-a", "a-1", "a-2")
	w.serve("other", "o-1")
	variables, err := w.nginx.ModuleVariables(shared, `service_names = ["api-a", "api-b"]`)
	w.must(err)
	w.start(w.config(local, `task {
  name   = "all"
  module = "builtin/nginx"
  condition "services" {
    regexp = "^api-"
  }
`+variables+"}\n"))
	w.answers("api-a", "a-1", "a-2")

	w.serve("api-b", "b-1", "b-2")
	w.answers("api-b", "b-1", "b-2")

	w.must(w.consul.SetHealth("b-2", "critical"))
	w.answers("api-b", "b-1")
	w.must(w.consul.SetHealth("a-1", "critical"))
	w.answers("api-a", "a-2")
	w.must(w.consul.SetHealth("a-1", "passing"))
	w.answers("api-a", "a-1", "a-2")

	before := w.applied("all")
	w.serve("other", "o-2")
	w.must(w.consul.SetHealth("b-2", "passing"))
	w.answers("api-b", "b-1", "b-2")
	if got := w.applied("all"); got != before+1 {
		t.Errorf("%d runs, want 1: a service that does not match must start none", got-before)
	}
}
