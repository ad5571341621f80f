package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"patchbay/tasks"
	"patchbay/tasks/catalog"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/zclconf/go-cty/cty"
)

// author remembers what it was asked.
type author struct {
	created, replaced []tasks.Task
	modes             []tasks.RunMode
	removed           []string
	op                tasks.Operation
	err               error
	wait              chan struct{} // Create waits for it, if any
}

func (a *author) Create(ctx context.Context, t tasks.Task, mode tasks.RunMode) (tasks.Operation, error) {
	if a.wait != nil {
		<-a.wait
	}
	a.created, a.modes = append(a.created, t), append(a.modes, mode)
	op := a.op
	op.Task = t
	return op, a.err
}

func (a *author) Replace(_ context.Context, t tasks.Task, mode tasks.RunMode) (tasks.Operation, error) {
	a.replaced, a.modes = append(a.replaced, t), append(a.modes, mode)
	op := a.op
	op.Task = t
	return op, a.err
}

func (a *author) Remove(_ context.Context, name string, destroy bool) error {
	a.removed = append(a.removed, fmt.Sprint(name, " ", destroy))
	return a.err
}

// decodeTask reads a wire form well enough for these tests.
func decodeTask(raw json.RawMessage) (tasks.Task, error) {
	wire := Task{Enabled: true}
	if err := json.Unmarshal(raw, &wire); err != nil {
		return tasks.Task{}, err
	}
	t := tasks.Task{Name: wire.Name, Description: wire.Description, Enabled: wire.Enabled, Module: wire.Module, Version: wire.Version,
		Providers: wire.Providers, Variables: map[string]cty.Value{}, WorkingDir: "/default/" + wire.Name}
	for name, text := range wire.Variables {
		t.Variables[name] = cty.StringVal(strings.Trim(text, `"`))
	}
	t.Condition.UseAsModuleInput = true
	if s := wire.Condition.Services; s != nil {
		t.Condition.Services = decodeServices(s.Services)
		t.Condition.UseAsModuleInput = s.UseAsModuleInput || !bytes.Contains(raw, []byte("use_as_module_input"))
	}
	if s := wire.Condition.Schedule; s != nil {
		t.Condition.Schedule = &tasks.Schedule{Cron: s.Cron}
	}
	if s := wire.ModuleInput.Services; s != nil {
		t.ModuleInputs = append(t.ModuleInputs, tasks.ModuleInput{Services: decodeServices(*s)})
	}
	if kv := wire.ModuleInput.ConsulKV; kv != nil {
		t.ModuleInputs = append(t.ModuleInputs, tasks.ModuleInput{ConsulKV: (*tasks.ConsulKV)(kv)})
	}
	if g := wire.Guard; g != nil {
		t.Guard = tasks.Guard(*g)
	}
	if b := wire.Buffer; b != nil {
		var bad [2]error
		t.Buffer.Enabled = b.Enabled
		t.Buffer.Min, bad[0] = time.ParseDuration(b.Min)
		t.Buffer.Max, bad[1] = time.ParseDuration(b.Max)
		t.OwnBuffer = true
		return t, errors.Join(bad[:]...)
	}
	return t, nil
}

func decodeServices(s Services) *tasks.Services {
	out := &tasks.Services{Selector: catalog.Selector{Names: s.Names, Datacenter: s.Datacenter, Namespace: s.Namespace}, Filter: s.Filter}
	if s.Regexp != nil {
		out.Regexp = *s.Regexp
	}
	if len(s.UserMeta) > 0 {
		out.UserMeta = s.UserMeta
	}
	return out
}

// write sends a write from this machine.
func write(t *testing.T, f *fake, a *author, method, target, body string, edits ...func(*http.Request)) *httptest.ResponseRecorder {
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	f.author = a
	return call(t, f, method, target, in, edits...)
}

const minimal = `{"task":{"name":"fw-web","module":"acme/rules/fw","providers":["fw"],"variables":{"zone":"\"dmz\""},"condition":{"services":{"names":["web"]}}}}`

