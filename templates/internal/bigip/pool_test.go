package bigip_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"patchbay/templates/internal/bigip"
	"patchbay/templates/internal/moduletest"

	"github.com/google/go-cmp/cmp"
)

// task is the event list that AS3 made for pool web_pool.
const (
	task      = "~shop~web~web_pool"
	taskPools = `pools = { web = "/shop/web/web_pool" }`
)

// newEvents is a device with AS3's event list, and a stack that fills it.
func newEvents(tb testing.TB, arguments ...string) (*bigip.Device, *moduletest.Stack) {
	tb.Helper()
	d := bigip.New(tb)
	d.AddDiscovery(task)
	s, _ := bigip.Stack(tb, d, "f5-pool", nil, append(arguments, taskPools)...)
	return d, s
}

// nodesOf gives ip and port of the nodes of a list, in order.
func nodesOf(d *bigip.Device, id string) []string {
	out := []string{}
	for _, x := range d.Nodes(id) {
		n := x.(map[string]any)
		out = append(out, fmt.Sprintf("%v %v", n["ip"], n["port"]))
	}
	slices.Sort(out)
	return out
}

func at(address string, port int) moduletest.Instance {
	return moduletest.Instance{Name: "web", Address: address, Port: port, Status: "passing"}
}

func skippedOf(tb testing.TB, s *moduletest.Stack) (out []string) {
	tb.Helper()
	var skipped []struct{ Service, Instance, Reason string }
	s.Output(tb, "skipped", &skipped)
	for _, x := range skipped {
		out = append(out, strings.Join([]string{x.Service, x.Instance, x.Reason}, "|"))
	}
	return out
}

func TestPoolSendsTheNodesOfAServiceInOneCall(t *testing.T) {
	t.Parallel()
	d, s := newEvents(t)
	critical := func(i *moduletest.Instance) { i.Status = "critical" }
	for _, step := range []struct {
		sentence string
		services []moduletest.Instance
		want     []string
	}{
		{"one instance", []moduletest.Instance{at("10.0.0.1", 80)}, []string{"10.0.0.1 80"}},
		{"scaled up", []moduletest.Instance{at("10.0.0.1", 80), at("10.0.0.2", 81), at("2001:DB8:0::1", 80)}, []string{"10.0.0.1 80", "10.0.0.2 81", "2001:db8::1 80"}},
		{"one moved, one gone", []moduletest.Instance{at("10.0.0.9", 80), at("2001:db8::1", 80)}, []string{"10.0.0.9 80", "2001:db8::1 80"}},
		{"a critical one is left out, a warning one is not", []moduletest.Instance{
			at("10.0.0.1", 80).With(critical), at("10.0.0.2", 80).With(func(i *moduletest.Instance) { i.Status = "warning" }),
		}, []string{"10.0.0.2 80"}},
		{"the node's address stands for an empty one", []moduletest.Instance{
			at("", 80).With(func(i *moduletest.Instance) { i.Node = "10.1.0.1" }),
		}, []string{"10.1.0.1 80"}},
	} {
		d.Forget()
		s.Give(t, step.services...)
		s.Apply(t)
		if diff := cmp.Diff(step.want, nodesOf(d, task)); diff != "" {
			t.Errorf("%s: nodes (-want +got):\n%s", step.sentence, diff)
		}
		if posts := d.Count("POST", "/service-discovery/"); posts != 1 {
			t.Errorf("%s: %d POST, want 1: %v", step.sentence, posts, d.Requests())
		}
		s.Settled(t)
	}
	var pools map[string]struct {
		Pool    string
		Members map[string]int
	}
	s.Output(t, "pools", &pools)
	if got := pools["web"]; got.Pool != "/shop/web/web_pool" || !cmp.Equal(got.Members, map[string]int{"10.1.0.1:80": 1}) {
		t.Errorf("output pools = %v", pools)
	}
}

