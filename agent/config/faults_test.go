package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"patchbay/tasks"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"
)

// loadFiles reads files of a new directory in the order of their names.
func loadFiles(t *testing.T, env map[string]string, files map[string]string) (Config, error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		write(t, dir, "conf/"+name, text)
	}
	return Load([]string{"conf"}, testOptions(dir, env))
}

// mustLoad is loadFiles of what must be right.
func mustLoad(t *testing.T, env map[string]string, files map[string]string) Config {
	t.Helper()
	cfg, err := loadFiles(t, env, files)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestNamesPathsAndFiltersAreTakenAsTheyAreWritten(t *testing.T) {
	cfg := mustLoad(t, nil, map[string]string{"a.hcl": inTask(`
condition "consul-kv" { path = "a\\b/\"c\"/${d}" }
module_input "services" {
  names  = ["a\\b", "q\"uote", "${x}", "%{y}"]
  filter = "Service.Meta.a == \"${x}\""
}`)})
	task := cfg.Tasks[0]
	if got, want := task.Condition.ConsulKV.Path, `a\b/"c"/${d}`; got != want {
		t.Errorf("path = %s, want %s", got, want)
	}
	if diff := cmp.Diff([]string{`a\b`, `q"uote`, "${x}", "%{y}"}, task.ModuleInputs[0].Services.Names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if got, want := task.ModuleInputs[0].Services.Filter, `Service.Meta.a == "${x}"`; got != want {
		t.Errorf("filter = %s, want %s", got, want)
	}
}

func TestAModuleInputIsCheckedAsAConditionIs(t *testing.T) {
	for name, c := range map[string]struct{ kind, line, told string }{
		"services without names and regexp": {"services", "", "either the regexp or names field must be configured"},
		"services with both":                {"services", "names = [\"a\"]\n regexp = \"\"", "regexp and names fields cannot both be configured"},
		"services with an empty name":       {"services", `names = ["a", ""]`, "names field includes empty string(s)"},
		"services with a bad regexp":        {"services", `regexp = "("`, "unable to compile services regexp"},
		"services with a bad filter":        {"services", "regexp = \"\"\n filter = \"Service.Port ==\"", "unable to use the services filter"},
		"a key without path":                {"consul-kv", "", "path is required for consul-kv"},
		"a key with an empty path":          {"consul-kv", `path = ""`, "path is required for consul-kv"},
		"nodes with a bad regexp":           {"nodes", `regexp = "["`, "unable to compile nodes regexp"},
		"an attribute that nobody knows":    {"services", `nmaes = ["a"]`, "invalid keys: nmaes"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, block := range []string{"condition", "module_input"} {
				_, err := loadFiles(t, nil, map[string]string{"a.hcl": inTask(fmt.Sprintf("%s %q {\n %s\n}", block, c.kind, c.line))})
				var list *Error
				if !errors.As(err, &list) || !strings.Contains(err.Error(), c.told) {
					t.Errorf("%s: error = %v, want one with %q", block, err, c.told)
				}
			}
		})
	}
}

func TestATaskWithoutConditionIsTakenWithAWarning(t *testing.T) {
	cfg := mustLoad(t, nil, map[string]string{"a.hcl": inTask("")})
	if len(cfg.Tasks) != 1 || !slices.ContainsFunc(cfg.Warnings, func(w string) bool {
		return strings.Contains(w, "condition") && strings.HasPrefix(w, "conf/a.hcl:1:1: ")
	}) {
		t.Errorf("tasks = %+v, warnings = %q", cfg.Tasks, cfg.Warnings)
	}
}

func TestTwoTypesInOneModuleInputOfJSONAreBothKept(t *testing.T) {
	for name, input := range map[string]string{
		"one object":        `{"services":{"names":["a"]},"consul-kv":{"path":"k"}}`,
		"a list of objects": `[{"services":{"names":["a"]}},{"consul-kv":{"path":"k"}}]`,
	} {
		t.Run(name, func(t *testing.T) {
			cfg := mustLoad(t, nil, map[string]string{"a.json": `{"task":{"name":"t","module":"m/m/m","condition":{"schedule":{"cron":"@daily"}},"module_input":` + input + `}}`})
			var services, keys int
			for _, in := range cfg.Tasks[0].ModuleInputs {
				if in.Services != nil && slices.Equal(in.Services.Names, []string{"a"}) {
					services++
				}
				if in.ConsulKV != nil && in.ConsulKV.Path == "k" {
					keys++
				}
			}
			if services != 1 || keys != 1 {
				t.Errorf("inputs = %+v", cfg.Tasks[0].ModuleInputs)
			}
		})
	}
}

func TestABareNumberIsSecondsWithAWarning(t *testing.T) {
	cfg := mustLoad(t, nil, map[string]string{"a.hcl": "buffer_period {\n min = 7\n}"})
	want := []string{`conf/a.hcl:2:2: min has no unit and is read as seconds; write "7s"`}
	if diff := cmp.Diff(want, cfg.Warnings); diff != "" || cfg.Buffer.Min.Seconds() != 7 {
		t.Errorf("min = %s, warnings (-want +got):\n%s", cfg.Buffer.Min, diff)
	}
}

func TestBothNamesOfTheHighestLevelAreTaken(t *testing.T) {
	for _, level := range []string{"ERR", "ERROR", "err", "Error"} {
		if cfg := mustLoad(t, nil, map[string]string{"a.hcl": fmt.Sprintf("log_level = %q", level)}); cfg.LogLevel != "ERR" {
			t.Errorf("%s gives %s, want ERR", level, cfg.LogLevel)
		}
	}
}

func TestCertificatesOfTheEnvironmentCountWhateverSwitchesTLSOn(t *testing.T) {
	certificates := map[string]string{"CONSUL_CACERT": "/ca.pem", "CONSUL_CLIENT_CERT": "/cert.pem", "CONSUL_CLIENT_KEY": "/key.pem", "CONSUL_TLS_SERVER_NAME": "s"}
	for name, c := range map[string]struct {
		text string
		env  map[string]string
	}{
		"CONSUL_HTTP_SSL":                     {`port = 1`, map[string]string{"CONSUL_HTTP_SSL": "true"}},
		"an https address":                    {`consul { address = "https://c:8501" }`, nil},
		"an https address of the environment": {`port = 1`, map[string]string{"CONSUL_HTTP_ADDR": "https://c:8501"}},
		"the tls block":                       {"consul {\n tls { enabled = true }\n}", nil},
	} {
		t.Run(name, func(t *testing.T) {
			env := map[string]string{}
			for _, m := range []map[string]string{certificates, c.env} {
				for k, v := range m {
					env[k] = v
				}
			}
			cfg := mustLoad(t, env, map[string]string{"a.hcl": c.text})
			want := TLS{Enabled: true, Verify: true, CACert: "/ca.pem", Cert: "/cert.pem", Key: "/key.pem", ServerName: "s"}
			if diff := cmp.Diff(want, cfg.Consul.TLS); diff != "" {
				t.Errorf("tls (-want +got):\n%s", diff)
			}
			attributes := cfg.Driver.Backend.Attributes
			for attribute, value := range map[string]string{"scheme": "https", "ca_file": "/ca.pem", "cert_file": "/cert.pem", "key_file": "/key.pem"} {
				if got := attributes[attribute]; got == cty.NilVal || got.AsString() != value {
					t.Errorf("the default backend has %s = %#v, want %s", attribute, got, value)
				}
			}
		})
	}
}

func TestOneBackendIsTakenFromTwoFilesAndTwoFromNone(t *testing.T) {
	backend := func(kind string) string { return "backend \"" + kind + "\" {}\n" }
	driver := func(inner string) string { return "driver \"terraform\" {\n" + inner + "}\n" }
	cfg := mustLoad(t, nil, map[string]string{"a.hcl": driver(backend("local")), "b.hcl": driver(backend("pg")), "c.hcl": "port = 1"})
	if cfg.Driver.Backend.Type != "pg" {
		t.Errorf("backend = %s, want that of the last file that has one", cfg.Driver.Backend.Type)
	}
	for range 20 { // the order of a map must not matter
		if _, err := loadFiles(t, nil, map[string]string{"a.hcl": driver(backend("local") + backend("pg"))}); err == nil || !strings.Contains(err.Error(), "only one") {
			t.Fatalf("error = %v, want one about two backends", err)
		}
	}
}

func TestVariablesOfFilesMayBeNullOrHoldATemplatesSign(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "vars.tfvars", "nothing = null\ntext = \"$${HOME} %%{if}\"\nlist = [null, \"$${x}\"]\n")
	write(t, dir, "a.hcl", inTask(`variable_files = ["vars.tfvars"]`))
	cfg, err := Load([]string{"a.hcl"}, testOptions(dir, nil))
	if err != nil {
		t.Fatal(err)
	}
	null := cty.NullVal(cty.DynamicPseudoType)
	want := map[string]cty.Value{"nothing": null, "text": cty.StringVal("${HOME} %{if}"), "list": cty.TupleVal([]cty.Value{null, cty.StringVal("${x}")})}
	if diff := cmp.Diff(want, cfg.Tasks[0].Variables, compareTasks); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}
}

func TestTwoTypesInOneConditionOfTheAPIAreRefused(t *testing.T) {
	for name, condition := range map[string]string{
		"none":             `{}`,
		"two types":        `{"services":{"names":["a"]},"consul_kv":{"path":"k"}}`,
		"names and regexp": `{"services":{"names":["a"],"regexp":"b"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			got, err := TaskFromAPI([]byte(`{"name":"t","module":"m/m/m","condition":`+condition+`}`), baseOf(t, ""), testOptions("/work", nil))
			if err == nil || got.Condition != (tasks.Condition{}) {
				t.Errorf("task %+v, error %v", got, err)
			}
		})
	}
}