var changes = tasks.Operation{Plan: tasks.Plan{Changes: []tasks.Change{{Address: "a"}}}, Text: "Plan: 1 to add, 0 to change, 0 to destroy.\n"}

// ofTask is a creation whose task object has the given fields besides the needed ones.
func ofTask(fields string) string {
	return `{"task":{"name":"fw-web","module":"m","condition":{"services":{"names":["web"]}},` + fields + `}}`
}

func TestWritesAnswerAsTheContractSays(t *testing.T) {
	for name, c := range map[string]struct{ method, target, body string }{
		"create":                            {"POST", "/v1/tasks", minimal},
		"create and run":                    {"POST", "/v1/tasks?run=now", minimal},
		"create to inspect":                 {"POST", "/v1/tasks?run=inspect", minimal},
		"create with everything":            {"POST", "/v1/tasks", ofTask(`"description":"d","version":"1.0.0","enabled":false,"buffer_period":{"enabled":true,"min":"5s","max":"1m0s"},"module_input":{"services":{"regexp":"^db"},"consul_kv":{"path":"fw"}}`)},
		"create with run in capitals":       {"POST", "/v1/tasks?run=NOW", minimal},
		"create with two runs":              {"POST", "/v1/tasks?run=now&run=now", minimal},
		"create with a run of nothing":      {"POST", "/v1/tasks?run=", minimal},
		"create nothing":                    {"POST", "/v1/tasks", `{`},
		"create two":                        {"POST", "/v1/tasks", minimal + minimal},
		"create without a module":           {"POST", "/v1/tasks", `{"task":{"name":"x","condition":{"services":{"names":["web"]}}}}`},
		"create without a name":             {"POST", "/v1/tasks", `{"task":{"module":"x","condition":{"services":{"names":["web"]}}}}`},
		"create without a condition":        {"POST", "/v1/tasks", `{"task":{"name":"x","module":"m"}}`},
		"create with an empty condition":    {"POST", "/v1/tasks", `{"task":{"name":"x","module":"m","condition":{}}}`},
		"create with two conditions":        {"POST", "/v1/tasks", `{"task":{"name":"x","module":"m","condition":{"schedule":{"cron":"@daily"},"consul_kv":{"path":"x"}}}}`},
		"create with names and a regexp":    {"POST", "/v1/tasks", `{"task":{"name":"x","module":"m","condition":{"services":{"names":["a"],"regexp":"b"}}}}`},
		"create without a path":             {"POST", "/v1/tasks", `{"task":{"name":"x","module":"m","condition":{"consul_kv":{}}}}`},
		"create without a cron":             {"POST", "/v1/tasks", `{"task":{"name":"x","module":"m","condition":{"schedule":{}}}}`},
		"create without a catalog regexp":   {"POST", "/v1/tasks", `{"task":{"name":"x","module":"m","condition":{"catalog_services":{}}}}`},
		"create without a task":             {"POST", "/v1/tasks", `{}`},
		"create from a list":                {"POST", "/v1/tasks", `[]`},
		"create from null":                  {"POST", "/v1/tasks", `null`},
		"create with a module of 1":         {"POST", "/v1/tasks", ofTask(`"version":1`)},
		"create with a null":                {"POST", "/v1/tasks", ofTask(`"description":null`)},
		"create with an unknown field":      {"POST", "/v1/tasks", ofTask(`"working_dir":"/etc"`)},
		"create with an unknown inner one":  {"POST", "/v1/tasks", ofTask(`"module_input":{"services":{"names":["a"],"use_as_module_input":true}}`)},
		"create beside an unknown one":      {"POST", "/v1/tasks", `{"x":1,` + minimal[1:]},
		"create what exists":                {"POST", "/v1/tasks", strings.ReplaceAll(minimal, "fw-web", "web")},
		"create with a bad duration":        {"POST", "/v1/tasks", ofTask(`"buffer_period":{"enabled":true,"min":"5 sec","max":"1m"}`)},
		"create with a bad name":            {"POST", "/v1/tasks", strings.ReplaceAll(minimal, "fw-web", "../<b>")},
		"update enabled":                    {"PATCH", "/v1/tasks/web", `{"enabled":true}`},
		"update as the old command does":    {"PATCH", "/v1/tasks/web", `{"Enabled":false}`},
		"update and inspect":                {"PATCH", "/v1/tasks/web?run=Inspect", `{"enabled":true}`},
		"update to disabled and inspect":    {"PATCH", "/v1/tasks/web?run=inspect", `{"enabled":false}`},
		"update a description":              {"PATCH", "/v1/tasks/web", `{"description":"new"}`},
		"update nothing":                    {"PATCH", "/v1/tasks/web", `{}`},
		"update by a list":                  {"PATCH", "/v1/tasks/web", `[true]`},
		"update by half":                    {"PATCH", "/v1/tasks/web", `{"enabled":`},
		"update to maybe":                   {"PATCH", "/v1/tasks/web", `{"enabled":"maybe"}`},
		"update to null":                    {"PATCH", "/v1/tasks/web", `{"enabled":null}`},
		"update unsupported keys":           {"PATCH", "/v1/tasks/web", `{"foo":1,"enabled":true,"bar":2}`},
		"update a field in capitals":        {"PATCH", "/v1/tasks/web", `{"Module":"m"}`},
		"update enabled twice":              {"PATCH", "/v1/tasks/web", `{"enabled":true,"ENABLED":false}`},
		"update to names and a regexp":      {"PATCH", "/v1/tasks/web", `{"condition":{"services":{"names":["a"],"regexp":"b"}}}`},
		"update a name":                     {"PATCH", "/v1/tasks/web", `{"name":"db"}`},
		"update a condition away":           {"PATCH", "/v1/tasks/web", `{"condition":null}`},
		"update to a module of 1":           {"PATCH", "/v1/tasks/web", `{"module":1}`},
		"update to a bad duration":          {"PATCH", "/v1/tasks/web", `{"buffer_period":{"min":"5 sec"}}`},
		"update with a bad run":             {"PATCH", "/v1/tasks/web?run=later", `{"enabled":true}`},
		"update with two runs":              {"PATCH", "/v1/tasks/web?run=now&run=now", `{"enabled":true}`},
		"update an unknown task":            {"PATCH", "/v1/tasks/none", `{"enabled":true}`},
		"update a name with a slash":        {"PATCH", "/v1/tasks/a%2Fb", `{"enabled":true}`},
		"update no name":                    {"PATCH", "/v1/tasks/", `{"enabled":true}`},
		"remove":                            {"DELETE", "/v1/tasks/web", ""},
		"remove and destroy":                {"DELETE", "/v1/tasks/web?destroy=true", ""},
		"remove and destroy perhaps":        {"DELETE", "/v1/tasks/web?destroy=1", ""},
		"put a task that may be written":    {"PUT", "/v1/tasks/web", ""},
		"put all tasks that may be written": {"PUT", "/v1/tasks", ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := &author{op: changes}
			golden(t, name, write(t, newFake(), a, c.method, c.target, c.body))
		})
	}
}

