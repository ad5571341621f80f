package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheLegacyNameHasTheDefaultsOfConsulTerraformSync(t *testing.T) {
	type defaults struct{ ID, Address, Service, KVPath, WorkingDir string }
	load := func(text string, legacy bool) defaults {
		t.Helper()
		o, r := testOptions("/work", nil), newReport()
		o.Legacy = legacy
		cfg := build([]source{{"a.hcl", []byte(text)}}, o, r)
		if err := r.err(); err != nil {
			t.Fatal(err)
		}
		return defaults{cfg.ID, cfg.API.Address, cfg.Consul.Registration.Name, cfg.Consul.KVPath, cfg.WorkingDir}
	}
	const set = "id = \"a\"\napi { address = \"::1\" }\nconsul {\n service_registration {\n service_name = \"s\"\n }\n}\n"
	for name, c := range map[string]struct{ got, want defaults }{
		"own":        {load("", false), defaults{"patchbay-host", "127.0.0.1", "patchbay", "consul-terraform-sync/", "/work/sync-tasks"}},
		"legacy":     {load("", true), defaults{"cts-host", "", "consul-terraform-sync", "consul-terraform-sync/", "/work/sync-tasks"}},
		"own set":    {load(set, false), defaults{"a", "::1", "s", "consul-terraform-sync/", "/work/sync-tasks"}},
		"legacy set": {load(set, true), defaults{"a", "::1", "s", "consul-terraform-sync/", "/work/sync-tasks"}},
	} {
		if d := cmp.Diff(c.want, c.got); d != "" {
			t.Errorf("%s: want (-), got (+):\n%s", name, d)
		}
	}
}
