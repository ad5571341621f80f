package templates_test

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"patchbay/templates/internal/moduletest"

	"github.com/google/go-cmp/cmp"
)

const live = "conf.d/web.conf"

func TestNginxServesWhatConsulHas(t *testing.T) {
	e := newEdge(t, "")
	s := newStack(t, e, live)
	a, b, c := moduletest.Backend(t, "a"), moduletest.Backend(t, "b"), moduletest.Backend(t, "c")

	for _, step := range []struct {
		sentence string
		services []moduletest.Instance
		want     []string
	}{
		{"one instance", []moduletest.Instance{a}, []string{"a"}},
		{"scaled up", []moduletest.Instance{a, b, c}, []string{"a", "b", "c"}},
		{"one moved, one gone", []moduletest.Instance{b}, []string{"b"}},
		{"a critical and a maintained one take no traffic, a warning one does", []moduletest.Instance{
			a.With(func(i *moduletest.Instance) { i.Status = "critical" }),
			b.With(func(i *moduletest.Instance) { i.Status = "maintenance" }),
			c.With(func(i *moduletest.Instance) { i.Status = "warning" }),
		}, []string{"c"}},
		{"the node's address stands for an empty one", []moduletest.Instance{
			a.With(func(i *moduletest.Instance) { i.Address, i.Node = "", i.Address }),
		}, []string{"a"}},
	} {
		s.Give(t, step.services...)
		s.Apply(t)
		e.serves(t, step.want...)
		s.Settled(t)
		t.Logf("served: %s", step.sentence)
	}
}

func TestNginxUpstreamHasTheSettings(t *testing.T) {
	e := newEdge(t, "")
	s := newStack(t, e, live, `method = "least_conn"`, `max_fails = 3`, `fail_timeout = "5s"`, `keepalive = 8`, `service_names = ["idle"]`)
	weigh := func(w string) moduletest.Instance {
		return moduletest.Instance{Name: "web", Address: "10.0.0.1", Port: 80, Meta: map[string]string{"weight": w}}
	}
	none := moduletest.Instance{Name: "web", Address: "10.0.0.1", Port: 80}
	api := moduletest.Instance{Name: "api", Address: "::1", Port: 81, User: map[string]string{
		"nginx_method": "hash $request_uri consistent", "nginx_keepalive": "0", "nginx_max_fails": "9", "nginx_fail_timeout": "1; }"}, Meta: map[string]string{"weight": "99999"}}
	s.Give(t, weigh("7"), none, none, weigh("0"), weigh("-3"), weigh("2.5"), none, api)
	s.Set(t, "instance_weights", map[string]any{moduletest.Key(0): 5, moduletest.Key(1): 4, moduletest.Key(5): 6, moduletest.Key(6): 0, moduletest.Key(7): 3, "gone": 9})
	s.Apply(t)

	want := `# Upstreams from Consul. Written by Terraform: the next run overwrites changes.

upstream api {
  zone api 65k;
  hash $request_uri consistent;
  server [::1]:81 weight=1000 max_fails=9 fail_timeout=5s;
}

upstream idle {
  zone idle 64k;
  least_conn;
  server 127.0.0.1:1 down;
  keepalive 8;
}

upstream web {
  zone web 71k;
  least_conn;
  server 10.0.0.1:80 weight=7 max_fails=3 fail_timeout=5s;
  server 10.0.0.1:80 weight=4 max_fails=3 fail_timeout=5s;
  server 10.0.0.1:80 weight=1 max_fails=3 fail_timeout=5s;
  server 10.0.0.1:80 weight=1 max_fails=3 fail_timeout=5s down;
  server 10.0.0.1:80 weight=1 max_fails=3 fail_timeout=5s down;
  server 10.0.0.1:80 weight=6 max_fails=3 fail_timeout=5s;
  server 10.0.0.1:80 weight=1 max_fails=3 fail_timeout=5s down;
  keepalive 8;
}

`
	if diff := cmp.Diff(want, e.read(t, live)); diff != "" {
		t.Errorf("file (-want +got):\n%s", diff)
	}
	var skipped []map[string]string
	s.Output(t, "skipped", &skipped)
	if len(skipped) != 2 || skipped[0]["instance"] != moduletest.Key(5) || skipped[1]["service"] != "api" || !strings.Contains(skipped[1]["reason"], "nginx_fail_timeout") {
		t.Errorf("skipped = %q, want the weight 2.5 and api's fail_timeout", skipped)
	}
	s.Settled(t)
}

