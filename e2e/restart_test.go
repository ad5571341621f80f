package e2e

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"patchbay/e2e/internal/rig"

	"github.com/hashicorp/consul/api"
)

func TestARestartOfConsulChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, web)
	// Probed checks are critical for a moment after the restart: all members are
	// lost then, as far as the catalog tells.
	for _, id := range []string{"web-1", "web-2", "web-3"} {
		w.must(w.consul.RegisterProbed(id, "web", w.backend(id)))
	}
	w.start(w.config(local, w.nginxTask("web", "web", web.File)))
	w.answers("web", "web-1", "web-2", "web-3")
	w.phase("web", "applied")

	w.must(w.consul.Stop(limit))
	w.must(w.consul.Start(w.t.Context()))
	_, err := w.consul.AwaitService(w.t.Context(), "web", limit, func(entries []*api.ServiceEntry) bool {
		for _, e := range entries {
			if e.Checks.AggregatedStatus() != api.HealthPassing {
				return false
			}
		}
		return len(entries) == 3
	})
	w.must(err)
	// A change after the restart is seen, and it is the only one that is applied.
	w.must(w.consul.RegisterProbed("web-4", "web", w.backend("web-4")))
	w.answers("web", "web-1", "web-2", "web-3", "web-4")
	w.phase("web", "applied")
	if got := w.applied("web"); got != 2 {
		t.Errorf("%d runs were applied after the restart, want 1", got-1)
	}
}

func TestAConsulThatForgotEverythingRemovesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, web)
	w.serve("web", "web-1", "web-2", "web-3")
	w.start(w.config(local, w.nginxTask("web", "web", web.File)))
	w.answers("web", "web-1", "web-2", "web-3")
	w.phase("web", "applied")

	w.must(w.consul.Stop(limit))
	w.must(w.consul.Wipe())
	w.must(w.consul.Start(w.t.Context()))
	w.held("web", "all-members-lost")
	w.answers("web", "web-1", "web-2", "web-3")

	// The hold outlives a restart of Patchbay.
	w.must(w.patchbay.Stop(limit))
	w.start(w.config(local, w.nginxTask("web", "web", web.File)))
	w.held("web", "all-members-lost")
	w.answers("web", "web-1", "web-2", "web-3")

	for _, id := range []string{"web-1", "web-2", "web-3"} {
		w.must(w.consul.Register("web", w.backends[id]))
	}
	w.phase("web", "unchanged")
	w.answers("web", "web-1", "web-2", "web-3")
	if got := w.applied("web"); got != 1 {
		t.Errorf("%d runs were applied while Consul forgot and learned again, want 0", got-1)
	}
}

// endings are the signals after which a restart carries on.
var endings = map[string]syscall.Signal{"after a graceful stop": syscall.SIGTERM, "after it was killed": syscall.SIGKILL}

func TestARestartOfPatchbayCarriesOn(t *testing.T) {
	t.Parallel()
	for name, s := range endings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, web)
			w.serve("web", "web-1", "web-2")
			config := w.config("", w.nginxTask("web", "web", web.File))
			w.start(config)
			w.answers("web", "web-1", "web-2")
			first := w.phase("web", "applied")
			before, err := os.Stat(w.nginx.Upstreams(web.File))
			w.must(err)

			w.end(s)
			w.start(config)
			w.phase("web", "unchanged")
			after, err := os.Stat(w.nginx.Upstreams(web.File))
			w.must(err)
			if !os.SameFile(before, after) || before.ModTime() != after.ModTime() {
				t.Error("a restart without a change wrote NGINX's file again")
			}
			runs := w.runs("web")
			if oldest := runs[len(runs)-1].ID; oldest != first.ID {
				t.Errorf("the oldest run is %s after the restart, want %s: the history is lost", oldest, first.ID)
			}

			w.end(s)
			w.must(w.consul.Deregister("web-1"))
			w.serve("web", "web-3")
			w.start(config)
			w.answers("web", "web-2", "web-3")
		})
	}
}

// end ends the daemon by a signal.
func (w *world) end(s syscall.Signal) {
	w.t.Helper()
	w.patchbay.Signal(s)
	code, err := w.patchbay.Wait(limit)
	w.must(err)
	if s == syscall.SIGTERM && code != 0 {
		w.t.Errorf("exit code %d after SIGTERM, want 0", code)
	}
}

func TestASecondAgentIsRefusedByName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, web)
	w.serve("web", "web-1")
	w.start(w.config(local, w.nginxTask("web", "web", web.File)))
	w.answers("web", "web-1")

	out, code := w.patch("start", "-config-file", filepath.Join(w.program.Dir, "patchbay.hcl"))
	if code == 0 {
		t.Error("a second agent on the same directory ended with exit code 0")
	}
	wantText(t, out, "patchbay-under-test")
	w.serve("web", "web-2")
	w.answers("web", "web-1", "web-2")
}

func TestMistakesInTheConfigurationStartNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	file := filepath.Join(w.program.Dir, "bad.hcl")
	w.must(os.WriteFile(file, []byte(`consul {
  address = `+rig.HCLString(w.consul.Addr)+`
  adress  = "x"
}
task {
  name   = "web"
  module = "./nowhere"
  condition "services" {
    regexp = "["
  }
}
task {
  name   = "web"
  module = "./nowhere"
  condition "services" {
    names = ["web"]
  }
}
`), 0o644))
	out, code := w.patch("start", "-config-file", file)
	if code != 15 {
		t.Errorf("exit code %d, want 15", code)
	}
	// One mistake each: an unknown attribute, a bad regexp, a duplicate task.
	wantText(t, out, "bad.hcl:3:3", "bad.hcl:9:15", "bad.hcl:13:3")
	if _, err := os.Stat(filepath.Join(w.program.Dir, "sync-tasks")); !os.IsNotExist(err) {
		t.Errorf("the working directory was made: %v", err)
	}
}
