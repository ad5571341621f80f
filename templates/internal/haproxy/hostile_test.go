package haproxy_test

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"patchbay/templates/internal/haproxy"
	"patchbay/templates/internal/moduletest"

	"github.com/google/go-cmp/cmp"
)

func TestWhatHaproxyCouldMisreadIsRefused(t *testing.T) {
	h := haproxy.New(t, "")
	s := h.Stack(t, "allow_host_names = false")
	const inject = "\n  server x 10.0.0.1:80\nfrontend x"
	good := moduletest.Backend(t, "good")
	at := func(address string, port int) moduletest.Instance {
		return moduletest.Instance{Name: "web", Address: address, Port: port}
	}
	bad := map[string]moduletest.Instance{
		"directives after an address":         at("10.0.0.1:80"+inject, 80),
		"commands after an address":           at("10.0.0.1;shutdown sessions server web/s1", 80),
		"an address of two lines":             at("10.0.0.1\n10.0.0.2", 80),
		"a line feed at the end":              at("10.0.0.1\n", 80),
		"a carriage return":                   at("10.0.0.1\r", 80),
		"a comment":                           at("10.0.0.1 #", 80),
		"a quote":                             at("\"10.0.0.1", 80),
		"a variable":                          at("${HOME}", 80),
		"a unix socket":                       at("unix@/var/run/docker.sock", 80),
		"a path":                              at("/var/run/docker.sock", 80),
		"a file descriptor":                   at("fd@3", 80),
		"a parameter":                         at("10.0.0.1 backup", 80),
		"an IPv4 address out of range":        at("10.0.0.256", 80),
		"an IPv4 address with an octal part":  at("10.0.0.010", 80),
		"an IPv4 address with a dot too many": at("10.0.0.1.", 80),
		"wherever the client wants to go":     at("0.0.0.0", 80),
		"the same in IPv6":                    at("::", 80),
		"an IPv6 address with directives":     at("::1]:80"+inject, 80),
		"no IPv6 address":                     at(":::", 80),
		"an IPv6 address with zone":           at("fe80::1%eth0", 80),
		"an IPv4 address in an IPv6 one":      at("::ffff:10.0.0.1", 80),
		"a host name where none is allowed":   at("localhost", 80),
		"a space alone":                       at(" ", 80),
		"no address at all":                   at("", 80),
		"no port":                             at("10.0.0.1", 0),
		"a negative port":                     at("10.0.0.1", -1),
		"a port out of range":                 at("10.0.0.1", 65536),
		"no service name":                     at("10.0.0.1", 80).With(func(i *moduletest.Instance) { i.Name = "" }),
		"an address in full-width characters": at("１０.0.0.1", 80),
		"a NUL":                               at("10.0.0.1\x00", 80),
		"an address of a megabyte":            at(strings.Repeat("1", 1<<20), 80),
	}
	keyed := map[string]moduletest.Instance{"good": good, "key with ${x} \" ; } {\n": good}
	want := map[string]bool{}
	for sentence, i := range bad {
		keyed[sentence], want[sentence] = i, true
	}
	s.Set(t, "services", keyed)
	s.Apply(t)
	h.Check(t)
	h.Serves(t, "good")

	var skipped []struct{ Instance, Reason string }
	s.Output(t, "skipped", &skipped)
	got := map[string]bool{}
	for _, i := range skipped {
		got[i.Instance] = strings.HasPrefix(i.Reason, "skipped: ")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("skipped (-want +got):\n%s", diff)
	}
	has(t, h, map[string]string{"web/s1": good.HostPort() + " weight 1 ready", "web/s2": good.HostPort() + " weight 1 ready"})
}