func TestNginxServesWeightedAndIPv6Backends(t *testing.T) {
	e := newEdge(t, "")
	s := newStack(t, e, live)
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Fatalf("listen on IPv6 loopback: %v", err)
	}
	six, four := moduletest.Serve(t, l, "six"), moduletest.Backend(t, "four")
	s.Give(t, six.With(func(i *moduletest.Instance) { i.Meta = map[string]string{"weight": "3"} }), four)
	s.Apply(t)
	e.serves(t, "six", "four")
	e.workers(t) // those of the start know no backend
	// One peer list in the zone: exactly 3 of 4 go to the weight of 3.
	seen := map[string]int{}
	for range 40 {
		_, body := e.ask()
		seen[body]++
	}
	if diff := cmp.Diff(map[string]int{"six": 30, "four": 10}, seen); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
}

func TestNginxShiftsTrafficAsACanarySays(t *testing.T) {
	e := newEdge(t, "")
	s := newStack(t, e, live, `canary_subsets = { "1" = "v1" }`)
	of := func(version, weight string) moduletest.Instance {
		return moduletest.Instance{Name: "web", Address: "10.0.0.1", Port: 80, Status: "passing", Meta: map[string]string{"version": version, "weight": weight}}
	}
	sick := of("1", "9").With(func(i *moduletest.Instance) { i.Status = "critical" })
	bare := of("1", "4").With(func(i *moduletest.Instance) { i.Meta = nil })
	other := of("1", "4").With(func(i *moduletest.Instance) { i.Name = "shop" })
	s.Give(t, of("1", "1"), of("1", "3"), of("v2", "2"), sick, bare, other)
	for _, step := range []struct {
		sentence string
		shares   map[string]any
		want     []string
	}{
		{"a step divides each share by weight", map[string]any{"v1": 95, "v2": 5}, []string{"15556", "46668", "3275", "9 down", "1 down"}},
		{"a small share is not lost", map[string]any{"v1": 99.999, "v2": 0.001}, []string{"16374", "49124", "1", "9 down", "1 down"}},
		{"before the first step and after a rollback", map[string]any{"v1": 100, "v2": 0}, []string{"16375", "49125", "1 down", "9 down", "1 down"}},
		{"at the end", map[string]any{"v1": 0, "v2": 100}, []string{"1 down", "1 down", "65500", "9 down", "1 down"}},
		{"a share of a subset without instances does not end all traffic", map[string]any{"v1": 0, "v3": 100}, []string{"1", "3", "2", "9 down", "1"}},
	} {
		s.Set(t, "canary_weights", map[string]any{"web": step.shares, "absent": map[string]any{"v1": 100}})
		s.Apply(t)
		var up map[string]struct{ Servers []string }
		s.Output(t, "upstreams", &up)
		var got []string
		for _, server := range up["web"].Servers {
			_, weight, _ := strings.Cut(server, "weight=")
			weight, _, _ = strings.Cut(weight, " max_fails")
			if strings.HasSuffix(server, " down") {
				weight += " down"
			}
			got = append(got, weight)
		}
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("%s: weights (-want +got):\n%s", step.sentence, diff)
		}
		if !strings.Contains(up["shop"].Servers[0], "weight=4 ") {
			t.Errorf("%s: a service without a canary has %q", step.sentence, up["shop"].Servers)
		}
	}
	s.Settled(t)
	var skipped []map[string]string
	s.Output(t, "skipped", &skipped)
	if len(skipped) != 1 || skipped[0]["service"] != "web" || !strings.Contains(skipped[0]["reason"], "without the weights of its canary") {
		t.Errorf("skipped = %q, want the weights that were left aside", skipped)
	}
}

func TestNginxKeepsAnEmptyUpstream(t *testing.T) {
	e := newEdge(t, "")
	s := newStack(t, e, live, `service_names = ["web"]`)
	s.Give(t, moduletest.Backend(t, "a"))
	s.Apply(t)
	e.serves(t, "a")
	s.Give(t)
	s.Apply(t)
	moduletest.Wait(t, "nginx still answers from an instance that is gone", func() bool {
		status, _ := e.ask()
		return status == 502
	})
	s.Settled(t)
}