func TestABodyOfAWriteMustBeJSON(t *testing.T) {
	for _, c := range [][2]string{{"POST", "/v1/tasks"}, {"PATCH", "/v1/tasks/web"}} {
		a := &author{}
		w := write(t, newFake(), a, c[0], c[1], minimal, header("Content-Type", "text/plain"))
		if w.Code != 400 || !strings.Contains(w.Body.String(), "text/plain") || len(a.modes) != 0 {
			t.Errorf("%s: %d %s", c, w.Code, w.Body)
		}
	}
}

func TestFailuresOfAWriteHaveTheirStatus(t *testing.T) {
	for name, c := range map[string]struct {
		method, target, body string
		err                  error
		status               int
		message              string
	}{
		"create what another request made": {"POST", "/v1/tasks", minimal, tasks.ErrTaskExists, 400, "task with name fw-web already exists"},
		"create when init fails":           {"POST", "/v1/tasks", minimal, errors.New("error tf-init for 'fw-web': no"), 500, "error tf-init for 'fw-web': no"},
		"create while stopping":            {"POST", "/v1/tasks", minimal, tasks.ErrStopping, 503, "the agent is stopping; nothing was done; ask again when the agent runs"},
		"inspect when init fails":          {"POST", "/v1/tasks?run=inspect", minimal, errors.New("no"), 400, "no"},
		"inspect what exists":              {"POST", "/v1/tasks?run=inspect", minimal, tasks.ErrTaskExists, 400, "task with name fw-web already exists"},
		"update an active task":            {"PATCH", "/v1/tasks/web", `{"enabled":true}`, tasks.ErrTaskBusy, 500, "task 'web' is active and cannot be updated at this time"},
		"update what another removed":      {"PATCH", "/v1/tasks/web", `{"enabled":true}`, tasks.ErrUnknownTask, 404, "a task with name 'web' does not exist or has not been initialized yet"},
		"update when the apply fails":      {"PATCH", "/v1/tasks/web?run=now", `{"enabled":true}`, errors.New("error tf-apply for 'web': no"), 500, "error tf-apply for 'web': no"},
		"remove an unknown task":           {"DELETE", "/v1/tasks/none", "", tasks.ErrUnknownTask, 404, "a task with name 'none' does not exist or has not been initialized yet"},
		"remove an active task": {"DELETE", "/v1/tasks/web", "", tasks.ErrTaskBusy, 409,
			"task 'web' is active and cannot be removed at this time; nothing was removed; ask again when its run has ended"},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.err
			if err.Error() != c.message { // the engine wraps what it has a name for
				err = fmt.Errorf("do it: %w", c.err)
			}
			w := write(t, newFake(), &author{err: err}, c.method, c.target, c.body)
			var got Failure
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatal(err)
			}
			if w.Code != c.status || strings.TrimPrefix(got.Error.Message, "do it: ") != c.message || got.RequestID == "" {
				t.Errorf("%d %+v", w.Code, got)
			}
		})
	}
}