func TestGarbageInMetaAndTagsDoesNoHarm(t *testing.T) {
	h := haproxy.New(t, "")
	s := h.Stack(t)
	good := moduletest.Backend(t, "good")
	texts := []string{"1\n  server evil", "1\n", "\n1", "", " ", "1e3", "0x10", "123456", "--1", "1 disabled", "${x}", "１", "-", "\x00"}
	var all []moduletest.Instance
	for _, text := range texts {
		all = append(all, good.With(func(i *moduletest.Instance) {
			i.Meta = map[string]string{"weight": text, text + ";": text, "version": text}
			i.Tags = []string{text, "weight=9"}
			i.User = map[string]string{"haproxy_balance": "leastconn\nevil", "haproxy_mode": "health", "haproxy_check": "/x y", "haproxy_spare": "1e9", "haproxy_evil": text}
		}))
	}
	s.Give(t, all...)
	s.Apply(t)
	h.Check(t)
	h.Serves(t, "good")
	want := "\nbackend web\n  balance roundrobin\n"
	for n := range texts {
		want += fmt.Sprintf("  server s%d %s weight 1\n", n+1, good.HostPort())
	}
	if got := h.Read(t, haproxy.Live); !strings.Contains(got, want+"  server s15 127.0.0.1:1 disabled # spare\n") {
		t.Errorf("file:\n%s\nwant in it:\n%s", got, want)
	}
	var skipped []struct{ Service, Instance, Reason string }
	s.Output(t, "skipped", &skipped)
	// All but "-", which stands for no weight, and four settings.
	if len(skipped) != len(texts)-1+4 {
		t.Errorf("skipped has %d notes, want %d: %q", len(skipped), len(texts)-1+4, skipped)
	}
	s.Settled(t)
}

func TestNamesOfBackendsAreSafeAndUnique(t *testing.T) {
	h := haproxy.New(t, "")
	s := h.Stack(t, `service_names = ["web"]`)
	names := []string{
		"web", "Web", "WEB", "web_1-a", "10.0.0.1", "a.b", "a_b", "a b", "a;b", "a/b", "a\nb", "a$b", "${a}", "\"", "'", "#", "#1", "é", "\u00e9x",
		" ", "-", "..", "backend", "spare", strings.Repeat("x", 63), strings.Repeat("x", 64), strings.Repeat("y", 10000), "\x00", "127.0.0.1:80", "\\",
	}
	keyed := map[string]moduletest.Instance{}
	for n, name := range names {
		keyed[moduletest.Key(n)] = moduletest.Instance{Name: name, Address: "127.0.0.1", Port: 1000 + n}
	}
	s.Set(t, "services", keyed)
	s.Apply(t)
	h.Check(t)
	s.Settled(t)
	var backends map[string]struct{ Name string }
	s.Output(t, "backends", &backends)
	ports := map[string]string{}
	for n, name := range names {
		ports[backends[name].Name+"/s1"] = fmt.Sprintf("127.0.0.1:%d weight 1 ready", 1000+n)
	}
	if len(ports) != len(names) {
		t.Errorf("%d services have %d backends", len(names), len(ports))
	}
	has(t, h, ports)
}

func TestSettingsReachTheFile(t *testing.T) {
	h := haproxy.New(t, "")
	h.Configure(t, `defaults plain
  mode tcp
  timeout connect 5s
  timeout client 30s
  timeout server 30s
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
backend web
`)
	s := h.Stack(t, `backend_prefix = "b-"`, `check = "/health"`, `server_options = "maxconn 7 inter 9s"`, `mode = "http"`, `defaults_from = "plain"`,
		`backend_lines = ["option redispatch"]`, `service_lines = { web = ["http-reuse always"] }`, "spare_slots = 1")
	s.Give(t, at(1).With(func(i *moduletest.Instance) { i.Address = "2001:DB8:0:0::1" }), at(2).With(func(i *moduletest.Instance) {
		i.Name = "tcp"
		i.User = map[string]string{"haproxy_mode": "tcp", "haproxy_balance": "source", "haproxy_check": "none", "haproxy_spare": "0"}
	}))
	s.Apply(t)
	want := `# Backends from Consul. Written by Terraform: the next run overwrites changes.

backend b-tcp from plain
  mode tcp
  balance source
  hash-type consistent
  default-server maxconn 7 inter 9s
  option redispatch
  server s1 10.0.0.2:80 weight 1
  server s2 127.0.0.1:1 disabled # spare

backend b-web from plain
  mode http
  balance roundrobin
  option httpchk GET /health
  default-server check
  default-server maxconn 7 inter 9s
  option redispatch
  http-reuse always
  server s1 [2001:db8::1]:80 weight 1
  server s2 127.0.0.1:1 disabled # spare
`
	if diff := cmp.Diff(want, h.Read(t, haproxy.Live)); diff != "" {
		t.Errorf("file (-want +got):\n%s", diff)
	}
	s.Settled(t)
}

