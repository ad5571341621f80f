package nginxplus_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"patchbay/templates/internal/moduletest"

	"github.com/google/go-cmp/cmp"
)

func newStack(tb testing.TB, d *device, arguments ...string) *moduletest.Stack {
	tb.Helper()
	return moduletest.New(tb, "nginx-plus", append(arguments, fmt.Sprintf("api_urls = [%q]", d.url))...)
}

func at(address string, port int) moduletest.Instance {
	return moduletest.Instance{Name: "web", Address: address, Port: port, Status: "passing"}
}

func with(i moduletest.Instance, meta ...string) moduletest.Instance {
	i.Meta = map[string]string{}
	for n := 0; n < len(meta); n += 2 {
		i.Meta[meta[n]] = meta[n+1]
	}
	return i
}

func stated(i moduletest.Instance, status string) moduletest.Instance {
	i.Status = status
	return i
}

func same(t *testing.T, what string, want, got []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestServersAreWhatConsulHasAndNothingElseIsAsked(t *testing.T) {
	d := newDevice(t)
	s := newStack(t, d, `service_names = ["web"]`)
	a, b, six := at("10.0.0.1", 8080), at("10.0.0.2", 80), at("2001:DB8::0:1", 443)
	const servers = "/http/upstreams/web/servers"
	get, peers := "GET "+servers, "GET /http/upstreams/web/?fields=peers"
	for _, step := range []struct {
		sentence string
		services []moduletest.Instance
		servers  []string
		calls    []string
	}{
		{"one instance", []moduletest.Instance{a}, []string{"10.0.0.1:8080 weight=1"}, []string{
			get, `POST ` + servers + ` {"server":"10.0.0.1:8080","weight":1,"max_conns":0,"max_fails":1,"fail_timeout":"10s","slow_start":"0s","backup":false,"down":false}`}},
		{"scaled up, with a weight and over IPv6", []moduletest.Instance{a, with(b, "weight", "3"), six},
			[]string{"10.0.0.1:8080 weight=1", "10.0.0.2:80 weight=3", "[2001:db8::1]:443 weight=1"}, []string{
				get, `POST ` + servers + ` {"server":"10.0.0.2:80","weight":3,"max_conns":0,"max_fails":1,"fail_timeout":"10s","slow_start":"0s","backup":false,"down":false}`,
				`POST ` + servers + ` {"server":"[2001:db8::1]:443","weight":1,"max_conns":0,"max_fails":1,"fail_timeout":"10s","slow_start":"0s","backup":false,"down":false}`}},
		{"a change of one field asks for that field", []moduletest.Instance{with(a, "max_conns", "9"), with(b, "weight", "3"), with(six, "slow_start", "30s")},
			[]string{"10.0.0.1:8080 weight=1", "10.0.0.2:80 weight=3", "[2001:db8::1]:443 weight=1"}, []string{
				get, `PATCH ` + servers + `/0 {"max_conns":9}`, `PATCH ` + servers + `/2 {"slow_start":"30s"}`}},
		{"a critical one is down, a maintained one drains, a warning one serves", []moduletest.Instance{
			stated(with(a, "max_conns", "9"), "critical"), stated(with(b, "weight", "3"), "maintenance"), stated(with(six, "slow_start", "30s"), "warning")},
			[]string{"10.0.0.1:8080 weight=1 down", "10.0.0.2:80 weight=3 drain", "[2001:db8::1]:443 weight=1"}, []string{
				get, `PATCH ` + servers + `/0 {"down":true}`, `PATCH ` + servers + `/1 {"drain":true}`}},
		{"they come back", []moduletest.Instance{with(a, "max_conns", "9"), with(b, "weight", "3"), with(six, "slow_start", "30s")},
			[]string{"10.0.0.1:8080 weight=1", "10.0.0.2:80 weight=3", "[2001:db8::1]:443 weight=1"}, []string{
				get, `PATCH ` + servers + `/0 {"down":false}`, `PATCH ` + servers + `/1 {"drain":false}`}},
		{"a backup is another server", []moduletest.Instance{with(a, "max_conns", "9"), with(b, "weight", "3", "backup", "true"), with(six, "slow_start", "30s")},
			[]string{"10.0.0.1:8080 weight=1", "10.0.0.2:80 weight=3 backup", "[2001:db8::1]:443 weight=1"}, []string{
				get, `DELETE ` + servers + `/1`,
				`POST ` + servers + ` {"server":"10.0.0.2:80","weight":3,"max_conns":0,"max_fails":1,"fail_timeout":"10s","slow_start":"0s","backup":true,"down":false}`}},
		{"what is gone is drained, then removed", []moduletest.Instance{with(a, "max_conns", "9")}, []string{"10.0.0.1:8080 weight=1"}, []string{
			get, `PATCH ` + servers + `/2 {"drain":true}`, `PATCH ` + servers + `/3 {"drain":true}`, peers, `DELETE ` + servers + `/2`, `DELETE ` + servers + `/3`}},
		{"emptied", nil, []string{}, []string{get, `PATCH ` + servers + `/0 {"drain":true}`, peers, `DELETE ` + servers + `/0`}},
		{"filled again", []moduletest.Instance{a}, []string{"10.0.0.1:8080 weight=1"}, []string{
			get, `POST ` + servers + ` {"server":"10.0.0.1:8080","weight":1,"max_conns":0,"max_fails":1,"fail_timeout":"10s","slow_start":"0s","backup":false,"down":false}`}},
	} {
		s.Give(t, step.services...)
		s.Apply(t)
		same(t, step.sentence+": servers", step.servers, d.has("http/web"))
		same(t, step.sentence+": calls", step.calls, d.asked())
	}
	s.Settled(t)
}

func TestStreamServersAreDownInsteadOfDrained(t *testing.T) {
	d := newDevice(t)
	s := newStack(t, d, `context = "stream"`, `upstreams = { web = "db" }`)
	a, b := at("10.0.0.1", 5432), at("::1", 5432)
	s.Give(t, a, with(b, "weight", "0"), stated(at("10.0.0.3", 5432), "maintenance"))
	s.Apply(t)
	same(t, "servers", []string{"10.0.0.1:5432 weight=1", "10.0.0.3:5432 weight=1 down", "[::1]:5432 weight=1 down"}, d.has("stream/db"))
	s.Settled(t)
	d.asked()
	s.Give(t, b)
	s.Apply(t)
	same(t, "servers", []string{"[::1]:5432 weight=1"}, d.has("stream/db"))
	const up = "/stream/upstreams/db"
	same(t, "calls", []string{"GET " + up + "/servers", "PATCH " + up + `/servers/1 {"down":false}`, "PATCH " + up + `/servers/0 {"down":true}`,
		"GET " + up + "/?fields=peers", "DELETE " + up + "/servers/0", "DELETE " + up + "/servers/2"}, d.asked())
}

func TestServersThatAreThereAlreadyAreFoundHoweverTheyAreWritten(t *testing.T) {
	d := newDevice(t)
	d.put("http/web", "10.0.0.1") // NGINX takes port 80
	d.put("http/web", "[2001:DB8::1]")
	d.put("http/web", "10.0.0.3:80")
	d.put("http/web", "10.0.0.3:80") // twice, by somebody
	d.with(func() {
		p := d.upstreams["http/web"].add(&peer{Server: "10.9.9.9:80", Weight: 1, MaxFails: 1, FailTimeout: "10s", SlowStart: "0s", Host: "db.example.com"})
		parent := 77
		p.Parent = &parent // resolved by NGINX
		d.said = strings.NewReplacer("90s", "1m30s", "0s", "0").Replace
	})
	s := newStack(t, d, `fail_timeout = "90s"`, "drain_seconds = 0")
	s.Give(t, at("10.0.0.1", 80), at("2001:db8:0::1", 80), at("10.0.0.3", 80), at("10.0.0.3", 80))
	s.Apply(t)
	const servers = "/http/upstreams/web/servers"
	same(t, "calls", []string{"GET " + servers, "PATCH " + servers + `/0 {"fail_timeout":"90s"}`, "PATCH " + servers + `/1 {"fail_timeout":"90s"}`,
		"PATCH " + servers + `/2 {"fail_timeout":"90s"}`, "DELETE " + servers + "/3"}, d.asked())
	s.Must(t, "apply", "-auto-approve", `-replace=module.edge.terraform_data.servers["web"]`)
	same(t, "calls when nothing differs", []string{"GET " + servers}, d.asked())
	var skipped []struct{ Instance, Reason string }
	s.Output(t, "skipped", &skipped)
	if len(skipped) != 1 || skipped[0].Instance != moduletest.Key(3) || !strings.Contains(skipped[0].Reason, "another instance") {
		t.Errorf("skipped = %q, want the second of one address", skipped)
	}
}

func TestSettingsComeFromInstanceServiceAndModule(t *testing.T) {
	d := newDevice(t)
	d.upstreams["http/api.v1"] = &upstream{}
	s := newStack(t, d, `max_conns = 5`, `slow_start = "5s"`, `upstreams = { "API one" = "api.v1" }`)
	api := moduletest.Instance{Name: "API one", Address: "10.0.0.9", Port: 80, User: map[string]string{"nginx_max_conns": "7", "nginx_backup": "true", "nginx_slow_start": "soon"}}
	s.Give(t, at("10.0.0.1", 80), with(at("10.0.0.2", 80), "max_conns", "6", "slow_start", "1m", "weight", "2.5"), api,
		with(api, "max_conns", "8", "backup", "false").With(func(i *moduletest.Instance) { i.Port = 81 }))
	s.Set(t, "instance_weights", map[string]any{moduletest.Key(1): 4})
	s.Apply(t)
	var up map[string]struct {
		Name    string
		Servers []string
	}
	s.Output(t, "upstreams", &up)
	same(t, "web", []string{"10.0.0.1:80 weight=1 max_conns=5 max_fails=1 fail_timeout=10s slow_start=5s",
		"10.0.0.2:80 weight=4 max_conns=6 max_fails=1 fail_timeout=10s slow_start=1m"}, up["web"].Servers)
	same(t, "API one", []string{"10.0.0.9:80 weight=1 max_conns=7 max_fails=1 fail_timeout=10s slow_start=5s backup",
		"10.0.0.9:81 weight=1 max_conns=8 max_fails=1 fail_timeout=10s slow_start=5s"}, up["API one"].Servers)
	same(t, "api.v1", []string{"10.0.0.9:80 weight=1 backup", "10.0.0.9:81 weight=1"}, d.has("http/api.v1"))
	var skipped []struct{ Reason string }
	s.Output(t, "skipped", &skipped)
	if len(skipped) != 2 || !strings.Contains(skipped[0].Reason, "meta weight") || !strings.Contains(skipped[1].Reason, "nginx_slow_start") {
		t.Errorf("skipped = %q, want the weight and the time", skipped)
	}
	s.Settled(t)
}

func TestTrafficIsShiftedAsACanarySays(t *testing.T) {
	d := newDevice(t)
	s := newStack(t, d, `canary_subsets = { "1" = "v1" }`)
	s.Give(t, with(at("10.0.0.1", 80), "version", "1"), with(at("10.0.0.2", 80), "version", "1", "weight", "3"),
		with(at("10.0.0.3", 80), "version", "v2"), at("10.0.0.4", 80))
	for _, step := range []struct {
		sentence string
		shares   map[string]any
		want     []string
	}{
		{"a step divides each share by weight", map[string]any{"v1": 95, "v2": 5}, []string{"10.0.0.1:80 weight=15556", "10.0.0.2:80 weight=46668", "10.0.0.3:80 weight=3275", "10.0.0.4:80 weight=1 drain"}},
		{"at the end the old ones drain", map[string]any{"v1": 0, "v2": 100}, []string{"10.0.0.1:80 weight=1 drain", "10.0.0.2:80 weight=1 drain", "10.0.0.3:80 weight=65500", "10.0.0.4:80 weight=1 drain"}},
		{"a share of nobody is left aside", map[string]any{"v3": 100}, []string{"10.0.0.1:80 weight=1", "10.0.0.2:80 weight=3", "10.0.0.3:80 weight=1", "10.0.0.4:80 weight=1"}},
	} {
		s.Set(t, "canary_weights", map[string]any{"web": step.shares})
		s.Apply(t)
		same(t, step.sentence, step.want, d.has("http/web"))
	}
	s.Settled(t)
}

func TestThousandServersAreMadeOnOneConnection(t *testing.T) {
	d := newDevice(t)
	s := newStack(t, d)
	services := moduletest.Instances("web", 1000)
	s.Give(t, services...)
	s.Apply(t)
	if got := len(d.has("http/web")); got != 1000 {
		t.Fatalf("%d servers, want 1000", got)
	}
	d.with(func() {
		if d.connections != 2 { // one to read, one to add
			t.Errorf("%d connections for 1000 servers, want 2", d.connections)
		}
	})
	d.asked()
	services[500].Port++
	s.Give(t, services...)
	s.Apply(t)
	if calls := d.asked(); len(calls) != 5 {
		t.Errorf("one change of an address asked %q, want 5 calls", calls)
	}
	if !slices.Contains(d.has("http/web"), services[500].HostPort()+" weight=1") {
		t.Error("the changed server is not there")
	}
	s.Settled(t)
}
