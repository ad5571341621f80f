package templates_test

import (
	"fmt"
	"strings"
	"testing"

	"patchbay/templates/internal/moduletest"

	"github.com/google/go-cmp/cmp"
)

func TestNginxRefusesWhatItCouldMisread(t *testing.T) {
	e := newEdge(t, "")
	s := newStack(t, e, live, "allow_host_names = false")
	const inject = "; } server { listen 1; location / { return 200 pwned; } } upstream x { server 10.0.0.1:1"
	good := moduletest.Backend(t, "good")
	at := func(address string, port int) moduletest.Instance {
		return moduletest.Instance{Name: "web", Address: address, Port: port}
	}
	bad := map[string]moduletest.Instance{
		"directives after an address":         at("10.0.0.1:80"+inject, 80),
		"directives that look like the rest":  at("10.0.0.1 80 "+inject, 80),
		"an address of two lines":             at("10.0.0.1\n10.0.0.2", 80),
		"a line feed at the end":              at("10.0.0.1\n", 80),
		"a carriage return":                   at("10.0.0.1\r", 80),
		"a comment":                           at("10.0.0.1 #", 80),
		"a quote":                             at("\"10.0.0.1", 80),
		"a variable":                          at("$host", 80),
		"a template of Terraform":             at("${path.module}", 80),
		"a unix socket":                       at("unix:/var/run/docker.sock", 80),
		"a parameter":                         at("10.0.0.1 backup", 80),
		"an IPv4 address out of range":        at("10.0.0.256", 80),
		"an IPv4 address with a dot too many": at("10.0.0.1.", 80),
		"an IPv6 address with directives":     at("::1]:80"+inject, 80),
		"no IPv6 address":                     at(":::", 80),
		"an IPv6 address with zone":           at("fe80::1%eth0", 80),
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
	e.check(t)
	e.serves(t, "good")

	var skipped []struct{ Instance, Reason string }
	s.Output(t, "skipped", &skipped)
	got := map[string]bool{}
	for _, i := range skipped {
		got[i.Instance] = strings.HasPrefix(i.Reason, "skipped: ")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("skipped (-want +got):\n%s", diff)
	}
	if n := strings.Count(e.read(t, live), "  server "); n != 2 {
		t.Errorf("the file has %d servers, want the good one twice:\n%s", n, e.read(t, live))
	}
}

func TestNginxNeverWritesHostileTextButServesTheInstance(t *testing.T) {
	e := newEdge(t, "")
	s := newStack(t, e, live)
	good := moduletest.Backend(t, "good")
	texts := []string{"1; } evil", "1\n", "\n1", "", " ", "1e3", "0x10", "123456", "--1", "1 down", "${x}", "１", "-", "\x00"}
	var all []moduletest.Instance
	for _, text := range texts {
		all = append(all, good.With(func(i *moduletest.Instance) {
			i.Meta = map[string]string{"weight": text, text + ";": text}
			i.User = map[string]string{"nginx_method": "least_conn; evil", "nginx_keepalive": "1; evil", "nginx_max_fails": "-1", "nginx_fail_timeout": "1s evil"}
		}))
	}
	s.Give(t, all...)
	s.Apply(t)
	e.check(t)
	e.serves(t, "good")
	line := fmt.Sprintf("  server %s weight=1 max_fails=1 fail_timeout=10s;\n", good.HostPort())
	want := fmt.Sprintf("upstream web {\n  zone web %dk;\n%s}\n", 64+len(texts), strings.Repeat(line, len(texts)))
	if got := e.read(t, live); !strings.HasSuffix(strings.TrimSpace(got), strings.TrimSpace(want)) {
		t.Errorf("file:\n%s\nwant its end:\n%s", got, want)
	}
	var skipped []struct{ Service, Instance, Reason string }
	s.Output(t, "skipped", &skipped)
	// All but "-", which stands for no weight, and four settings.
	if len(skipped) != len(texts)-1+4 {
		t.Errorf("skipped has %d notes, want %d: %q", len(skipped), len(texts)-1+4, skipped)
	}
}

func TestNginxUpstreamNamesAreSafeAndUnique(t *testing.T) {
	e := newEdge(t, "")
	s := newStack(t, e, "conf.d/more.conf", `upstream_prefix = "b-"`)
	names := []string{
		"web", "Web", "WEB", "web_1-a", "10.0.0.1", "a.b", "a_b", "a b", "a;b", "a{b}", "a\nb", "a$b", "${a}", "\"", "'", "#", "é", "e\u0301x",
		" ", "-", "..", "upstream", strings.Repeat("x", 63), strings.Repeat("x", 64), strings.Repeat("y", 10000), "\x00", "127.0.0.1:80",
	}
	keyed := map[string]moduletest.Instance{}
	for n, name := range names {
		keyed[moduletest.Key(n)] = moduletest.Instance{Name: name, Address: "127.0.0.1", Port: 1000 + n}
	}
	s.Set(t, "services", keyed)
	s.Apply(t)
	e.check(t)
	s.Settled(t)
	var upstreams map[string]struct {
		Name    string
		Servers []string
	}
	s.Output(t, "upstreams", &upstreams)
	seen := map[string]bool{}
	for service, up := range upstreams {
		if lower := strings.ToLower(up.Name); seen[lower] {
			t.Errorf("upstream %q stands for two services", up.Name)
		} else {
			seen[lower] = true
		}
		if strings.Trim(up.Name, "abcdefghijklmnopqrstuvwxyz0123456789_-.") != "" || !strings.HasPrefix(up.Name, "b-") || len(up.Name) > 100 {
			t.Errorf("service %q has upstream %q", service, up.Name)
		}
		if len(up.Servers) != 1 {
			t.Errorf("service %q has %d servers", service, len(up.Servers))
		}
	}
	if len(seen) != len(names) {
		t.Errorf("%d upstreams for %d services", len(seen), len(names))
	}
	if got := upstreams["web_1-a"].Name; got != "b-web_1-a" {
		t.Errorf("a plain name became %q", got)
	}
}

func TestNginxModuleRefusesBadVariables(t *testing.T) {
	e := newEdge(t, "")
	before := e.read(t, live)
	for sentence, arguments := range map[string][]string{
		"a method with directives":   {`method = "least_conn; evil on"`},
		"an unknown method":          {`method = "sticky"`},
		"a fail_timeout with words":  {`fail_timeout = "1s; evil"`},
		"max_fails below zero":       {`max_fails = -1`},
		"keepalive in parts":         {`keepalive = 1.5`},
		"no command":                 {`nginx_command = []`},
		"an empty word in a command": {`nginx_command = ["nginx", ""]`},
		"a prefix with a space":      {`upstream_prefix = "a b"`},
		"no time for a reload":       {`reload_timeout = 0`},
		"a relative path":            {`config_path = "web.conf"`},
		"a hidden file":              {`config_path = "/etc/nginx/conf.d/.web.conf"`},
		"a directory":                {`config_path = "/etc/nginx/conf.d/"`},
		"a line feed in config_path": {`config_path = "/etc/nginx/a\nb"`},
		"an empty name of a service": {`service_names = [""]`},
		"several at once":            {`method = "sticky"`, `max_fails = -1`, `config_path = ""`},
	} {
		t.Run(sentence, func(t *testing.T) {
			said := moduletest.New(t, "nginx", arguments...).Refused(t)
			if !strings.Contains(said, "Variables of the nginx module cannot be used; nothing was changed: ") {
				t.Fatalf("want a refusal:\n%s", said)
			}
			for _, argument := range arguments {
				if name, _, _ := strings.Cut(argument, " "); !strings.Contains(said, name+" must") {
					t.Errorf("the error does not name %s:\n%s", name, said)
				}
			}
		})
	}
	if diff := cmp.Diff(before, e.read(t, live)); diff != "" {
		t.Errorf("the live file changed (-before +after):\n%s", diff)
	}
}

func TestNginxModuleIsFormattedAndValid(t *testing.T) {
	s := newStack(t, newEdge(t, ""), live)
	if out, err := s.Run("fmt", "-check", "-diff", "nginx"); err != nil {
		t.Errorf("fmt: %v:\n%s", err, out)
	}
	s.Must(t, "validate")
}
