package haproxy_test

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
	plain := moduletest.New(t, "haproxy", `service_names = ["web"]`)
	plans := map[string]any{}
	for sentence, services := range map[string][]moduletest.Instance{
		"no instance":         nil,
		"one instance":        {one},
		"two instances":       moduletest.Instances("web", 2),
		"a hundred instances": moduletest.Instances("web", 100),
		"a duplicate address": {one, one},
		"an IPv6 address":     {one.With(func(i *moduletest.Instance) { i.Address = "2001:DB8:0::1" })},
		"odd names":           {named("Web.API"), named("a b\n  server x"), named("${x}"), named("")},
	} {
		plain.Give(t, services...)
		plans[sentence] = plain.Planned(t)
	}
	full := moduletest.New(t, "haproxy", `stats_socket = "127.0.0.1:9999"`, `balance = "hdr(Host)"`, `check = "/health"`, `mode = "http"`,
		`server_options = "maxconn 100"`, `backend_lines = ["option redispatch"]`, `defaults_from = "edge"`, `backend_prefix = "b-"`)
	full.Give(t, one)
	plans["all settings"] = full.Planned(t)
	moduletest.Golden(t, "testdata/plans.json", *update, plans)
}

func TestModuleIsFormattedAndValid(t *testing.T) {
	s := moduletest.New(t, "haproxy")
	if out, err := s.Run("fmt", "-check", "-diff", "haproxy"); err != nil {
		t.Errorf("fmt: %v:\n%s", err, out)
	}
	s.Must(t, "validate")
}
