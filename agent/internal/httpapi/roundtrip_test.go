package httpapi

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"patchbay/agent/config"
	"patchbay/tasks"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/zclconf/go-cty/cty"
)

// shared is what tasks inherit.
var shared = Inherited{Buffer: tasks.Buffer{Enabled: true, Min: 5 * time.Second, Max: 20 * time.Second}, Guard: tasks.Guard{MaxDestroys: 10}}

// decodeAsAgent reads a task as the agent does.
func decodeAsAgent(raw json.RawMessage) (tasks.Task, error) {
	base := config.Config{WorkingDir: "/srv", Buffer: shared.Buffer, Guard: shared.Guard, Providers: []tasks.Provider{{Name: "fw", Arguments: tasks.NewSecretValue(cty.EmptyObjectVal)}}}
	return config.TaskFromAPI(raw, base, config.Options{WorkDir: "/srv"})
}

var rawEqual = cmp.Comparer(func(a, b cty.Value) bool { return a.RawEquals(b) })

// realTasks are task objects of every kind as a client sends them.
var realTasks = map[string]string{
	"names":             `{"name":"a","module":"m/m/m","condition":{"services":{"names":["web","db"]}}}`,
	"names that differ": `{"name":"a","module":"m/m/m","condition":{"services":{"names":["web"],"others":[{"names":["web"],"datacenter":"dc2","cts_user_defined_meta":{"k":"v"}},{"names":["db"],"filter":"Service.Port == 1"}]}}}`,
	"regexp":            `{"name":"a","module":"m/m/m","condition":{"services":{"regexp":"^web","datacenter":"dc2","filter":"\"a\" in Service.Tags","cts_user_defined_meta":{"k":"v"},"use_as_module_input":false}}}`,
	"a regexp for all":  `{"name":"a","module":"m/m/m","condition":{"services":{"regexp":""}}}`,
	"catalog-services":  `{"name":"a","module":"m/m/m","condition":{"catalog_services":{"regexp":"^web","node_meta":{"rack":"a"},"use_as_module_input":false}}}`,
	"consul-kv":         `{"name":"a","module":"m/m/m","condition":{"consul_kv":{"path":"fw/web","recurse":true}}}`,
	"nodes":             `{"name":"a","module":"m/m/m","condition":{"nodes":{"regexp":"^edge","datacenter":"dc1","node_meta":{"rack":"a"}}}}`,
	"schedule":          `{"name":"a","module":"m/m/m","condition":{"schedule":{"cron":"*/5 * * * *"}},"module_input":{"services":{"names":["web"]},"consul_kv":{"path":"x"},"nodes":{}}}`,
	"everything": `{"name":"a","module":"m/m/m","description":"d","version":"1.0.0","enabled":false,"providers":["fw"],` +
		`"variables":{"zone":"\"dmz\"","n":"3","list":"[\"a\", {b = \"$${c}\"}]","off":"null"},"buffer_period":{"enabled":true,"min":"7s","max":"1m30s"},` +
		`"guard":{"max_destroys":3,"allow_empty":true},"condition":{"services":{"names":["web"]}},"module_input":{"consul_kv":{"path":"x"}}}`,
	"half a guard": `{"name":"a","module":"m/m/m","guard":{"max_destroys":0},"condition":{"services":{"names":["web"]}}}`,
}

func TestATaskReadsBackFromItsAnswer(t *testing.T) {
	for name, sent := range realTasks {
		t.Run(name, func(t *testing.T) {
			if _, err := parseDefinition([]byte(`{"task":` + sent + `}`)); err != nil {
				t.Fatal(err)
			}
			first, err := decodeAsAgent(json.RawMessage(sent))
			if err != nil {
				t.Fatal(err)
			}
			shown, err := json.Marshal(NewTask(first, &shared))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := parseDefinition([]byte(`{"task":` + string(shown) + `}`)); err != nil {
				t.Fatal(err)
			}
			again, err := decodeAsAgent(shown)
			if err != nil {
				t.Fatalf("%s: %v", shown, err)
			}
			if diff := cmp.Diff(first, again, rawEqual, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(tasks.Task{}, "OwnBuffer")); diff != "" {
				t.Errorf("%s: %s", shown, diff)
			}
		})
	}
}

func TestAnUpdateOfAnyTaskKeepsTheRest(t *testing.T) {
	for name, sent := range realTasks {
		t.Run(name, func(t *testing.T) {
			present, err := decodeAsAgent(json.RawMessage(sent))
			if err != nil {
				t.Fatal(err)
			}
			present.Position, present.VariableFiles = "a.hcl:3", []string{"/srv/x.tfvars"}
			f, a := &fake{list: []tasks.State{{Task: present}}}, &author{}
			f.decode = decodeAsAgent
			if w := write(t, f, a, "PATCH", "/v1/tasks/a", `{"description":"other","Enabled":"true"}`); w.Code != 200 || len(a.replaced) != 1 {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			present.Description, present.Enabled = "other", true
			if diff := cmp.Diff(present, a.replaced[0], rawEqual); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTheAgentsOwnChecksAnswerWithTheContractsStatus(t *testing.T) {
	for name, c := range map[string]struct {
		body, want string
		status     int
	}{
		"a bad duration":       {ofTask(`"buffer_period":{"enabled":true,"min":"5 sec"}`), "error with task configuration: ", 400},
		"a guard without end":  {ofTask(`"guard":{"max_destroys":99999999999}`), "max_destroys", 400},
		"half a destroy":       {ofTask(`"guard":{"max_destroys":1.5}`), "max_destroys", 400},
		"an unknown guard":     {ofTask(`"guard":{"x":1}`), "unsupported", 400},
		"a bad regexp":         {`{"task":{"name":"x","module":"m/m/m","condition":{"services":{"regexp":"("}}}}`, "error with task configuration: ", 400},
		"a bad cron":           {`{"task":{"name":"x","module":"m/m/m","condition":{"schedule":{"cron":"never"}}}}`, "error with task configuration: ", 400},
		"no names, no regexp":  {`{"task":{"name":"x","module":"m/m/m","condition":{"services":{}}}}`, "error with task configuration: ", 400},
		"an unknown provider":  {ofTask(`"providers":["fw.none"]`), "error with task configuration: ", 400},
		"a variable of no HCL": {ofTask(`"variables":{"a":"{"}`), "error with task configuration: ", 400},
	} {
		t.Run(name, func(t *testing.T) {
			f, a := newFake(), &author{}
			f.decode = decodeAsAgent
			w := write(t, f, a, "POST", "/v1/tasks", strings.ReplaceAll(c.body, `"module":"m"`, `"module":"m/m/m"`))
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) || len(a.created) != 0 {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
}
