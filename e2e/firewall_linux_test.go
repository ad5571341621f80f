package e2e

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"patchbay/e2e/internal/rig"
)

// guarded is a world with a firewall between the load balancer and its backends: only
// those in the set of service web may be reached.
type guarded struct {
	*world
	nft string
}

func newGuarded(t *testing.T, ids ...string) *guarded {
	t.Helper()
	g := &guarded{world: newWorld(t, web)}
	var err error
	g.nft, err = rig.Tool("nft", "/usr/sbin/nft")
	g.must(err)
	var ports []string
	for _, id := range ids {
		ports = append(ports, fmt.Sprint(g.backend(id).Port()))
	}
	// What somebody has whose own rules use the module's sets.
	g.rules(`table inet patchbay {
	set web_ip4_port { type ipv4_addr . inet_service; }
	chain guard {
		type filter hook output priority filter; policy accept;
		ct state established,related accept
		ip daddr . tcp dport @web_ip4_port accept
		tcp dport { ` + strings.Join(ports, ", ") + ` } reject with tcp reset
	}
}
`)
	return g
}

func (g *guarded) rules(text string) {
	g.t.Helper()
	cmd := exec.Command(g.nft, "-f", "-")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		g.t.Fatalf("nft: %v: %s", err, out)
	}
}

// tasks are those of the firewall and of the load balancer, whose task has more.
func (g *guarded) tasks(more string) string {
	g.t.Helper()
	file := rig.HCLString(rig.HCLString(filepath.Join(g.dir, "patchbay.nft")))
	names := rig.HCLString(rig.HCLStrings("web"))
	balancer := strings.Replace(g.nginxTask("balancer", "web", web.File), "  condition", more+"  condition", 1)
	return g.config(local, fmt.Sprintf(`task {
  name   = "firewall"
  module = "builtin/firewall-nftables"
  condition "services" {
    names = ["web"]
  }
  variables {
    file_path     = %s
    service_names = %s
  }
}
`, file, names), balancer)
}

// reachable tells whether the firewall lets a backend be reached.
func (g *guarded) reachable(id string) bool {
	c, err := net.Dial("tcp", g.backends[id].Addr())
	if err == nil {
		_ = c.Close()
	}
	return err == nil
}

// run waits for a task's applied run that names the change of an instance as its cause.
func (g *guarded) run(task, instance, what string) rig.Run {
	g.t.Helper()
	g.cause(task, instance, what)
	for _, r := range g.runs(task) {
		if r.Phase == "applied" && slices.ContainsFunc(r.Causes, func(c rig.Cause) bool {
			return strings.HasPrefix(c.Instance, instance+".") && c.What == what
		}) {
			return r
		}
	}
	g.t.Fatalf("no run of %s has the cause %s %s", task, instance, what)
	return rig.Run{}
}

// change is one event in Consul with those who serve after it.
type change struct {
	instance, what string
	serve          []string
}

// both makes a change and gives the run that each of the tasks did for it.
func (g *guarded) both(c change) (firewall, balancer rig.Run) {
	g.t.Helper()
	if c.what == "added" {
		if g.reachable(c.instance) {
			g.t.Errorf("%s is reachable before Consul knows it: the firewall is not in the way", c.instance)
		}
		g.must(g.consul.Register("web", g.backends[c.instance]))
	} else {
		g.must(g.consul.Deregister(c.instance))
	}
	g.answers("web", c.serve...)
	firewall, balancer = g.run("firewall", c.instance, c.what), g.run("balancer", c.instance, c.what)
	if got := g.reachable(c.instance); got != (c.what == "added") {
		g.t.Errorf("%s %s: the firewall lets it through: %t", c.instance, c.what, got)
	}
	first, second, gap := "firewall", "load balancer", balancer.Updated.Sub(firewall.Updated)
	if gap < 0 {
		first, second, gap = second, first, -gap
	}
	g.t.Logf("%s %s: the %s had it first, the %s %s later", c.instance, c.what, first, second, gap.Round(time.Millisecond))
	return firewall, balancer
}

func TestOneChangeReachesTheFirewallAndTheLoadBalancer(t *testing.T) {
	t.Parallel()
	if !alone(t) {
		return
	}
	g := newGuarded(t, "web-1", "web-2", "web-3", "web-4", "web-5")
	for _, id := range []string{"web-1", "web-2"} {
		g.must(g.consul.Register("web", g.backends[id]))
	}
	g.start(g.tasks(""))
	g.answers("web", "web-1", "web-2")
	load := rig.StartLoad(g.nginx, "web", 2)

	for _, c := range []change{
		{"web-3", "added", []string{"web-1", "web-2", "web-3"}},
		{"web-4", "added", []string{"web-1", "web-2", "web-3", "web-4"}},
		{"web-1", "removed", []string{"web-2", "web-3", "web-4"}},
		{"web-1", "added", []string{"web-1", "web-2", "web-3", "web-4"}},
	} {
		firewall, balancer := g.both(c)
		if len(firewall.Causes) != 1 || len(balancer.Causes) != 1 {
			t.Errorf("%s %s: causes %v of the firewall's run, %v of the load balancer's, want this one alone", c.instance, c.what, firewall.Causes, balancer.Causes)
		}
	}
	if firewall, balancer := g.applied("firewall"), g.applied("balancer"); firewall != 5 || balancer != 5 {
		t.Errorf("%d runs of the firewall and %d of the load balancer, want 5 of each: the first and one for each change", firewall, balancer)
	}

	// Who wants the firewall first lets the load balancer's task wait longer.
	g.must(g.patchbay.Stop(limit))
	g.start(g.tasks("  buffer_period {\n    min = \"10s\"\n    max = \"20s\"\n  }\n"))
	g.must(g.patchbay.AwaitReady(t.Context(), limit))
	firewall, balancer := g.both(change{"web-5", "added", []string{"web-1", "web-2", "web-3", "web-4", "web-5"}})
	if !firewall.Updated.Before(balancer.Started) {
		t.Errorf("the firewall's run ended at %s, after the load balancer's began at %s, though that waits longer", firewall.Updated, balancer.Started)
	}

	requests, failures := load.Stop()
	t.Logf("%d requests through load balancer and firewall, %d failed", requests, len(failures))
	if len(failures) > 0 || requests == 0 {
		t.Errorf("of %d requests failed: %q", requests, failures)
	}
}
