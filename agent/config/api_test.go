package config

import (
	"errors"
	"strings"
	"testing"
	"time"

	"patchbay/tasks"
	"patchbay/tasks/catalog"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"
)

// baseOf gives the Config of one file.
func baseOf(t testing.TB, text string) Config {
	t.Helper()
	r := newReport()
	cfg := build([]source{{"a.hcl", []byte(text)}}, testOptions("/work", nil), r)
	if err := r.err(); err != nil {
		t.Fatal(err)
	}
	return cfg
}

const globals = "buffer_period {\n  min = \"2s\"\n  max = \"30s\"\n}\nguard {\n  max_destroys = 3\n}\n"

var compareTasks = cmp.Options{cmp.Comparer(func(a, b cty.Value) bool { return a.RawEquals(b) })}

func TestATaskOfTheAPIIsTheSameAsOneOfAFile(t *testing.T) {
	const more = `"name":"t","module":"m/m/m"`
	for name, c := range map[string]struct{ api, file string }{
		"least": {`{` + more + `,"condition":{"services":{"names":["a"]}}}`, block(`condition "services"`, `names = ["a"]`)},
		"everything": {`{` + more + `,"description":"d","version":"1.0.0","enabled":false,"providers":["p"],"variables":{"a":"\"x\"","b":"[1]"},
			"buffer_period":{"enabled":true,"min":"3s","max":"1m0s"},"module_input":{"services":{"regexp":"^a\\d"},"nodes":{"node_meta":{"r":"1"}}},
			"condition":{"consul_kv":{"path":"/a","recurse":true,"datacenter":"d","namespace":"n","use_as_module_input":false}}}`,
			`description = "d"
			version = "1.0.0"
			enabled = false
			providers = ["p"]
			variables = { a = "\"x\"", b = "[1]" }
			buffer_period {
				min = "3s"
				max = "1m0s"
			}
			module_input "services" { regexp = "^a\\d" }
			module_input "nodes" { node_meta = { r = 1 } }
			condition "consul-kv" {
				path = "a"
				recurse = true
				datacenter = "d"
				namespace = "n"
				use_as_module_input = false
			}`},
		"schedule": {`{` + more + `,"condition":{"schedule":{"cron":"@daily"}},"module_input":{}}`, block(`condition "schedule"`, `cron = "@daily"`)},
		"names of services": {`{` + more + `,"condition":{"catalog_services":{"regexp":"","node_meta":{"a_b":"c"}}},"module_input":{"consul_kv":{"path":"k"}}}`,
			block(`condition "catalog-services"`, "regexp = \"\"\n node_meta = { a_b = \"c\" }") + "\n" + block(`module_input "consul-kv"`, `path = "k"`)},
		"others beside one selection": {`{` + more + `,"condition":{"services":{"names":["a"],"datacenter":"d","others":[{"names":["b"],"filter":"Service.Port == 1"},{"names":["a"]}]}}}`,
			"services = [\"x\", \"y\", \"a\"]\n}\n" + block("service", "id = \"x\"\n name = \"a\"\n datacenter = \"d\"") + "\nservice {\n id = \"y\"\n name = \"b\"\n filter = \"Service.Port == 1\""},
		"a buffer with min alone": {`{` + more + `,"condition":{"nodes":{}},"buffer_period":{"min":"1s"}}`, "condition \"nodes\" {}\n" + block("buffer_period", `min = "1s"`)},
		"a buffer with max alone": {`{` + more + `,"condition":{"nodes":{}},"buffer_period":{"max":"1m"}}`, "condition \"nodes\" {}\n" + block("buffer_period", `max = "1m"`)},
		"a buffer without values": {`{` + more + `,"condition":{"nodes":{}},"buffer_period":{}}`, `condition "nodes" {}`},
		"a buffer that is off":    {`{` + more + `,"condition":{"nodes":{}},"buffer_period":{"enabled":false}}`, "condition \"nodes\" {}\n" + block("buffer_period", `enabled = false`)},
	} {
		t.Run(name, func(t *testing.T) {
			want := baseOf(t, globals+inTask(c.file)).Tasks[0]
			want.Position, want.OldServices = "", nil // what only a file says
			got, err := TaskFromAPI([]byte(c.api), baseOf(t, globals), testOptions("/work", nil))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, got, compareTasks); d != "" {
				t.Errorf("of the file (-), of the API (+):\n%s", d)
			}
		})
	}
}

func TestATaskOfTheAPIInheritsFromTheBase(t *testing.T) {
	base := baseOf(t, globals+inTask(`working_dir = "elsewhere"`))
	got, err := TaskFromAPI([]byte(`{"name":"u","module":"builtin/nginx","condition":{"services":{"regexp":"a"}}}`), base, testOptions("/work", nil))
	want := tasks.Task{Name: "u", Enabled: true, Module: "builtin/nginx", WorkingDir: "/work/sync-tasks/u",
		Condition: tasks.Condition{Services: &tasks.Services{Selector: catalog.Selector{Regexp: "a"}}, UseAsModuleInput: true},
		Variables: map[string]cty.Value{},
		Buffer:    tasks.Buffer{Enabled: true, Min: 2 * time.Second, Max: 30 * time.Second}, Guard: tasks.Guard{MaxDestroys: 3}}
	if d := cmp.Diff(want, got, compareTasks); d != "" || err != nil {
		t.Errorf("error %v, want (-), got (+):\n%s", err, d)
	}
	if len(base.Tasks) != 1 || base.Tasks[0].Name != "t" {
		t.Errorf("the base has changed: %+v", base.Tasks)
	}
}

