package httpapi

import (
	"encoding/json"
	"testing"
	"time"

	"patchbay/tasks"
	"patchbay/tasks/catalog"

	"github.com/google/go-cmp/cmp"
)

func TestATaskShowsItsConditionAndInputs(t *testing.T) {
	shared := shared.Buffer
	kv, nodes := &tasks.ConsulKV{Path: "fw/web", Recurse: true, Datacenter: "dc1"}, &tasks.Nodes{Regexp: "^edge", NodeMeta: map[string]string{"rack": "a"}}
	services := &tasks.Services{Selector: catalog.Selector{Names: []string{"web"}}}
	for name, c := range map[string]struct {
		task tasks.Task
		want string // the fields after variables
	}{
		"catalog-services": {tasks.Task{Condition: tasks.Condition{UseAsModuleInput: true,
			CatalogServices: &tasks.CatalogServices{Regexp: "^web", Datacenter: "dc2", Namespace: "ns", NodeMeta: map[string]string{"k": "v"}}}, Buffer: shared},
			`{"module_input":{},"condition":{"catalog_services":{"regexp":"^web","datacenter":"dc2","namespace":"ns","node_meta":{"k":"v"},"use_as_module_input":true}}}`},
		"catalog-services without metadata": {tasks.Task{Condition: tasks.Condition{CatalogServices: &tasks.CatalogServices{}}, Buffer: shared},
			`{"module_input":{},"condition":{"catalog_services":{"regexp":"","datacenter":"","namespace":"","node_meta":{},"use_as_module_input":false}}}`},
		"consul-kv": {tasks.Task{Condition: tasks.Condition{ConsulKV: kv, UseAsModuleInput: true}, Buffer: shared},
			`{"module_input":{},"condition":{"consul_kv":{"path":"fw/web","recurse":true,"datacenter":"dc1","namespace":"","use_as_module_input":true}}}`},
		"nodes": {tasks.Task{Condition: tasks.Condition{Nodes: nodes}, Buffer: shared},
			`{"module_input":{},"condition":{"nodes":{"regexp":"^edge","datacenter":"","node_meta":{"rack":"a"},"use_as_module_input":false}}}`},
		"a schedule shows its buffer": {tasks.Task{Condition: tasks.Condition{Schedule: &tasks.Schedule{Cron: "@hourly"}}, Buffer: shared},
			`{"buffer_period":{"enabled":true,"min":"5s","max":"20s"},"module_input":{},"condition":{"schedule":{"cron":"@hourly"}}}`},
		"a buffer of its own": {tasks.Task{OwnBuffer: true, Buffer: tasks.Buffer{Min: time.Minute, Max: time.Hour}},
			`{"buffer_period":{"enabled":false,"min":"1m0s","max":"1h0m0s"},"module_input":{},"condition":{}}`},
		"a buffer of its own that is like the others'": {tasks.Task{OwnBuffer: true, Buffer: shared},
			`{"buffer_period":{"enabled":true,"min":"5s","max":"20s"},"module_input":{},"condition":{}}`},
		"a buffer unlike the others'": {tasks.Task{Buffer: tasks.Buffer{Enabled: true}},
			`{"buffer_period":{"enabled":true,"min":"0s","max":"0s"},"module_input":{},"condition":{}}`},
		"a guard unlike the others'": {tasks.Task{Buffer: shared, Guard: tasks.Guard{AllowEmpty: true}},
			`{"guard":{"max_destroys":0,"allow_empty":true},"module_input":{},"condition":{}}`},
		"the first input of each kind": {tasks.Task{Buffer: shared, ModuleInputs: []tasks.ModuleInput{{Nodes: nodes}, {ConsulKV: kv}, {Services: services}, {ConsulKV: &tasks.ConsulKV{}}}},
			`{"module_input":{"services":{"names":["web"],"datacenter":"","namespace":"","filter":"","cts_user_defined_meta":{}},` +
				`"consul_kv":{"path":"fw/web","recurse":true,"datacenter":"dc1","namespace":""},"nodes":{"regexp":"^edge","datacenter":"","node_meta":{"rack":"a"}}},"condition":{}}`},
	} {
		t.Run(name, func(t *testing.T) {
			if c.task.Guard == (tasks.Guard{}) {
				c.task.Guard.MaxDestroys = 10 // inherited
			}
			body, err := json.Marshal(NewTask(c.task, &Inherited{Buffer: shared, Guard: tasks.Guard{MaxDestroys: 10}}))
			if err != nil {
				t.Fatal(err)
			}
			const before = `{"name":"","description":"","enabled":false,"module":"","version":"","providers":[],"variables":{},`
			if diff := cmp.Diff(before+c.want[1:], string(body)); diff != "" {
				t.Error(diff)
			}
			var back Task
			if err := json.Unmarshal(body, &back); err != nil {
				t.Fatal(err)
			}
			again, err := json.Marshal(back)
			if diff := cmp.Diff(string(body), string(again)); diff != "" || err != nil {
				t.Errorf("a client reads something else: %s %v", diff, err)
			}
		})
	}
}