// equal compares tasks whose values are cty's.
var equal = []cmp.Option{cmp.Comparer(func(a, b cty.Value) bool { return a.GoString() == b.GoString() }), cmpopts.EquateEmpty()}

func TestACreationReachesTheAuthorAsItWasSent(t *testing.T) {
	for target, mode := range map[string]tasks.RunMode{"/v1/tasks": tasks.RunLater, "/v1/tasks?run=now": tasks.RunNow, "/v1/tasks?run=inspect": tasks.RunInspect} {
		a := &author{}
		write(t, newFake(), a, "POST", target, minimal)
		want := []tasks.Task{{Name: "fw-web", Enabled: true, Module: "acme/rules/fw", Providers: []string{"fw"}, WorkingDir: "/default/fw-web",
			Variables: map[string]cty.Value{"zone": cty.StringVal("dmz")},
			Condition: tasks.Condition{Services: &tasks.Services{Selector: catalog.Selector{Names: []string{"web"}}}, UseAsModuleInput: true}}}
		if diff := cmp.Diff(want, a.created, equal...); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]tasks.RunMode{mode}, a.modes); diff != "" {
			t.Error(diff)
		}
	}
}

func TestADisabledTaskIsNotRun(t *testing.T) {
	a := &author{}
	write(t, newFake(), a, "POST", "/v1/tasks?run=now", ofTask(`"enabled":false`))
	write(t, newFake(), a, "PATCH", "/v1/tasks/web?run=now", `{"enabled":false}`)
	if diff := cmp.Diff([]tasks.RunMode{tasks.RunLater, tasks.RunLater}, a.modes); diff != "" {
		t.Error(diff)
	}
	write(t, newFake(), a, "PATCH", "/v1/tasks/web?run=inspect", `{"enabled":false}`)
	if len(a.modes) != 2 {
		t.Errorf("the inspection of a disabled task was made: %v", a.modes)
	}
}

