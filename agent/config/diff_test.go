package config

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"patchbay/tasks"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const beforeReload = `
port = 1
consul { token = "hunter2" }
terraform_provider "a" { p = "hunter2" }
terraform_provider "gone" {}
task {
  name   = "stays"
  module = "m/m/m"
  condition "services" { names = ["a"] }
}
task {
  name   = "changes"
  module = "m/m/m"
  condition "services" { names = ["a"] }
  variables = { a = 1 }
}
task {
  name   = "goes"
  module = "m/m/m"
  condition "services" { names = ["a"] }
}
`

const afterReload = `
# one line more
port = 2
log_level = "DEBUG"
buffer_period { min = "1s" }
api { token = "hunter2" }
consul {
  address = "http://user:hunter2@c"
  token   = "hunter22"
}
vault {
  address = "http://v"
  token   = "hunter2"
}
driver "terraform" {
  backend "local" {}
  required_providers { x = "1.0" }
}
terraform_provider "a" {
  p        = "hunter22"
  task_env = { X = "hunter2" }
}
terraform_provider "b" { alias = "c" }
task {
  name   = "comes"
  module = "m/m/m"
  condition "schedule" { cron = "@daily" }
}
task {
  name   = "stays"
  module = "m/m/m"
  buffer_period { enabled = true }
  condition "services" { names = ["a"] }
}
task {
  name   = "changes"
  module = "n/n/n"
  condition "services" { names = ["b"] }
  variables = { a = 2 }
  guard { max_destroys = 0 }
}
`

func TestAReloadIsToldInPlainSentencesWithoutSecrets(t *testing.T) {
	got := Diff(baseOf(t, beforeReload), baseOf(t, afterReload))
	want := []string{
		"log_level changes from INFO to DEBUG; restart the agent for it",
		"port changes from 1 to 2; restart the agent for it",
		"buffer_period changes",
		"api.token changes; restart the agent for it",
		"consul.address changes; restart the agent for it",
		"consul.token changes; restart the agent for it",
		"vault changes",
		"driver.terraform.backend changes from consul to local",
		"driver.terraform.required_providers changes",
		"terraform_provider a changes: arguments, task_env",
		"terraform_provider b.c is new",
		"terraform_provider gone is gone",
		"task comes is new",
		"task stays changes: buffer_period",
		"task changes changes: buffer_period, condition, guard, module, variables",
		"task goes is gone; what it made stays",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("want (-), got (+):\n%s", d)
	}
	if strings.Contains(strings.Join(got, "\n"), secretText) {
		t.Error("a secret is shown")
	}
}

func TestTheSameConfigurationHasNoDifference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := asHCL(drawConfig(t))
		load := func(text string) Config {
			return build([]source{{"a.hcl", []byte(text)}}, testOptions("/work", nil), newReport())
		}
		if d := Diff(load(text), load("# a comment\n"+text)); d != nil {
			t.Fatalf("%q of\n%s", d, text)
		}
	})
}

func TestEverySettingThatChangesIsTold(t *testing.T) {
	var quiet []string
	var walk func(v reflect.Value, path string, tell func(path string))
	base := baseOf(t, "")
	walk = func(v reflect.Value, path string, tell func(string)) {
		for i := range v.NumField() {
			name, f := path+v.Type().Field(i).Name, v.Field(i)
			switch f.Kind() {
			case reflect.Struct:
				if f.NumField() > 0 && v.Type().Field(i).IsExported() && f.Type().Name() != "Secret" {
					walk(f, name+".", tell)
				}
			case reflect.Bool:
				f.SetBool(!f.Bool())
				tell(name)
				f.SetBool(!f.Bool())
			case reflect.String:
				old := f.String()
				f.SetString(old + "x")
				tell(name)
				f.SetString(old)
			case reflect.Int, reflect.Int64:
				f.SetInt(f.Int() + 1)
				tell(name)
				f.SetInt(f.Int() - 1)
			}
		}
	}
	changed := baseOf(t, "")
	seen := 0
	walk(reflect.ValueOf(&changed).Elem(), "", func(path string) {
		seen++
		if len(Diff(base, changed)) != 1 {
			quiet = append(quiet, path)
		}
	})
	slices.Sort(quiet)
	if len(quiet) > 0 || seen < 50 {
		t.Errorf("of %d settings not told once: %q", seen, quiet)
	}
}

func TestARotatedTokenFileIsNoChangeOfTheConfiguration(t *testing.T) {
	a, b := baseOf(t, ""), baseOf(t, "")
	a.Consul.TokenFile, b.Consul.TokenFile = "/token", "/token"
	b.Consul.Token = tasks.NewSecret(secretText)
	if got := Diff(a, b); got != nil {
		t.Errorf("got %q", got)
	}
	b.Consul.TokenFile = "/other"
	if d := cmp.Diff([]string{"consul.token changes", "CONSUL_HTTP_TOKEN_FILE changes"}, Diff(a, b)); d != "" {
		t.Errorf("another file: %s", d)
	}
	b.Consul.Address = "other"
	if d := cmp.Diff([]string{"consul.address", "consul.token", "CONSUL_HTTP_TOKEN_FILE"}, Restarts(a, b)); d != "" {
		t.Errorf("another Consul: %s", d)
	}
}

func TestAnEmptyTokenFileMayHoldATokenLater(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"CONSUL_HTTP_TOKEN_FILE": file, "CONSUL_HTTP_TOKEN": "other"}
	got := build([]source{{"a.hcl", nil}}, testOptions("/work", env), newReport()).Consul
	if got.TokenFile != file || got.Token.Reveal() != "other" {
		t.Errorf("file %q, token %q; want both", got.TokenFile, got.Token.Reveal())
	}
}