func TestATaskOfTheAPIMayReplaceOneOfItsName(t *testing.T) {
	base := baseOf(t, inTask(block(`condition "services"`, `names = ["a"]`)))
	if _, err := TaskFromAPI([]byte(`{"name":"t","module":"m/m/m","condition":{"nodes":{}}}`), base, testOptions("/work", nil)); err != nil {
		t.Error(err)
	}
	base.Tasks[0].WorkingDir = "/work/sync-tasks/u"
	_, err := TaskFromAPI([]byte(`{"name":"u","module":"m/m/m","condition":{"nodes":{}}}`), base, testOptions("/work", nil))
	if err == nil || !strings.Contains(err.Error(), "tasks t and u have the same working_dir") {
		t.Errorf("error = %v, want one about the directory", err)
	}
}

func TestWrongTasksOfTheAPIAreRefusedWithAllProblems(t *testing.T) {
	with := func(members string) string {
		return `{"name":"t","module":"m/m/m","condition":{"services":{"names":["a"]}},` + members + `}`
	}
	on := func(condition string) string { return `{"name":"t","module":"m/m/m","condition":` + condition + `}` }
	for body, want := range map[string][]string{
		``:   {"request:1:1: the JSON ends too early"},
		`[]`: {"request:1:1: the file must be one JSON object"},
		`{}`: {`property "name" is missing`, `property "module" is missing`, `property "condition" is missing`},
		`{"name":1,"module":"m/m/m","condition":[],"x":1}`:                             {"request:1:9: value must be a string", "request:1:40: value must be an object", `request:1:43: property "x" is unsupported`},
		`{"name":"1","module":"builtin/no","condition":{}}`:                            {"request:1:47: condition is empty", "a task name must start with", `no module "no" is built in`},
		on(`{"services":{"names":["a"]},"schedule":{"cron":"@daily"}}`):                {"only one 'condition' block can be configured"},
		on(`{"services":{"names":["a"],"regexp":""}}`):                                 {"regexp and names fields cannot both be configured"},
		on(`{"services":{}}`):                                                          {"either the regexp or names field must be configured"},
		on(`{"catalog-services":{"regexp":""}}`):                                       {`property "catalog-services" is unsupported`},
		on(`{"catalog_services":{}}`):                                                  {`property "regexp" is missing`},
		on(`{"consul_kv":{"path":""}}`):                                                {"path is required for consul-kv condition"},
		on(`{"schedule":{"cron":"x","datacenter":"d"}}`):                               {`property "datacenter" is unsupported`, "unable to parse cron"},
		on(`{"services":{"regexp":"("}}`):                                              {"unable to compile services regexp"},
		with(`"buffer_period":{"min":5}`):                                              {"value must be a string"},
		with(`"buffer_period":{"min":"5"}`):                                            {"min must be a duration"},
		with(`"buffer_period":{"max":"-5s"}`):                                          {"buffer_period: cannot be negative"},
		with(`"enabled":"true"`):                                                       {"value must be a boolean"},
		with(`"Enabled":true`):                                                         {`property "Enabled" is unsupported`},
		with(`"working_dir":"x"`):                                                      {`property "working_dir" is unsupported`},
		with(`"variable_files":["x"]`):                                                 {`property "variable_files" is unsupported`},
		with(`"providers":"aws"`):                                                      {"value must be an array"},
		with(`"providers":["p.x"]`):                                                    {"no terraform_provider block is p.x"},
		with(`"variables":{"a":"f()"}`):                                                {"only literal values are read"},
		with(`"variables":{"a":1}`):                                                    {"value must be a string"},
		with(`"module_input":{"services":{"names":["b"],"use_as_module_input":true}}`): {`property "use_as_module_input" is unsupported`, "both monitor"},
		with(`"module_input":{"schedule":{"cron":"@daily"}}`):                          {`property "schedule" is unsupported`},
		with(`"description":"{{ env \"X\" }}"`):                                        {"dynamic configuration using template syntax is only supported for terraform_provider blocks"},
		with(`"terraform_version":"1.0.0"`):                                            {"'terraform_version' is not supported yet"},
		with(`"description":null`):                                                     {"null is not supported"},
		strings.Repeat("[", 1000):                                                      {"nested too deeply"},
		"{\"name\":\"\xff\"}":                                                          {"bytes that are not UTF-8"},
		strings.Repeat(" ", maxFile+1):                                                 {"the body is too large"},
	} {
		got, err := TaskFromAPI([]byte(body), baseOf(t, ""), testOptions("/work", nil))
		var list *Error
		if !errors.As(err, &list) || got.Name != "" {
			t.Errorf("%.80s: task %q, error %v", body, got.Name, err)
			continue
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%.80s: %v lacks %q", body, err, w)
			}
		}
		if len(list.Problems) != len(want) {
			t.Errorf("%.80s: %d problems, want %d: %v", body, len(list.Problems), len(want), err)
		}
	}
}

func FuzzTaskFromAPI(f *testing.F) {
	f.Add([]byte(`{"name":"t","module":"m/m/m","condition":{"consul_kv":{"path":"a"}},"module_input":{"services":{"names":["b"]}},"buffer_period":{"min":"1s"}}`))
	f.Add([]byte(`{"name":"t","module":"./x","condition":{},"condition":{"schedule":{"cron":"@daily"}},"variables":{"a":"[1]"}}`))
	base, dir := baseOf(f, globals), f.TempDir()
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := TaskFromAPI(body, base, testOptions(dir, nil))
		var list *Error
		switch {
		case err == nil && (!taskName.MatchString(got.Name) || got.Module == "" || got.Condition == tasks.Condition{} || got.Buffer.Min > got.Buffer.Max):
			t.Errorf("task %+v", got)
		case err != nil && (!errors.As(err, &list) || len(list.Problems) == 0):
			t.Errorf("error of type %T without problems", err)
		}
	})
}
