package rig

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
)

func TestTheServersStartServeAndRestart(t *testing.T) {
	dir := t.TempDir()
	c, err := NewConsul(t.Context(), filepath.Join(dir, "consul"), false)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { c.Kill() }()
	n, err := StartNGINX(t.Context(), filepath.Join(dir, "nginx"), Site{"web", "web.conf"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.Quit(); err != nil {
			t.Error(err)
		}
	}()
	b, err := NewBackend("web-1")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := n.AwaitAnswers(t.Context(), "web", time.Second); err != nil {
		t.Errorf("a site without servers: %v", err)
	}
	upstream := fmt.Sprintf("upstream web { server %s; }\n", b.Addr())
	if err := os.WriteFile(n.Upstreams("web.conf"), []byte(upstream), 0o644); err != nil {
		t.Fatal(err)
	}
	n.Signal(syscall.SIGHUP)
	if err := n.AwaitAnswers(t.Context(), "web", 30*time.Second, "web-1"); err != nil {
		t.Error(err)
	}
	if err := c.RegisterProbed("web-1", "web", b); err != nil {
		t.Fatal(err)
	}
	if err := c.Stop(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	passing := func(e []*api.ServiceEntry) bool {
		return len(e) == 1 && e[0].Checks.AggregatedStatus() == api.HealthPassing
	}
	if _, err := c.AwaitService(t.Context(), "web", 30*time.Second, passing); err != nil {
		t.Errorf("the restarted Consul lost an instance: %v", err)
	}
	b.SetSick(true)
	critical := func(e []*api.ServiceEntry) bool { return len(e) == 1 && !passing(e) }
	if _, err := c.AwaitService(t.Context(), "web", 30*time.Second, critical); err != nil {
		t.Errorf("a sick backend: %v", err)
	}
}