func TestASenselessPlanIsStopped(t *testing.T) {
	s := moduletest.New(t, "haproxy")
	s.Give(t, at(1))
	root := read(t, s, "main.tf")
	for argument, want := range map[string]string{
		`config_path = "patchbay.cfg"`:                                  "config_path must be the absolute path",
		`haproxy_command = ["haproxy", "-f", "/etc/haproxy/other.cfg"]`: "haproxy_command must have -f with config_path or its directory",
		`haproxy_command = [""]`:                                        "haproxy_command must name a program",
		`master_socket = "haproxy.sock"`:                                "master_socket must be the absolute path of a unix socket, or HOST:PORT",
		`stats_socket = "/run/a;b"`:                                     "stats_socket must be empty",
		`service_names = [""]`:                                          "service_names must have no empty name",
		`backend_prefix = "a b"`:                                        "backend_prefix must be",
		`defaults_from = "a b"`:                                         "defaults_from must be",
		`mode = "health"`:                                               "mode must be http, tcp or empty",
		`balance = "static-rr"`:                                         "balance must be roundrobin",
		`check = "on"`:                                                  "check must be none, tcp, or a path",
		`spare_slots = 1.5`:                                             "spare_slots must be a whole number",
		`reload_timeout = 0`:                                            "reload_timeout must be a whole number of seconds",
		`backend_lines = ["frontend x"]`:                                "must each be a single line of a backend",
		`backend_lines = ["server x 10.0.0.1:80"]`:                      "must each be a single line of a backend",
		"service_lines = { web = [\"option redispatch\\nlisten x\"] }":  "must each be a single line of a backend",
		`server_options = "check\n"`:                                    "must each be a single line of a backend",
	} {
		s.Write(t, "main.tf", []byte(strings.Replace(root, "source =", argument+"\n  source =", 1)))
		out, err := s.Run("plan", "-input=false")
		if err == nil {
			t.Errorf("%s was planned:\n%s", argument, out)
		}
		says(t, strings.Join(strings.Fields(strings.ReplaceAll(out, "│", " ")), " "), "Variables of the haproxy module cannot be used; nothing was changed", want)
	}
}

func TestModulesShareOneHaproxy(t *testing.T) {
	h := haproxy.New(t, "")
	second := moduletest.FreeAddr(t)
	h.Configure(t, fmt.Sprintf("frontend second\n  bind %s\n  default_backend b-web\n", second))
	h.Write(t, "live/b.cfg", "backend b-web\n")
	command := fmt.Sprintf(`haproxy_command = [%q, "-f", %q, "-f", %q]`, h.Command()[0], h.Path("main.cfg"), h.Path("live"))
	socket := fmt.Sprintf("master_socket = %q", h.Path("master.sock"))
	h.Stop()
	h.StartWith(t, []string{h.Command()[0], "-f", h.Path("main.cfg"), "-f", h.Path("live")})
	other := &haproxy.Server{Dir: h.Dir, Addr: second}
	one := moduletest.New(t, "haproxy", command, socket, fmt.Sprintf("config_path = %q", h.Path(haproxy.Live)))
	two := moduletest.New(t, "haproxy", command, socket, fmt.Sprintf("config_path = %q", h.Path("live/b.cfg")), `backend_prefix = "b-"`)
	names := []string{"a", "b"}
	backends := []moduletest.Instance{moduletest.Backend(t, "a"), moduletest.Backend(t, "b")}
	for n := range 4 {
		give := func(s *moduletest.Stack, i moduletest.Instance) {
			s.Give(t, i.With(func(i *moduletest.Instance) {
				i.User = map[string]string{"haproxy_balance": []string{"roundrobin", "leastconn"}[n/2]}
			}))
		}
		give(one, backends[n%2])
		give(two, backends[(n+1)%2])
		var group errgroup.Group
		for name, s := range map[string]*moduletest.Stack{"first": one, "second": two} {
			group.Go(func() error {
				if out, err := s.Run("apply", "-auto-approve"); err != nil {
					return fmt.Errorf("apply %s module: %w:\n%s", name, err, out)
				}
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		h.Serves(t, names[n%2])
		other.Serves(t, names[(n+1)%2])
	}
	onlyFiles(t, h, "b.cfg", "patchbay.cfg")
}
