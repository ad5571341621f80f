package bigip_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"patchbay/templates/internal/bigip"
	"patchbay/templates/internal/moduletest"

	"github.com/google/go-cmp/cmp"
)

// as3 is a device and a root module that calls f5-as3 for tenant edge.
func as3(tb testing.TB, arguments ...string) (*bigip.Device, *moduletest.Stack) {
	tb.Helper()
	d := bigip.New(tb)
	s, _ := bigip.Stack(tb, d, "f5-as3", nil, append(arguments, `tenant = "edge"`)...)
	return d, s
}

const vip = `virtual_servers = { web = { virtual_address = "10.9.0.1" } }`

func web(address string, port int) moduletest.Instance {
	return moduletest.Instance{Name: "web", Address: address, Port: port, Status: "passing"}
}

func TestF5AS3ServesWhatConsulHas(t *testing.T) {
	t.Parallel()
	d, s := as3(t, vip)
	a, b, c := web("10.0.0.1", 80), web("10.0.0.2", 80), web("10.0.0.3", 81)
	for _, step := range []struct {
		sentence string
		services []moduletest.Instance
		want     map[string]string
	}{
		{"no instance yet: the virtual server is there", nil, map[string]string{}},
		{"one instance", []moduletest.Instance{a}, map[string]string{"10.0.0.1:80": "1 enable"}},
		{"scaled up, on two ports", []moduletest.Instance{a, b, c}, map[string]string{"10.0.0.1:80": "1 enable", "10.0.0.2:80": "1 enable", "10.0.0.3:81": "1 enable"}},
		{"one moved, one gone", []moduletest.Instance{b}, map[string]string{"10.0.0.2:80": "1 enable"}},
		{"a critical and a maintained one take no new connections, a warning one does", []moduletest.Instance{
			a.With(func(i *moduletest.Instance) { i.Status = "critical" }),
			b.With(func(i *moduletest.Instance) { i.Status = "maintenance" }),
			c.With(func(i *moduletest.Instance) { i.Status = "warning" }),
		}, map[string]string{"10.0.0.1:80": "1 disable", "10.0.0.2:80": "1 disable", "10.0.0.3:81": "1 enable"}},
		{"the node's address stands for an empty one, and IPv6 is written in one way", []moduletest.Instance{
			a.With(func(i *moduletest.Instance) { i.Address, i.Node = "", "FD00:0:0::1" }),
		}, map[string]string{"fd00::1.80": "1 enable"}},
		{"one of two with the same address and port: the one that takes traffic", []moduletest.Instance{
			a.With(func(i *moduletest.Instance) { i.Status = "critical" }), a,
		}, map[string]string{"10.0.0.1:80": "1 enable"}},
		{"emptied", nil, map[string]string{}},
		{"filled again", []moduletest.Instance{a}, map[string]string{"10.0.0.1:80": "1 enable"}},
	} {
		s.Give(t, step.services...)
		s.Apply(t)
		if diff := cmp.Diff(step.want, memberStates(d, "/edge/web/pool")); diff != "" {
			t.Errorf("%s: members (-want +got):\n%s", step.sentence, diff)
		}
		if v := d.Object("ltm/virtual", "/edge/web/virtual"); v == nil || v["pool"] != "/edge/web/pool" {
			t.Errorf("%s: the virtual server is %v", step.sentence, v)
		}
		s.Settled(t)
	}
}

