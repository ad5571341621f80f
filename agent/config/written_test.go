package config

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// inDir writes files into a new directory and gives the options to read there.
func inDir(t *testing.T, files map[string]string) Options {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return Options{WorkDir: dir}
}

func TestTasksAreGivenAsWritten(t *testing.T) {
	o := inDir(t, map[string]string{
		"two.hcl": `
log_level = "INFO"
task {
  name   = "web"
  module = "./not/there"
  enabled = false
  providers = ["fw"]
  condition "services" {
    names = ["web"]
    use_as_module_input = true
  }
  module_input "consul-kv" { path = "a" }
  module_input "services" { regexp = "${x}" }
  buffer_period { min = 5 }
  variables = { zone = "\"dmz\"" }
}
task { name = "other" }
`,
		"one.json": `{"task": {"name": "web", "condition": {"schedule": {"cron": "@hourly"}}}}`,
	})
	want := []map[string]any{{
		"name": "web", "module": "./not/there", "enabled": false, "providers": []any{"fw"},
		"condition": map[string]any{"services": map[string]any{"names": []any{"web"}, "use_as_module_input": true}},
		"module_input": []any{
			map[string]any{"consul-kv": map[string]any{"path": "a"}},
			map[string]any{"services": map[string]any{"regexp": "${x}"}},
		},
		"buffer_period": map[string]any{"min": json.Number("5")}, "variables": map[string]any{"zone": `"dmz"`},
	}, {"name": "other"}}
	for file, want := range map[string][]map[string]any{
		"two.hcl":  want,
		"one.json": {{"name": "web", "condition": map[string]any{"schedule": map[string]any{"cron": "@hourly"}}}},
	} {
		list, err := ReadTasks(file, o)
		if err != nil {
			t.Fatal(err)
		}
		var got []map[string]any
		for _, w := range list {
			got = append(got, w.Fields)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
}

func TestVariablesOfFilesAreExpressions(t *testing.T) {
	o := inDir(t, map[string]string{
		"task.hcl": `task { variable_files = ["a.tfvars", "b.tfvars"] }`,
		"a.tfvars": "zone = \"dmz\"\nports = [80, 443]\n", "b.tfvars": `zone = "lan"`,
		"bad.hcl":  `task { variable_files = ["not_there.tfvars"] }`,
		"none.hcl": `task { name = "web" }`,
	})
	for file, want := range map[string]map[string]string{
		"task.hcl": {"zone": `"lan"`, "ports": "[80, 443]"}, "none.hcl": {},
	} {
		list, err := ReadTasks(file, o)
		if err != nil {
			t.Fatal(err)
		}
		got, err := list[0].FileVariables()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
	list, err := ReadTasks("bad.hcl", o)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := list[0].FileVariables(); err == nil {
		t.Errorf("a file that is not there gave %v", got)
	}
}

func TestAFileThatCannotBeReadHasNoTasks(t *testing.T) {
	o := inDir(t, map[string]string{"bad.hcl": `task {`})
	for _, file := range []string{"bad.hcl", "not_there.hcl"} {
		list, err := ReadTasks(file, o)
		if _, ok := errors.AsType[*Error](err); !ok {
			t.Errorf("%s gave %v and %v", file, list, err)
		}
	}
}
