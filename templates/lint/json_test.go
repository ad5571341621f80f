package lint_test

import (
	"testing"
	"testing/fstest"

	"patchbay/templates"
	"patchbay/templates/lint"
	"patchbay/templates/source"

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
}

func FuzzEveryFindingIsWhole(f *testing.F) {
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
		m, err := source.Read(fstest.MapFS{name: {Data: content}})
		if err != nil {
			t.Fatal(err)
		}
		for _, finding := range lint.Findings(m) {
			if finding.File != name || finding.What == "" {
				t.Errorf("finding %+v", finding)
			}
		}
	})
}