func TestF5AS3GivesEachServiceItsSettings(t *testing.T) {
	t.Parallel()
	d, s := as3(t, `defaults = { monitor = "tcp", snat = "none" }`, `virtual_servers = {
    web = { virtual_address = "10.9.0.1", virtual_port = "8443", type = "https", client_ssl = "/Common/clientssl", persistence = "cookie", lb_method = "least-connections-member" }
    dns = { virtual_address = "10.9.0.2", virtual_port = "53", type = "udp", persistence = "cookie", snat = "/Common/snats", monitor = "none" }
    raw = { virtual_address = "FD00::9", virtual_port = "99", type = "l4", monitor = "/Common/gateway_icmp", persistence = "/Common/source_addr" }
  }`)
	said := func(user, meta map[string]string) moduletest.Instance {
		return moduletest.Instance{Name: "api", Address: "10.0.0.1", Port: 80, User: user, Meta: meta}
	}
	s.Give(t, said(nil, nil), said(map[string]string{"f5_virtual_port": "81"},
		map[string]string{"f5_virtual_address": "10.9.0.3", "f5_virtual_port": "82", "f5_persistence": "source-address", "f5_lb_method": "fair; evil"}))
	s.Apply(t)
	s.Settled(t)
	got := map[string]string{}
	for _, path := range d.Paths("ltm/virtual") {
		v := d.Object("ltm/virtual", path)
		pool := d.Object("ltm/pool", v["pool"].(string))
		got[path] = fmt.Sprint(v["class"], " ", v["destinations"], " ", v["persist"], " snat ", v["snat"], " ", pool["loadBalancingMode"], " ", pool["monitors"])
	}
	want := map[string]string{
		"/edge/web/virtual": "Service_HTTPS [10.9.0.1 8443] [cookie] snat none least-connections-member [tcp]",
		"/edge/dns/virtual": "Service_UDP [10.9.0.2 53] [] snat map[bigip:/Common/snats] round-robin []",
		"/edge/raw/virtual": "Service_L4 [fd00::9 99] [map[bigip:/Common/source_addr]] snat none round-robin [map[bigip:/Common/gateway_icmp]]",
		"/edge/api/virtual": "Service_HTTP [10.9.0.3 81] [source-address] snat none round-robin [tcp]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("virtual servers (-want +got):\n%s", diff)
	}
	var reasons []string
	for _, n := range notes(t, s) {
		reasons = append(reasons, n.Service+": "+n.Reason)
	}
	wantNotes := []string{
		"api: skipped: another instance of the service has the same address and port",
		"api: f5_lb_method of the meta of its instances was left out: it is not a value that the setting takes",
		"dns: served without persistence: cookie needs type http or https",
	}
	if diff := cmp.Diff(wantNotes, reasons); diff != "" {
		t.Errorf("skipped (-want +got):\n%s", diff)
	}
}

func TestF5AS3WeighsByRatio(t *testing.T) {
	t.Parallel()
	d, s := as3(t, vip)
	weigh := func(n int, w string) moduletest.Instance {
		return web(fmt.Sprintf("10.0.0.%d", n), 80).With(func(i *moduletest.Instance) { i.Meta = map[string]string{"weight": w} })
	}
	state := func(n int, state string) moduletest.Instance {
		return web(fmt.Sprintf("10.0.0.%d", n), 80).With(func(i *moduletest.Instance) { i.Meta = map[string]string{"f5_admin_state": state} })
	}
	s.Give(t, weigh(1, "7"), web("10.0.0.2", 80), weigh(3, "0"), weigh(4, "-3"), weigh(5, "2.5"), state(6, "disable"), state(7, "offline"), state(8, "evil"))
	s.Set(t, "instance_weights", map[string]any{moduletest.Key(0): 5, moduletest.Key(1): 4, moduletest.Key(4): 6, "gone": 9})
	s.Apply(t)
	want := map[string]string{
		"10.0.0.1:80": "7 enable", "10.0.0.2:80": "4 enable", "10.0.0.3:80": "1 disable", "10.0.0.4:80": "1 disable", "10.0.0.5:80": "6 enable",
		"10.0.0.6:80": "1 disable", "10.0.0.7:80": "1 offline", "10.0.0.8:80": "1 enable",
	}
	if diff := cmp.Diff(want, memberStates(d, "/edge/web/pool")); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	if mode := d.Object("ltm/pool", "/edge/web/pool")["loadBalancingMode"]; mode != "ratio-member" {
		t.Errorf("the pool balances by %v, which knows no ratio", mode)
	}
	if got := notes(t, s); len(got) != 2 || got[0].Instance != moduletest.Key(4) || got[1].Instance != moduletest.Key(7) {
		t.Errorf("skipped = %v, want the weight 2.5 and the state evil", got)
	}
	// AS3 takes no ratio above 100.
	s.Give(t, weigh(1, "1000"), weigh(2, "500"), weigh(3, "1"))
	s.Set(t, "instance_weights", map[string]any{})
	s.Apply(t)
	want = map[string]string{"10.0.0.1:80": "100 enable", "10.0.0.2:80": "50 enable", "10.0.0.3:80": "1 enable"}
	if diff := cmp.Diff(want, memberStates(d, "/edge/web/pool")); diff != "" {
		t.Errorf("heavy members (-want +got):\n%s", diff)
	}
	s.Settled(t)
}

