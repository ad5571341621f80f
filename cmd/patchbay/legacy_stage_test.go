package main

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestTheLogOfTheOldNameTellsInWhichStageAConfigurationFailed(t *testing.T) {
	task := func(text string) string {
		return "task {\n  name = \"web\"\n  module = \"m/m/m\"\n" + text + "\n}\n"
	}
	condition := func(kind, text string) string { return task("condition \"" + kind + "\" {\n" + text + "\n}") }
	for sentence, c := range map[string]struct{ text, stage, told string }{
		"a file that is not there":         {"", building, "cannot read configuration"},
		"a text that is no HCL":            {"task {", building, ""},
		"an unknown key":                   {"colour = \"red\"", building, "has invalid keys: colour"},
		"a block twice":                    {"consul {}\nconsul {}", building, "only one 'consul' block"},
		"a word that is no number":         {"port = \"many\"", building, "port must be a whole number"},
		"an unknown kind of condition":     {condition("weather", ""), building, "unsupported condition type"},
		"a variable file that is not here": {task("variable_files = [\"no.tfvars\"]\ncondition \"schedule\" {\n cron = \"@daily\"\n}"), finalizing, "cannot read variable file"},
		"a variable that is no value":      {task("variables = { a = \"[\" }\ncondition \"schedule\" {\n cron = \"@daily\"\n}"), finalizing, "variable a"},
		"a log level that is none":         {"log_level = \"LOUD\"", validating, "Invalid log level"},
		"TLS without certificate":          {"tls {\n  enabled = true\n}", validating, "key and cert are required"},
		"a negative buffer":                {"buffer_period {\n  min = \"-1s\"\n}", validating, "cannot be negative"},
		"a version that is not exact":      {"driver \"terraform\" {\n  version = \"1.2\"\n}", validating, "provide the exact Terraform version"},
		"a backend that is none":           {"driver \"terraform\" {\n  backend \"paper\" {}\n}", validating, "unsupported Terraform backend"},
		"a task without name":              {"task {\n  module = \"m/m/m\"\n}", validating, "unique name for the task"},
		"a task's name with a space":       {"task {\n  name = \"a b\"\n  module = \"m/m/m\"\n}", validating, "a task name must start"},
		"two tasks of a name":              {condition("schedule", "cron = \"@daily\"") + condition("schedule", "cron = \"@daily\""), validating, "duplicate task name"},
		"a task without module":            {"task {\n  name = \"web\"\n}", validating, "module for the task is required"},
		"a module that is not here":        {"task {\n  name = \"web\"\n  module = \"./no\"\n}", validating, "cannot read module"},
		"a bad regexp":                     {condition("services", "regexp = \"[\""), validating, "unable to compile services regexp"},
		"a bad filter":                     {condition("services", "names = [\"a\"]\nfilter = \"no\""), validating, "unable to use the services filter"},
		"no names and no regexp":           {condition("services", ""), validating, "either the regexp or names"},
		"no path":                          {condition("consul-kv", ""), validating, "path is required for consul-kv"},
		"no cron":                          {condition("schedule", ""), validating, "cron config is required"},
		"a bad cron":                       {condition("schedule", "cron = \"often\""), validating, "unable to parse cron"},
		"an input twice":                   {condition("services", "names = [\"a\"]\n}\nmodule_input \"services\" {\n names = [\"b\"]"), validating, "task's condition block and module_input"},
		"an alias twice":                   {strings.Repeat("terraform_provider \"aws\" {\n  alias = \"a\"\n}\n", 2), validating, "duplicate provider configuration"},
		"a template where none may be":     {"id = \"{{ env `X` }}\"", validating, "dynamic configuration using template syntax"},
		"Vault without its block":          {"terraform_provider \"aws\" {\n  a = \"{{ with secret `x` }}{{ .Data.y }}{{ end }}\"\n}", validating, "detected dynamic configuration using Vault"},
		"the first of several counts":      {"colour = \"red\"\nlog_level = \"LOUD\"", building, "Invalid log level"},
		"the second before the third":      {"log_level = \"LOUD\"\n" + task("variables = { a = \"[\" }\ncondition \"schedule\" {\n cron = \"@daily\"\n}"), finalizing, "Invalid log level"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Chdir(t.TempDir())
			if c.text != "" {
				if err := os.WriteFile("cts.hcl", []byte(c.text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var stdout, stderr strings.Builder
			code := run([]string{filepath.Join("bin", legacyName), "start", "-config-file=cts.hcl"}, &stdout, &stderr)
			if code != exitConfig || stdout.Len() > 0 {
				t.Errorf("exit code %d, standard output %q", code, stdout.String())
			}
			line := regexp.MustCompile(`(?m)^\S+ \[ERROR\] cli: error ` + c.stage + ` configuration:( error=|$)`)
			if !line.MatchString(stderr.String()) || !strings.Contains(stderr.String(), c.told) {
				t.Errorf("want %s and %q in:\n%s", c.stage, c.told, stderr.String())
			}
		})
	}
}

func TestAConfigurationThatFailsForAnotherReasonFailedWhileItWasBuilt(t *testing.T) {
	if got := stage(errors.New("find working directory: gone")); got != building {
		t.Errorf("got %s", got)
	}
}