func TestEnabledIsTakenInEveryFormOfTheContract(t *testing.T) {
	for body, want := range map[string]bool{`{"enabled":true}`: true, `{"Enabled":true}`: true, `{"ENABLED":"true"}`: true, `{"enabled":1}`: true,
		`{"enabled":"1"}`: true, `{"enabled":false}`: false, `{"enabled":"false"}`: false, `{"enabled":0}`: false, `{"enabled":"F"}`: false} {
		f, a := newFake(), &author{}
		if w := write(t, f, a, "PATCH", "/v1/tasks/web", body, undocumented); w.Code != 200 || w.Body.String() != "{}\n" || len(a.replaced) != 1 {
			t.Fatalf("%s: %d %s", body, w.Code, w.Body)
		}
		next := f.list[0].Task
		next.Enabled = want
		if diff := cmp.Diff(next, a.replaced[0], equal...); diff != "" {
			t.Errorf("%s: %s", body, diff)
		}
	}
}

func TestAnUpdateChangesWhatItNamesAndNothingElse(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		edit func(*tasks.Task)
	}{
		"description":     {`{"description":"new"}`, func(t *tasks.Task) { t.Description = "new" }},
		"no description":  {`{"description":null}`, func(t *tasks.Task) { t.Description = "" }},
		"module, version": {`{"module":"other","version":"2.0.0"}`, func(t *tasks.Task) { t.Module, t.Version = "other", "2.0.0" }},
		"enabled too":     {`{"Enabled":"false","module":"other"}`, func(t *tasks.Task) { t.Enabled, t.Module = false, "other" }},
		"its own name":    {`{"name":"web","module":"other"}`, func(t *tasks.Task) { t.Module = "other" }},
		"providers":       {`{"providers":["a"]}`, func(t *tasks.Task) { t.Providers = []string{"a"} }},
		"one variable, another goes": {`{"variables":{"zone":"\"lan\"","n":null,"new":"\"x\""}}`, func(t *tasks.Task) {
			t.Variables["zone"], t.Variables["new"] = cty.StringVal("lan"), cty.StringVal("x")
			delete(t.Variables, "n")
		}},
		"all variables go":     {`{"variables":null}`, func(t *tasks.Task) { t.Variables = nil }},
		"half a buffer":        {`{"buffer_period":{"min":"7s"}}`, func(t *tasks.Task) { t.Buffer.Min, t.OwnBuffer = 7*time.Second, true }},
		"half a guard":         {`{"guard":{"max_destroys":7}}`, func(t *tasks.Task) { t.Guard.MaxDestroys = 7 }},
		"the inherited guard":  {`{"guard":null}`, func(t *tasks.Task) { t.Guard = tasks.Guard{} }},
		"the inherited buffer": {`{"buffer_period":null}`, func(t *tasks.Task) { t.Buffer, t.OwnBuffer = tasks.Buffer{}, false }},
		"a filter only": {`{"condition":{"services":{"filter":"x"}}}`, func(t *tasks.Task) {
			t.Condition.Services = &tasks.Services{Selector: catalog.Selector{Names: []string{"web"}}, Filter: "x"}
		}},
		"names become a regexp": {`{"condition":{"services":{"regexp":"^w"}}}`, func(t *tasks.Task) {
			t.Condition.Services = &tasks.Services{Selector: catalog.Selector{Regexp: "^w"}}
		}},
		"another kind of condition": {`{"condition":{"schedule":{"cron":"@daily"}}}`, func(t *tasks.Task) {
			t.Condition = tasks.Condition{Schedule: &tasks.Schedule{Cron: "@daily"}, UseAsModuleInput: true}
		}},
		"a further input": {`{"module_input":{"consul_kv":{"path":"fw"}}}`, func(t *tasks.Task) {
			t.ModuleInputs = append(t.ModuleInputs[:2:2], tasks.ModuleInput{ConsulKV: &tasks.ConsulKV{Path: "fw"}})
		}},
		"another input": {`{"module_input":{"services":{"names":["db"]}}}`, func(t *tasks.Task) {
			t.ModuleInputs = []tasks.ModuleInput{{Services: &tasks.Services{Selector: catalog.Selector{Names: []string{"db"}, Datacenter: "dc2", Namespace: "ns"},
				Filter: `"a" in Service.Tags`, UserMeta: map[string]string{"k": "v"}}}}
		}},
		"no services input": {`{"module_input":{"services":null}}`, func(t *tasks.Task) { t.ModuleInputs = nil }},
		"no input":          {`{"module_input":null}`, func(t *tasks.Task) { t.ModuleInputs = nil }},
	} {
		t.Run(name, func(t *testing.T) {
			full := func() *fake {
				f := newFake()
				task := &f.list[0].Task
				task.WorkingDir, task.Position, task.VariableFiles = "/srv/web", "a.hcl:3", []string{"/srv/a.tfvars"}
				task.Guard = tasks.Guard{MaxDestroys: 3, AllowEmpty: true}
				task.Buffer, task.OwnBuffer = tasks.Buffer{Enabled: true, Min: time.Second, Max: time.Minute}, true
				return f
			}
			f, a := full(), &author{}
			if w := write(t, f, a, "PATCH", "/v1/tasks/web", c.body); w.Code != 200 || len(a.replaced) != 1 {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			want := full().list[0].Task
			c.edit(&want)
			if diff := cmp.Diff(want, a.replaced[0], equal...); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(full().list[0].Task, f.list[0].Task, equal...); diff != "" {
				t.Errorf("the present task was changed: %s", diff)
			}
		})
	}
}

