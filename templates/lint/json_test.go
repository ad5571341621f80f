package lint_test

import (
	"errors"
	"testing"
	"testing/fstest"

	"patchbay/templates"
	"patchbay/templates/lint"

	"github.com/google/go-cmp/cmp"
)

const inJSON = `{
  "variable": {
    "services": { "type": "map(object({ name = string, ttl = number }))" },
    "pools": { "type": "map(string)", "default": { "a": "b" }, "description": "Pools by name." },
    "pin": { "type": "string", "sensitive": true }
  },
  "locals": { "all": "${var.services}" },
  "provider": { "fw": {} },
  "resource": {
    "fw_member": {
      "m": {
        "for_each": "${local.all}",
        "address": "${each.value.address}",
        "at": "${timestamp()}"
      }
    },
    "terraform_data": {
      "x": {
        "input": "${var.services}",
        "provisioner": [
          { "local-exec": { "command": "put ${self.input}" } }
        ]
      }
    }
  },
  "output": { "members": { "value": "${fw_member.m}", "description": "What exists." } }
}
`

func TestJSONSyntaxIsJudgedAsHCL(t *testing.T) {
	m := read(t, map[string]string{"main.tf.json": inJSON})
	want := []string{
		"main.tf.json:0:0 warning no-pin",
		"main.tf.json:3:27 error unknown-attribute",
		"main.tf.json:8:23 warning provider-block",
		"main.tf.json:11:12 warning no-pin",
		"main.tf.json:12:9 warning per-instance",
		"main.tf.json:14:18 error never-idempotent",
		"main.tf.json:21:27 warning no-timeout",
		"main.tf.json:21:40 error shell-text",
	}
	if diff := cmp.Diff(want, places(m)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	variables := []lint.Variable{
		{Name: "services", Type: "map(object({ name = string, ttl = number }))", Required: true},
		{Name: "pin", Type: "string", Required: true, Sensitive: true},
		{Name: "pools", Type: "map(string)", Default: `{ "a": "b" }`, Description: "Pools by name."},
	}
	if diff := cmp.Diff(variables, m.Variables()); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}
}

func TestAModuleTellsWhatItDeclares(t *testing.T) {
	m := read(t, map[string]string{"versions.tf": head["variables.tf"], "main.tf": `
variable "zone" {
  description = "Zone of the ${"$"}{name}."
  type        = object({ a = optional(string, "x") })
  default     = { a = "y" }
}
variable "token" {
  sensitive = true
}
output "skipped" { value = [] }
output "objects" {
  value       = {}
  description = "What exists."
}
`})
	got := m.Variables()
	if len(got) != 3 || got[0].Name != "services" || !got[0].Required {
		t.Fatalf("variables = %+v, want services first of 3", got)
	}
	want := []lint.Variable{
		{Name: "token", Type: "any", Required: true, Sensitive: true},
		{Name: "zone", Type: `object({ a = optional(string, "x") })`, Default: `{ a = "y" }`, Description: "Zone of the ${name}."},
	}
	if diff := cmp.Diff(want, got[1:]); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]lint.Output{{Name: "objects", Description: "What exists."}, {Name: "skipped"}}, m.Outputs()); diff != "" {
		t.Errorf("outputs (-want +got):\n%s", diff)
	}
	needs := lint.Needs{Terraform: ">= 1.4.0", Providers: []lint.Provider{{Name: "fw", Source: "acme/fw", Version: ">= 1.0"}}}
	if diff := cmp.Diff(needs, m.Needs()); diff != "" {
		t.Errorf("needs (-want +got):\n%s", diff)
	}
}

func TestADirectoryWithoutAModuleIsRefused(t *testing.T) {
	if _, err := lint.Read(fstest.MapFS{"README.md": {}, "tests/main.tf": {}, ".hidden.tf": {}}); !errors.Is(err, lint.ErrNoModule) {
		t.Errorf("err = %v, want ErrNoModule", err)
	}
}

func FuzzReadNeverFails(f *testing.F) {
	f.Add([]byte(inJSON), true)
	for _, name := range []string{"main.tf", "instances.tf", "canary.tf", "variables.tf"} {
		files, _ := templates.Builtin("nginx")
		f.Add(files[name], false)
	}
	f.Add([]byte(`terraform { required_providers { a = { 1 = 2, (b) = "c" } } }`), false)
	f.Add([]byte(`variable services { type = map(object({ "a" = string })) }`), false)
	f.Fuzz(func(t *testing.T, content []byte, asJSON bool) {
		name := "main.tf"
		if asJSON {
			name = "main.tf.json"
		}
		m, err := lint.Read(fstest.MapFS{name: {Data: content}})
		if err != nil {
			t.Fatal(err)
		}
		for _, finding := range m.Findings() {
			if finding.File != name || finding.What == "" {
				t.Errorf("finding %+v", finding)
			}
		}
		m.Variables()
		m.Outputs()
		m.Needs()
	})
}
