package templates_test

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const live = "conf.d/web.conf"

func TestNginxServesWhatConsulHas(t *testing.T) {
	e := newEdge(t, "")
	s := newStack(t, e, live)
	a, b, c := backend(t, "a"), backend(t, "b"), backend(t, "c")

	for _, step := range []struct {
		sentence string
		services []instance
		want     []string
	}{
		{"one instance", []instance{a}, []string{"a"}},
		{"scaled up", []instance{a, b, c}, []string{"a", "b", "c"}},
		{"one moved, one gone", []instance{b}, []string{"b"}},
		{"a critical and a maintained one take no traffic, a warning one does", []instance{
			with(a, func(i *instance) { i.Status = "critical" }),
			with(b, func(i *instance) { i.Status = "maintenance" }),
			with(c, func(i *instance) { i.Status = "warning" }),
		}, []string{"c"}},
		{"the node's address stands for an empty one", []instance{
			with(a, func(i *instance) { i.Address, i.Node = "", i.Address }),
		}, []string{"a"}},
	} {
		s.give(t, step.services...)
		s.apply(t)
		e.serves(t, step.want...)
		s.settled(t)
		t.Logf("served: %s", step.sentence)
	}
}

func with(i instance, change func(*instance)) instance {
	change(&i)
	return i
}

func TestNginxUpstreamHasTheSettings(t *testing.T) {
	e := newEdge(t, "")
	s := newStack(t, e, live, `method = "least_conn"`, `max_fails = 3`, `fail_timeout = "5s"`, `keepalive = 8`, `service_names = ["idle"]`)
	weigh := func(w string) instance {
		return instance{Name: "web", Address: "10.0.0.1", Port: 80, Meta: map[string]string{"weight": w}}
	}
	none := instance{Name: "web", Address: "10.0.0.1", Port: 80}
	api := instance{Name: "api", Address: "::1", Port: 81, User: map[string]string{
		"nginx_method": "hash $request_uri consistent", "nginx_keepalive": "0", "nginx_max_fails": "9", "nginx_fail_timeout": "1; }"}, Meta: map[string]string{"weight": "99999"}}
	s.give(t, weigh("7"), none, none, weigh("0"), weigh("-3"), weigh("2.5"), none, api)
	s.set(t, "instance_weights", map[string]any{key(0): 5, key(1): 4, key(5): 6, key(6): 0, key(7): 3, "gone": 9})
	s.apply(t)

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
	s.output(t, "skipped", &skipped)
	if len(skipped) != 2 || skipped[0]["instance"] != key(5) || skipped[1]["service"] != "api" || !strings.Contains(skipped[1]["reason"], "nginx_fail_timeout") {
		t.Errorf("skipped = %q, want the weight 2.5 and api's fail_timeout", skipped)
	}
	s.settled(t)
}

func TestNginxServesWeightedAndIPv6Backends(t *testing.T) {
	e := newEdge(t, "")
	s := newStack(t, e, live)
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Fatalf("listen on IPv6 loopback: %v", err)
	}
	six, four := serve(t, l, "six"), backend(t, "four")
	s.give(t, with(six, func(i *instance) { i.Meta = map[string]string{"weight": "3"} }), four)
	s.apply(t)
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
	s := newStack(t, e, live, `canary_weights = var.canary_weights`, `canary_subsets = { "1" = "v1" }`)
	s.write(t, "canary.tf", []byte("variable \"canary_weights\" { type = any }\n"))
	of := func(version, weight string) instance {
		return instance{Name: "web", Address: "10.0.0.1", Port: 80, Status: "passing", Meta: map[string]string{"version": version, "weight": weight}}
	}
	sick := with(of("1", "9"), func(i *instance) { i.Status = "critical" })
	bare := with(of("1", "4"), func(i *instance) { i.Meta = nil })
	other := with(of("1", "4"), func(i *instance) { i.Name = "shop" })
	s.give(t, of("1", "1"), of("1", "3"), of("v2", "2"), sick, bare, other)
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
		s.set(t, "canary_weights", map[string]any{"web": step.shares, "absent": map[string]any{"v1": 100}})
		s.apply(t)
		var up map[string]struct{ Servers []string }
		s.output(t, "upstreams", &up)
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
	s.settled(t)
	var skipped []map[string]string
	s.output(t, "skipped", &skipped)
	if len(skipped) != 1 || skipped[0]["service"] != "web" || !strings.Contains(skipped[0]["reason"], "without the weights of its canary") {
		t.Errorf("skipped = %q, want the weights that were left aside", skipped)
	}
}