func TestF5AS3ShiftsTrafficByCanaryWeights(t *testing.T) {
	t.Parallel()
	d, s := as3(t, vip, `canary_subsets = { "2" = "v2" }`)
	version := func(n int, v string) moduletest.Instance {
		return web(fmt.Sprintf("10.0.0.%d", n), 80).With(func(i *moduletest.Instance) { i.Meta = map[string]string{"version": v} })
	}
	s.Give(t, version(1, "v1"), version(2, "v1"), version(3, "v1"), version(4, "2"), web("10.0.0.5", 80))
	for _, step := range []struct {
		sentence string
		weights  map[string]any
		want     map[string]string
		mode     string
	}{
		{"no canary", map[string]any{}, map[string]string{"10.0.0.1:80": "1 enable", "10.0.0.4:80": "1 enable", "10.0.0.5:80": "1 enable"}, "round-robin"},
		{"5 percent", map[string]any{"web": map[string]any{"v1": 95, "v2": 5}}, map[string]string{"10.0.0.1:80": "100 enable", "10.0.0.4:80": "16 enable", "10.0.0.5:80": "1 disable"}, "ratio-member"},
		{"a quarter is equal parts", map[string]any{"web": map[string]any{"v1": 75, "v2": 25}}, map[string]string{"10.0.0.1:80": "25 enable", "10.0.0.4:80": "25 enable", "10.0.0.5:80": "1 disable"}, "round-robin"},
		{"all of it", map[string]any{"web": map[string]any{"v1": 0, "v2": 100}}, map[string]string{"10.0.0.1:80": "1 disable", "10.0.0.4:80": "100 enable", "10.0.0.5:80": "1 disable"}, "round-robin"},
		{"a subset without instances", map[string]any{"web": map[string]any{"v3": 100}}, map[string]string{"10.0.0.1:80": "1 enable", "10.0.0.4:80": "1 enable", "10.0.0.5:80": "1 enable"}, "round-robin"},
	} {
		s.Set(t, "canary_weights", step.weights)
		s.Apply(t)
		got := memberStates(d, "/edge/web/pool")
		for name, want := range step.want {
			if got[name] != want {
				t.Errorf("%s: member %s is %q, want %q", step.sentence, name, got[name], want)
			}
		}
		if mode := d.Object("ltm/pool", "/edge/web/pool")["loadBalancingMode"]; mode != step.mode {
			t.Errorf("%s: the pool balances by %v, want %s", step.sentence, mode, step.mode)
		}
	}
	if got := notes(t, s); len(got) != 1 || !strings.HasPrefix(got[0].Reason, "served without the weights of its canary") {
		t.Errorf("skipped = %v, want the canary that has no instance", got)
	}
}

