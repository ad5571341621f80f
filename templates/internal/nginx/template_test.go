package nginx_test

import (
	"fmt"
	"strings"
	"testing"

	"patchbay/templates/internal/moduletest"
)

// mapped is a template as an operator would write it: what the module writes for one
// service, and something of its own for the others.
const mapped = `%{ for up in upstreams ~}
%{ if up.service == "web" ~}
${up.text}
%{ else ~}
# ${up.service} has ${length(up.servers)}
upstream ${up.name} {
  zone ${up.name} 1m;
%{ for s in up.servers ~}
  server ${s.host}:${s.port} weight=${s.weight}%{ if s.down } down%{ endif } slow_start=0;
%{ endfor ~}
%{ if length(up.servers) == 0 ~}
  server 127.0.0.1:1 down;
%{ endif ~}
}
%{ endif ~}
%{ endfor ~}
`

// templated makes a stack whose template is the given text.
func templated(t *testing.T, e *edge, text string) *moduletest.Stack {
	t.Helper()
	s := e.stack(t, "http.d/web.conf", `template = "${path.root}/edge.tpl"`, `allow_host_names = false`, `service_names = ["web", "idle"]`)
	s.Write(t, "edge.tpl", []byte(text))
	return s
}

func TestTemplateWritesTheFile(t *testing.T) {
	e := newEdge(t)
	s := templated(t, e, strings.ReplaceAll(mapped, " slow_start=0", " max_conns=9"))
	a, b := moduletest.Backend(t, "a"), moduletest.Backend(t, "b")
	api := moduletest.Instance{Name: "api", Address: "::1", Port: 81, Meta: map[string]string{"weight": "7"}}
	s.Give(t, a, api, api.With(func(i *moduletest.Instance) { i.Status = "critical" }))
	s.Apply(t)
	s.Settled(t)
	serves(t, "http", e.web, "a")
	want := fmt.Sprintf(`# Upstreams from Consul. Written by Terraform: the next run overwrites changes.
# api has 2
upstream api {
  zone api 1m;
  server [::1]:81 weight=7 max_conns=9;
  server [::1]:81 weight=7 down max_conns=9;
}
# idle has 0
upstream idle {
  zone idle 1m;
  server 127.0.0.1:1 down;
}
upstream web {
  zone web 65k;
  server %s weight=1 max_fails=1 fail_timeout=10s;
}
`, a.HostPort())
	if got := e.read(t, "http.d/web.conf"); got != want {
		t.Errorf("file:\n%s\nwant:\n%s", got, want)
	}

	s.Write(t, "edge.tpl", []byte(strings.ReplaceAll(mapped, " slow_start=0", " max_conns=8")))
	s.Give(t, b, api)
	s.Apply(t)
	serves(t, "http", e.web, "b")
	s.Write(t, "edge.tpl", []byte(strings.ReplaceAll(mapped, " slow_start=0", " max_conns=7")))
	s.Apply(t)
	if got := e.read(t, "http.d/web.conf"); !strings.Contains(got, "max_conns=7") {
		t.Errorf("a change of the template alone did not reach the file:\n%s", got)
	}
	s.Settled(t)
}

func TestTemplateThatNginxRefusesChangesNothing(t *testing.T) {
	e := newEdge(t)
	s := templated(t, e, mapped) // NGINX of the open source has no slow_start
	before := e.read(t, "http.d/web.conf")
	s.Give(t, moduletest.Backend(t, "a"), moduletest.Instance{Name: "api", Address: "10.0.0.1", Port: 80})
	said := s.Refused(t)
	for _, want := range []string{"slow_start", "traffic is untouched", "the next run tries again"} {
		if !strings.Contains(said, want) {
			t.Errorf("the error does not say %q:\n%s", want, said)
		}
	}
	if got := e.read(t, "http.d/web.conf"); got != before {
		t.Errorf("the live file changed:\n%s", got)
	}
	s.Write(t, "edge.tpl", []byte("${nothing.such}"))
	if said := s.Refused(t); !strings.Contains(said, "edge.tpl") {
		t.Errorf("the error of a template that does not work does not name it:\n%s", said)
	}
	s.Write(t, "edge.tpl", []byte(strings.ReplaceAll(mapped, " slow_start=0", "")))
	s.Apply(t)
	serves(t, "http", e.web, "a")
	s.Settled(t)
}

func TestTemplateGetsNothingThatNginxCouldMisread(t *testing.T) {
	e := newEdge(t)
	s := templated(t, e, strings.ReplaceAll(mapped, " slow_start=0", ""))
	good := moduletest.Backend(t, "good")
	all := []moduletest.Instance{good}
	for _, garbage := range []string{"x\n} evil on; #", "; evil on;", "${x}", "a\rb", "\"", "\x00", " ", strings.Repeat("y", 5000), "x;{"} {
		all = append(all,
			moduletest.Instance{Name: garbage, Address: "127.0.0.1", Port: 9, Status: "passing", Meta: map[string]string{"weight": garbage}},
			good.With(func(i *moduletest.Instance) { i.Address = garbage }))
	}
	s.Give(t, all...)
	s.Apply(t)
	serves(t, "http", e.web, "good")
	s.Settled(t)
	if got := e.read(t, "http.d/web.conf"); strings.Contains(got, "evil on") {
		t.Errorf("hostile text reached the file:\n%s", got)
	}
}
