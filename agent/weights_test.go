package agent

import (
	"os"
	"path/filepath"
	"testing"

	"patchbay/agent/internal/canaries"
	"patchbay/tasks"
	"patchbay/tasks/catalog"
	"patchbay/tasks/rollout"
	"patchbay/templates"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"
)

const takesThem = "variable \"canary_weights\" {\n  default = {}\n}\n"

// inDir writes a file and gives its directory.
func inDir(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestATaskTakesWeightsWhenItsModuleDeclaresThem(t *testing.T) {
	downloaded := t.TempDir()
	inDir(t, downloaded, ".terraform/modules/modules.json", `{"Modules":[{"Key":"","Dir":"."},{"Key":"web","Source":"acme/lb","Dir":".terraform/modules/web"}]}`)
	inDir(t, downloaded, ".terraform/modules/web/main.tf", takesThem)
	broken := inDir(t, t.TempDir(), ".terraform/modules/modules.json", "{")
	for sentence, c := range map[string]struct {
		task tasks.Task
		want bool
	}{
		"a shipped module that declares them":       {tasks.Task{Module: "builtin/nginx"}, true},
		"a shipped module that is not there":        {tasks.Task{Module: "builtin/none"}, false},
		"a local module that declares them":         {tasks.Task{Module: inDir(t, t.TempDir(), "canary.tf", takesThem)}, true},
		"a local module in JSON":                    {tasks.Task{Module: inDir(t, t.TempDir(), "v.tf.json", `{"variable":{"canary_weights":{}}}`)}, true},
		"a directory whose name is a pattern":       {tasks.Task{Module: inDir(t, filepath.Join(t.TempDir(), "[a]*"), "v.tf", takesThem)}, true},
		"a local module that does not":              {tasks.Task{Module: inDir(t, t.TempDir(), "main.tf", "variable \"services\" {}\n")}, false},
		"a local module that is gone":               {tasks.Task{Module: filepath.Join(t.TempDir(), "gone")}, false},
		"a downloaded module that declares them":    {tasks.Task{Name: "web", Module: "acme/lb", WorkingDir: downloaded}, true},
		"a downloaded module of another task":       {tasks.Task{Name: "db", Module: "acme/lb", WorkingDir: downloaded}, false},
		"a module before its first init":            {tasks.Task{Name: "web", Module: "acme/lb", WorkingDir: t.TempDir()}, false},
		"a list of modules that cannot be read":     {tasks.Task{Name: "web", Module: "acme/lb", WorkingDir: broken}, false},
		"a task that sets the variable by itself":   {tasks.Task{Module: "builtin/nginx", Variables: map[string]cty.Value{templates.CanaryVariable: cty.EmptyObjectVal}}, false},
		"a task with another variable of its own":   {tasks.Task{Module: "builtin/nginx", Variables: map[string]cty.Value{"zone": cty.True}}, true},
		"a relative path before it was made whole":  {tasks.Task{Module: "./m", WorkingDir: t.TempDir()}, false},
		"no module at all, which nobody can render": {tasks.Task{WorkingDir: t.TempDir()}, false},
	} {
		if got := takesWeights(c.task); got != c.want {
			t.Errorf("%s: takes weights is %t, want %t", sentence, got, c.want)
		}
	}
}

// splitOf is a canary of a service at a weight.
func splitOf(service string, weight rollout.Share) canaries.Record {
	r := canaries.Record{State: rollout.State{Weight: weight}}
	r.Declared.Plan.Service, r.State.Stable.Name, r.State.Candidate.Name = service, "v1", "v2"
	return r
}

func services(names ...string) tasks.Condition {
	return tasks.Condition{Services: &tasks.Services{Selector: catalog.Selector{Names: names}}, UseAsModuleInput: true}
}

func TestATaskIsGivenTheWeightsOfItsServicesOnly(t *testing.T) {
	all := func() []canaries.Record { return []canaries.Record{splitOf("web", 500), splitOf("db", 10000)} }
	web, db := map[string]float64{"v1": 95, "v2": 5}, map[string]float64{"v1": 0, "v2": 100}
	for sentence, c := range map[string]struct {
		work worker
		want weights
	}{
		"a task of one service":                {worker{takes: true, records: all, task: tasks.Task{Condition: services("web", "api")}}, weights{"web": web}},
		"a task of a service without a canary": {worker{takes: true, records: all, task: tasks.Task{Condition: services("api")}}, weights{}},
		"a task that selects no services":      {worker{takes: true, records: all, task: tasks.Task{Condition: tasks.Condition{CatalogServices: &tasks.CatalogServices{}}}}, weights{"web": web, "db": db}},
		"a module that does not take them":     {worker{records: all, task: tasks.Task{Condition: services("web")}}, nil},
		"an agent without canaries":            {worker{takes: true, task: tasks.Task{Condition: services("web")}}, nil},
	} {
		if diff := cmp.Diff(c.want, c.work.weights()); diff != "" {
			t.Errorf("%s: weights (-want +got):\n%s", sentence, diff)
		}
	}
}

func TestWhatATaskAppliedIsTheVeryWeightOfTheCanary(t *testing.T) {
	for weight := range rollout.Whole + 1 {
		r := &runner{name: "lb", work: &worker{takes: true, task: tasks.Task{Enabled: true, Condition: services("web")}}}
		r.state.Store(&tasks.State{Task: r.work.task})
		record := splitOf("web", weight)
		r.applied = canaries.Weights([]canaries.Record{record})
		r.showWeighing()
		e := &engine{runners: []*runner{r}}
		want := []rollout.Task{{Name: "lb", Applied: rollout.Weights(record.State)}}
		if got := e.weighed("web"); !cmp.Equal(want, got) {
			t.Fatalf("at %s the canary sees %v, want %v", weight, got, want)
		}
	}
}

func TestACanaryWaitsForNoTaskThatGetsNoWeights(t *testing.T) {
	for sentence, c := range map[string]struct {
		change func(*runner)
		want   int
	}{
		"an enabled task":          {func(*runner) {}, 1},
		"a disabled task":          {func(r *runner) { r.work.task.Enabled = false }, 0},
		"a task that is deleted":   {func(r *runner) { r.removal = &removal{} }, 0},
		"a module without them":    {func(r *runner) { r.work.takes = false }, 0},
		"a task of other services": {func(r *runner) { r.work.task.Condition = services("db") }, 0},
	} {
		r := &runner{name: "lb", work: &worker{takes: true, task: tasks.Task{Enabled: true, Condition: services("web")}}}
		c.change(r)
		r.state.Store(&tasks.State{Task: r.work.task})
		r.showWeighing()
		if got := (&engine{runners: []*runner{r}}).weighed("web"); len(got) != c.want {
			t.Errorf("%s: the canary waits for %v", sentence, got)
		}
	}
}