func TestNginxRefusalRollsBackAndHeals(t *testing.T) {
	e := newEdge(t, "")
	s := newStack(t, e, live)
	a, b := moduletest.Backend(t, "a"), moduletest.Backend(t, "b")
	s.Give(t, a)
	s.Apply(t)
	e.serves(t, "a")
	before, workers := e.read(t, live), e.workers(t)

	e.write(t, "conf.d/zz.conf", "no_such_directive on;\n")
	s.Give(t, b)
	for range 2 {
		out, err := s.Run("apply", "-auto-approve")
		if err == nil {
			t.Fatal("a configuration that nginx refuses was applied")
		}
		for _, want := range []string{"no_such_directive", "traffic is untouched", "the next run tries again"} {
			if !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
				t.Errorf("the error does not say %q:\n%s", want, out)
			}
		}
	}
	if diff := cmp.Diff(before, e.read(t, live)); diff != "" {
		t.Errorf("the live file changed (-before +after):\n%s", diff)
	}
	if got := e.workers(t); got != workers {
		t.Errorf("nginx was reloaded: workers %s, before %s", got, workers)
	}
	e.serves(t, "a")

	if err := os.Remove(e.path("conf.d/zz.conf")); err != nil {
		t.Fatal(err)
	}
	s.Apply(t)
	e.serves(t, "b")
	s.Settled(t)
	onlyFiles(t, e, "web.conf")
}

func TestNginxRefusalOfAFirstFileLeavesNone(t *testing.T) {
	e := newEdge(t, "")
	s := newStack(t, e, "conf.d/more.conf")
	s.Give(t, moduletest.Backend(t, "a")) // upstream web is in web.conf already
	out, err := s.Run("apply", "-auto-approve")
	if err == nil || !strings.Contains(out, "duplicate upstream") {
		t.Fatalf("apply: %v, want nginx's refusal of the duplicate:\n%s", err, out)
	}
	onlyFiles(t, e, "web.conf")
	e.check(t)
}

func TestNginxDestroyLeavesTraffic(t *testing.T) {
	e := newEdge(t, "")
	s := newStack(t, e, live)
	s.Give(t, moduletest.Backend(t, "a"))
	s.Apply(t)
	s.Must(t, "destroy", "-auto-approve")
	e.serves(t, "a")
	workers := e.workers(t)
	s.Apply(t)
	if got := e.workers(t); got != workers {
		t.Errorf("content that was live already was reloaded: workers %s, before %s", got, workers)
	}
}

func TestNginxThatDoesNotRunGetsItsFileAndFailsTheRun(t *testing.T) {
	e := newEdge(t, "")
	s := newStack(t, e, live)
	a := moduletest.Backend(t, "a")
	s.Give(t, a)
	e.stop()
	for range 2 {
		out, err := s.Run("apply", "-auto-approve")
		if err == nil || !strings.Contains(strings.Join(strings.Fields(out), " "), "could not be told to reload") {
			t.Fatalf("apply: %v, want an error that nginx could not reload:\n%s", err, out)
		}
		if !strings.Contains(e.read(t, live), a.HostPort()) {
			t.Fatal("the tested file is not in place")
		}
	}
	e.start(t)
	s.Apply(t)
	e.serves(t, "a")
	s.Settled(t)
	onlyFiles(t, e, "web.conf")
}

func TestNginxThatCannotReloadFailsTheRunUntilItCan(t *testing.T) {
	e := newEdge(t, "")
	s := newStack(t, e, live, "reload_timeout = 1")
	a, b := moduletest.Backend(t, "a"), moduletest.Backend(t, "b")
	s.Give(t, a)
	s.Apply(t)
	e.serves(t, "a")
	before := e.read(t, live)

	// nginx -t does not mind a port that is taken; a reload does.
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	e.write(t, "conf.d/zz.conf", fmt.Sprintf("server { listen %s; }\n", taken.Addr()))
	s.Give(t, b)
	out, err := s.Run("apply", "-auto-approve")
	if err == nil || !strings.Contains(strings.Join(strings.Fields(out), " "), "started no new workers") {
		t.Fatalf("apply: %v, want an error that no new worker came:\n%s", err, out)
	}
	e.serves(t, "a")
	if !strings.Contains(e.read(t, live), b.HostPort()) {
		t.Error("the file that nginx accepted is not in place")
	}

	// What is rolled back to is what nginx serves, not what it never loaded.
	e.write(t, "conf.d/zz.conf", "no_such_directive on;\n")
	if out, err := s.Run("apply", "-auto-approve"); err == nil {
		t.Fatalf("a configuration that nginx refuses was applied:\n%s", out)
	}
	if diff := cmp.Diff(before, e.read(t, live)); diff != "" {
		t.Errorf("the file is not the one that nginx serves (-want +got):\n%s", diff)
	}

	if err := os.Remove(e.path("conf.d/zz.conf")); err != nil {
		t.Fatal(err)
	}
	s.Apply(t)
	e.serves(t, "b")
	s.Settled(t)
	onlyFiles(t, e, "web.conf")
}

// onlyFiles fails when the include directory has other files, hidden ones too.
func onlyFiles(t *testing.T, e *edge, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(e.path("conf.d"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, entry := range entries {
		got = append(got, entry.Name())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files of conf.d (-want +got):\n%s", diff)
	}
}