func TestNginxKeepsAnEmptyUpstream(t *testing.T) {
	e := newEdge(t, "")
	s := newStack(t, e, live, `service_names = ["web"]`)
	s.give(t, backend(t, "a"))
	s.apply(t)
	e.serves(t, "a")
	s.give(t)
	s.apply(t)
	wait(t, "nginx still answers from an instance that is gone", func() bool {
		status, _ := e.ask()
		return status == 502
	})
	s.settled(t)
}

func TestNginxRefusalRollsBackAndHeals(t *testing.T) {
	e := newEdge(t, "")
	s := newStack(t, e, live)
	a, b := backend(t, "a"), backend(t, "b")
	s.give(t, a)
	s.apply(t)
	e.serves(t, "a")
	before, workers := e.read(t, live), e.workers(t)

	e.write(t, "conf.d/zz.conf", "no_such_directive on;\n")
	s.give(t, b)
	for range 2 {
		out, err := s.run("apply", "-auto-approve")
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
	s.apply(t)
	e.serves(t, "b")
	s.settled(t)
	onlyFiles(t, e, "web.conf")
}

func TestNginxRefusalOfAFirstFileLeavesNone(t *testing.T) {
	e := newEdge(t, "")
	s := newStack(t, e, "conf.d/more.conf")
	s.give(t, backend(t, "a")) // upstream web is in web.conf already
	out, err := s.run("apply", "-auto-approve")
	if err == nil || !strings.Contains(out, "duplicate upstream") {
		t.Fatalf("apply: %v, want nginx's refusal of the duplicate:\n%s", err, out)
	}
	onlyFiles(t, e, "web.conf")
	e.check(t)
}

func TestNginxDestroyLeavesTraffic(t *testing.T) {
	e := newEdge(t, "")
	s := newStack(t, e, live)
	s.give(t, backend(t, "a"))
	s.apply(t)
	s.must(t, "destroy", "-auto-approve")
	e.serves(t, "a")
	workers := e.workers(t)
	s.apply(t)
	if got := e.workers(t); got != workers {
		t.Errorf("content that was live already was reloaded: workers %s, before %s", got, workers)
	}
}

func TestNginxThatDoesNotRunGetsItsFileAndFailsTheRun(t *testing.T) {
	e := newEdge(t, "")
	s := newStack(t, e, live)
	a := backend(t, "a")
	s.give(t, a)
	e.stop()
	for range 2 {
		out, err := s.run("apply", "-auto-approve")
		if err == nil || !strings.Contains(strings.Join(strings.Fields(out), " "), "could not be told to reload") {
			t.Fatalf("apply: %v, want an error that nginx could not reload:\n%s", err, out)
		}
		if !strings.Contains(e.read(t, live), hostPort(a)) {
			t.Fatal("the tested file is not in place")
		}
	}
	e.start(t)
	s.apply(t)
	e.serves(t, "a")
	s.settled(t)
	onlyFiles(t, e, "web.conf")
}

func TestNginxThatCannotReloadFailsTheRunUntilItCan(t *testing.T) {
	e := newEdge(t, "")
	s := newStack(t, e, live, "reload_timeout = 1")
	a, b := backend(t, "a"), backend(t, "b")
	s.give(t, a)
	s.apply(t)
	e.serves(t, "a")
	before := e.read(t, live)

	// nginx -t does not mind a port that is taken; a reload does.
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	e.write(t, "conf.d/zz.conf", fmt.Sprintf("server { listen %s; }\n", taken.Addr()))
	s.give(t, b)
	out, err := s.run("apply", "-auto-approve")
	if err == nil || !strings.Contains(strings.Join(strings.Fields(out), " "), "started no new workers") {
		t.Fatalf("apply: %v, want an error that no new worker came:\n%s", err, out)
	}
	e.serves(t, "a")
	if !strings.Contains(e.read(t, live), hostPort(b)) {
		t.Error("the file that nginx accepted is not in place")
	}

	// What is rolled back to is what nginx serves, not what it never loaded.
	e.write(t, "conf.d/zz.conf", "no_such_directive on;\n")
	if out, err := s.run("apply", "-auto-approve"); err == nil {
		t.Fatalf("a configuration that nginx refuses was applied:\n%s", out)
	}
	if diff := cmp.Diff(before, e.read(t, live)); diff != "" {
		t.Errorf("the file is not the one that nginx serves (-want +got):\n%s", diff)
	}

	if err := os.Remove(e.path("conf.d/zz.conf")); err != nil {
		t.Fatal(err)
	}
	s.apply(t)
	e.serves(t, "b")
	s.settled(t)
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
