package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"patchbay/e2e/internal/rig"
)

// TestNoRequestFailsWhileHAProxysMembersChange makes the changes of a day under constant
// load. The first adds the spare slots by a reload; none after it needs one.
func TestNoRequestFailsWhileHAProxysMembersChange(t *testing.T) {
	w := newWorld(t)
	dir, err := os.MkdirTemp("", "hap") // a socket's path is at most 107 bytes
	w.must(err)
	t.Cleanup(func() { w.check(os.RemoveAll(dir)) })
	h, err := rig.StartHAProxy(t.Context(), dir)
	w.must(err)
	t.Cleanup(func() { w.check(h.Quit()) })
	t.Cleanup(func() {
		if t.Failed() {
			w.check(copyFile(h.Log, filepath.Join(w.dir, "haproxy", "haproxy.log")))
		}
	})
	w.serve("web", "web-1", "web-2")
	w.start(w.config(local, haproxyTask(w, h)))
	w.must(rig.Until(t.Context(), limit, func() error { _, err := h.Ask(); return err }))

	load := rig.StartLoadOf(h.Ask, 4)
	served := func(what string, ids ...string) {
		t.Helper()
		if err := load.AwaitOnly(t.Context(), limit, ids...); err != nil {
			requests, failures := load.Stop()
			t.Fatalf("%s is not seen in the answers: %v; %d requests, failures: %v", what, err, requests, failures)
		}
	}
	served("the start", "web-1", "web-2")
	before, err := h.Workers()
	w.must(err)
	w.serve("web", "web-3")
	served("one more instance", "web-1", "web-2", "web-3")
	w.must(w.consul.SetHealth("web-1", "critical"))
	served("a critical instance", "web-2", "web-3")
	w.must(w.consul.SetHealth("web-1", "passing"))
	served("its recovery", "web-1", "web-2", "web-3")
	moved := w.backend("web-2 moved")
	w.must(w.move("web-2", moved))
	served("a move to another port", "web-1", moved.ID, "web-3")
	w.must(w.consul.Deregister("web-3"))
	served("an instance taken away", "web-1", moved.ID)
	after, err := h.Workers()
	w.must(err)
	if before != after {
		t.Errorf("HAProxy was reloaded: workers %s, before %s", after, before)
	}
	requests, failures := load.Stop()
	t.Logf("%d requests during 5 changes, %d failed", requests, len(failures))
	if len(failures) > 0 || requests < 500 {
		t.Errorf("%d requests, failures: %v", requests, failures)
	}
}

// haproxyTask is a task that keeps the service web in HAProxy.
func haproxyTask(w *world, h *rig.HAProxy) string {
	w.t.Helper()
	command, err := h.Command()
	w.must(err)
	return fmt.Sprintf(`task {
  name   = "web"
  module = "builtin/haproxy"
  condition "services" {
    names = ["web"]
  }
  variables {
    config_path     = %s
    haproxy_command = %s
    master_socket   = %s
    service_names   = %s
  }
}
`, rig.HCLString(rig.HCLString(h.File())), rig.HCLString(rig.HCLStrings(command...)), rig.HCLString(rig.HCLString(h.Socket())), rig.HCLString(rig.HCLStrings("web")))
}