func TestF5AS3TakesGarbageInMetaAndNames(t *testing.T) {
	t.Parallel()
	d, s := as3(t, vip, `require_virtual_address = false`, `virtual_networks = ["10.9.0.0/24", "fd00::/64"]`)
	texts := []string{"1; } evil", "1\n", "", " ", "1e3", "${x}", "１", "\x00", strings.Repeat("9", 512), `"}],"class":"Tenant"`, "10.9.0.256", "10.1.0.1", "fd01::1", "::/0"}
	names := []string{
		"web", "Web", "a.b", "a_b", "a-b", "a b", "a;b", "é", "..", "label", "class", "Shared", "patchbay", "${a}", "\"", "'", "1", "_", "\n",
		"a_0123456789abcdef0123", strings.Repeat("x", 63), strings.Repeat("x", 64), strings.Repeat("y", 10_000), "\x00", "%{if}",
	}
	keyed := map[string]moduletest.Instance{"key with ${x} \" ; } {\n": web("10.0.0.1", 80)}
	for n, name := range names {
		text := texts[n%len(texts)]
		keyed[moduletest.Key(n)] = moduletest.Instance{Name: name, Address: fmt.Sprintf("10.1.0.%d", n), Port: 80, Tags: []string{text}, Meta: map[string]string{
			"weight": text, "f5_virtual_address": text, "f5_virtual_port": text, "f5_type": text, "f5_monitor": text, "f5_persistence": text, "f5_lb_method": text,
			"f5_snat": text, "f5_client_ssl": text, "f5_admin_state": text, text + "x": text,
		}, User: map[string]string{"f5_type": text, "f5_monitor": text}}
	}
	s.Set(t, "services", keyed)
	s.Apply(t)
	s.Settled(t)
	var servers map[string]struct {
		Pool, Virtual string
		Members       []string
	}
	s.Output(t, "virtual_servers", &servers)
	pools := map[string]bool{}
	for service, v := range servers {
		if pools[strings.ToLower(v.Pool)] && service != "Web" && service != "web" {
			t.Errorf("%q has the pool %s of another service", service, v.Pool)
		}
		pools[strings.ToLower(v.Pool)] = true
		if len(v.Members) == 0 || len(d.Members(v.Pool)) != len(v.Members) {
			t.Errorf("service %q: output has members %q, the device %v", service, v.Members, d.Members(v.Pool))
		}
	}
	if len(servers) != len(names) {
		t.Errorf("%d pools for %d services", len(servers), len(names))
	}
	if got := d.Paths("ltm/virtual"); !slices.Equal(got, []string{"/edge/web/virtual"}) {
		t.Errorf("garbage made virtual servers: %q", got)
	}
}

func TestF5AS3LeavesOutWhatCannotBeAMember(t *testing.T) {
	t.Parallel()
	d, s := as3(t, vip)
	bad := map[string]moduletest.Instance{
		"a host name": web("host.example.com", 80), "a network": web("10.0.0.0/8", 80), "an address out of range": web("10.0.0.256", 80),
		"leading zeros": web("10.0.0.01", 80), "a route domain": web("10.0.0.1%2", 80), "two lines": web("10.0.0.1\n10.0.0.2", 80),
		"no address": web("", 80), "any address": web("0.0.0.0", 80), "any address of IPv6": web("::", 80), "a zone": web("fe80::1%eth0", 80), "no port": web("10.0.0.1", 0),
		"a port out of range": web("10.0.0.1", 65536), "a negative port": web("10.0.0.1", -1), "full-width digits": web("１0.0.0.1", 80),
		"no service name": web("10.0.0.1", 80).With(func(i *moduletest.Instance) { i.Name = "" }),
	}
	keyed, want, got := map[string]moduletest.Instance{"good": web("10.0.0.1", 80)}, map[string]bool{}, map[string]bool{}
	for sentence, i := range bad {
		keyed[sentence], want[sentence] = i, true
	}
	s.Set(t, "services", keyed)
	s.Apply(t)
	for _, n := range notes(t, s) {
		got[n.Instance] = strings.HasPrefix(n.Reason, "skipped: ")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("skipped (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"10.0.0.1:80": "1 enable"}, memberStates(d, "/edge/web/pool")); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
}
