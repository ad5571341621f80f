package nginx_test

import (
	"flag"
	"testing"

	"patchbay/templates/internal/moduletest"
)

var update = flag.Bool("update", false, "rewrite golden files")

func TestPlansAreAsTheGoldenFileHasThem(t *testing.T) {
	one := moduletest.Instance{Name: "web", Address: "10.0.0.1", Port: 8080, Status: "passing"}
	named := func(name string) moduletest.Instance {
		return one.With(func(i *moduletest.Instance) { i.Name = name })
	}
	plain := moduletest.New(t, "nginx", `service_names = ["web"]`)
	plans := map[string]any{}
	for sentence, services := range map[string][]moduletest.Instance{
		"no instance":         nil,
		"one instance":        {one},
		"two instances":       moduletest.Instances("web", 2),
		"a hundred instances": moduletest.Instances("web", 100),
		"a duplicate address": {one, one},
		"an IPv6 address":     {one.With(func(i *moduletest.Instance) { i.Address = "2001:db8::1" })},
		"odd names":           {named("Web.API"), named("a;b{}"), named("${x}"), named("")},
	} {
		plain.Give(t, services...)
		plans[sentence] = plain.Planned(t)
	}
	tcp := moduletest.New(t, "nginx", stream, `config_path = "/etc/nginx/stream.d/up.conf"`)
	tcp.Give(t, one)
	plans["a stream upstream"] = tcp.Planned(t)
	far := moduletest.New(t, "nginx", hosts((&machine{addr: "127.0.0.1:22", dir: "/etc", user: "edge"}).host("edge-1", "key", "known")))
	far.Give(t, one)
	plans["a machine reached over SSH"] = far.Planned(t)
	moduletest.Golden(t, "testdata/plans.json", *update, plans)
}

func TestModuleIsFormattedAndValid(t *testing.T) {
	s := moduletest.New(t, "nginx")
	if out, err := s.Run("fmt", "-check", "-diff", "nginx"); err != nil {
		t.Errorf("fmt: %v:\n%s", err, out)
	}
	s.Must(t, "validate")
}