func TestRemovalsReachTheAuthor(t *testing.T) {
	a := &author{}
	for _, query := range []string{"", "?destroy=false", "?destroy=true"} {
		write(t, newFake(), a, "DELETE", "/v1/tasks/web"+query, "")
	}
	if diff := cmp.Diff([]string{"web false", "web false", "web true"}, a.removed); diff != "" {
		t.Error(diff)
	}
}

func TestReadsAndRemovalsDoNotWaitForACreation(t *testing.T) {
	l := listen(t)
	ctx, stop := context.WithCancel(t.Context())
	f, a := newFake(), &author{wait: make(chan struct{})}
	served := make(chan error, 1)
	go func() {
		served <- Serve(ctx, l, checked(t, New(Options{Reader: f, Operator: f, Prober: f, Author: a, Decode: decodeTask})))
	}()
	base := "http://" + l.Addr().String()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	created := make(chan int, 1)
	go func() {
		res, err := client.Post(base+"/v1/tasks?run=now", "application/json", strings.NewReader(minimal))
		if err != nil {
			created <- 0
			return
		}
		res.Body.Close()
		created <- res.StatusCode
	}()
	for method, c := range map[string]struct {
		path string
		want int
	}{"GET": {"/v1/tasks", 200}, "DELETE": {"/v1/tasks/web", 202}} {
		req, err := http.NewRequestWithContext(t.Context(), method, base+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != c.want {
			t.Errorf("%s: %d", method, res.StatusCode)
		}
	}
	select {
	case status := <-created:
		t.Fatalf("the creation ended first, with %d", status)
	default:
	}
	close(a.wait)
	if status := <-created; status != 201 {
		t.Errorf("the creation answered %d", status)
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestTasksCanBeReadOnlyWhereNobodyMakesThem(t *testing.T) {
	f := newFake()
	for _, o := range []Options{{Reader: f}, {Reader: f, Author: &author{}}, {Reader: f, Decode: decodeTask}} {
		for _, c := range [][2]string{{"POST", "/v1/tasks"}, {"PATCH", "/v1/tasks/web"}, {"DELETE", "/v1/tasks/web"}} {
			w := httptest.NewRecorder()
			New(o).ServeHTTP(w, httptest.NewRequest(c[0], c[1], bytes.NewReader([]byte(minimal))))
			if w.Code != 405 || w.Header().Get("Allow") != "GET" {
				t.Errorf("%s: %d %s", c, w.Code, w.Header())
			}
		}
	}
}