func TestPoolIsSharedByTheServicesThatNameIt(t *testing.T) {
	t.Parallel()
	d := bigip.New(t)
	d.AddDiscovery(task)
	s, _ := bigip.Stack(t, d, "f5-pool", nil, `pools = { web = "/shop/web/web_pool", api = "~shop~web~web_pool" }`)
	s.Give(t, at("10.0.0.1", 80), at("10.0.0.2", 80).With(func(i *moduletest.Instance) { i.Name = "api" }))
	s.Apply(t)
	if diff := cmp.Diff([]string{"10.0.0.1 80", "10.0.0.2 80"}, nodesOf(d, task)); diff != "" {
		t.Errorf("nodes (-want +got):\n%s", diff)
	}
	if posts := d.Count("POST", "/service-discovery/"); posts != 1 {
		t.Errorf("%d POST, want 1", posts)
	}
	s.Settled(t)
}

func TestPoolOfAnEmptiedServiceKeepsItsNodes(t *testing.T) {
	t.Parallel()
	d := bigip.New(t)
	d.AddDiscovery(task)
	d.AddDiscovery("~shop~api~api_pool")
	d.AddDiscovery("~shop~idle~idle_pool")
	s, _ := bigip.Stack(t, d, "f5-pool", nil, `pools = { web = "/shop/web/web_pool", api = "~shop~api~api_pool", idle = "/shop/idle/idle_pool" }`)
	api := func(address string) moduletest.Instance {
		return at(address, 8080).With(func(i *moduletest.Instance) { i.Name = "api" })
	}
	s.Give(t, at("10.0.0.1", 80), at("10.0.0.2", 80), api("10.0.1.1"))
	s.Apply(t)
	s.Settled(t)

	for _, address := range []string{"10.0.1.2", "10.0.1.3"} { // kept over more runs than one
		s.Give(t, api(address))
		s.Apply(t)
		if diff := cmp.Diff([]string{"10.0.0.1 80", "10.0.0.2 80"}, nodesOf(d, task)); diff != "" {
			t.Errorf("nodes of the emptied service (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{address + " 8080"}, nodesOf(d, "~shop~api~api_pool")); diff != "" {
			t.Errorf("nodes of the other service (-want +got):\n%s", diff)
		}
		s.Settled(t)
	}
	want := []string{
		"idle||waits: it has no instance that takes traffic and had none before, its pool is left alone",
		"web||kept: no instance takes traffic, its pool keeps the 2 members that it had",
	}
	if diff := cmp.Diff(want, skippedOf(t, s)); diff != "" {
		t.Errorf("skipped (-want +got):\n%s", diff)
	}

	s.Give(t, api("10.0.1.3"), at("10.0.0.7", 80))
	s.Apply(t)
	if diff := cmp.Diff([]string{"10.0.0.7 80"}, nodesOf(d, task)); diff != "" {
		t.Errorf("nodes of the refilled service (-want +got):\n%s", diff)
	}
	s.Settled(t)
	s.Give(t) // the list of the refill is the one to keep now
	s.Apply(t)
	if diff := cmp.Diff([]string{"10.0.0.7 80"}, nodesOf(d, task)); diff != "" {
		t.Errorf("nodes of the service that emptied again (-want +got):\n%s", diff)
	}
	if empty := d.Count("POST", "/nodes/"); empty != 0 {
		t.Errorf("%d lists were emptied", empty)
	}
}

func TestPoolNeverEmptiesAListByDestroyingIt(t *testing.T) {
	t.Parallel()
	d, s := newEvents(t)
	s.Give(t, at("10.0.0.1", 80))
	s.Apply(t)
	for sentence, lose := range map[string]func(){
		"its memory is lost and it is empty": func() {
			s.Write(t, ".f5-pool.json", []byte("not JSON"))
			s.Give(t)
		},
		"the stack is destroyed": func() {},
	} {
		lose()
		args := []string{"apply", "-auto-approve"}
		if sentence == "the stack is destroyed" {
			args = []string{"destroy", "-auto-approve"}
		}
		out, err := s.Run(args...)
		if err == nil || !strings.Contains(out, "prevent_destroy") {
			t.Errorf("%s: %v, want a refusal:\n%s", sentence, err, out)
		}
		if diff := cmp.Diff([]string{"10.0.0.1 80"}, nodesOf(d, task)); diff != "" {
			t.Errorf("%s: nodes (-want +got):\n%s", sentence, diff)
		}
	}
}

func TestPoolEmptiesAListWhenItsModuleIsTakenAway(t *testing.T) {
	t.Parallel()
	d, s := newEvents(t)
	s.Give(t, at("10.0.0.1", 80))
	s.Apply(t)
	s.Write(t, "main.tf", []byte("variable \"services\" {\n  type = any\n}\n"))
	s.Apply(t)
	if got := nodesOf(d, task); len(got) != 0 {
		t.Errorf("nodes = %q", got)
	}
	if d.Object("ltm/pool", "/shop/web/web_pool") == nil {
		t.Error("AS3's pool is gone")
	}
}

func TestPoolRemembersInAFileOfItsOwnThatOnlyItsOwnerReads(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "-memory of pools.json")
	script, err := filepath.Abs("../../modules/f5-pool/remember.sh")
	if err != nil {
		t.Fatal(err)
	}
	for _, pieces := range [][]string{{strings.Repeat("a", 98304), strings.Repeat("b", 98304), "$(c) `d` %s"}, {"{}"}} {
		sh := exec.Command("/bin/sh", script, filepath.Base(file))
		sh.Dir = filepath.Dir(file)
		for n, piece := range pieces {
			sh.Env = append(sh.Environ(), fmt.Sprintf("MEMORY_%d=%s", n, piece))
		}
		if out, err := sh.CombinedOutput(); err != nil {
			t.Fatalf("remember: %v: %s", err, out)
		}
		got, err := os.ReadFile(file)
		if err != nil || string(got) != strings.Join(pieces, "") {
			t.Errorf("file of %d bytes, want the %d pieces: %v", len(got), len(pieces), err)
		}
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	if left, _ := filepath.Glob(file + ".*"); left != nil {
		t.Errorf("files left: %q", left)
	}
}

func TestPoolRefusesToBeEmptyWhenToldSo(t *testing.T) {
	t.Parallel()
	d, s := newEvents(t, `on_empty = "refuse"`)
	s.Give(t, at("10.0.0.1", 80))
	s.Apply(t)
	s.Settled(t)
	s.Give(t, at("10.0.0.1", 80).With(func(i *moduletest.Instance) { i.Status = "critical" }))
	said := s.Refused(t)
	for _, want := range []string{"No instance that takes traffic is left of web", "nothing was changed", "set on_empty"} {
		if !strings.Contains(said, want) {
			t.Errorf("the refusal does not say %q: %s", want, said)
		}
	}
	if diff := cmp.Diff([]string{"10.0.0.1 80"}, nodesOf(d, task)); diff != "" {
		t.Errorf("nodes (-want +got):\n%s", diff)
	}
}

func TestPoolRefusesVariablesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		arguments []string
		want      string
	}{
		"an unknown mode":                        {[]string{taskPools, `mode = "fast"`}, "must be event or ltm"},
		"an unknown on_empty":                    {[]string{taskPools, `on_empty = "burn"`}, "must be keep, refuse or remove"},
		"no pool":                                {[]string{`pools = {}`}, "Name at least one pool"},
		"a pool that is no path":                 {[]string{`pools = { web = "web_pool" }`}, "each as /partition/pool"},
		"a path that could leave the URL":        {[]string{`pools = { web = "/a/../b?c" }`}, "each as /partition/pool"},
		"an event list without an application":   {[]string{`pools = { web = "/Common/web" }`}, "must be /tenant/application/pool"},
		"an event list that would be sent empty": {[]string{taskPools, `on_empty = "remove"`}, "needs mode ltm"},
		"an unknown balancing":                   {[]string{taskPools, `load_balancing_mode = "any"`}, "must be one that a BIG-IP has"},
		"a mistyped variable":                    {[]string{taskPools, `monitors = true`}, "set of string required"},
		"a variable that does not exist":         {[]string{taskPools, `colour = "red"`}, `An argument named "colour" is not expected here`},
	} {
		d := bigip.New(t)
		d.AddDiscovery(task)
		s, _ := bigip.Stack(t, d, "f5-pool", nil, c.arguments...)
		s.Give(t, at("10.0.0.1", 80))
		if said := s.Refused(t); !strings.Contains(said, c.want) {
			t.Errorf("%s: Terraform says %q, want %q", sentence, said, c.want)
		}
		if writes := d.Count("POST", "/service-discovery/"); writes != 0 {
			t.Errorf("%s: %d lists were written", sentence, writes)
		}
	}
}
