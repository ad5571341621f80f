package agent

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"patchbay/tasks"
	"patchbay/tasks/catalog"

	"github.com/google/go-cmp/cmp"
)

func TestKeysAndListsThatAnEarlierToolGaveAreTheGuardsBaseline(t *testing.T) {
	const names = "catalog_services = {\n  \"consul\" = []\n  \"web\" = [\"v1\"]\n}\n\n"
	for sentence, c := range map[string]struct {
		file, variable string
		condition      tasks.Condition
		view           *catalog.View
	}{
		"all keys are gone": {"consul_kv = {\n  \"fw/a\" = \"1\"\n  \"fw/b\" = \"2\"\n}\n\nservices = {\n}\n", tasks.VariableKV,
			tasks.Condition{ConsulKV: &tasks.ConsulKV{Path: "fw/", Recurse: true}, UseAsModuleInput: true},
			catalog.NewPairsView(catalog.Query{Kind: catalog.KVPrefix, Name: "fw/"}, map[string]string{})},
		"all services are gone from the list": {names + "services = {\n}\n", tasks.VariableCatalogServices,
			tasks.Condition{CatalogServices: &tasks.CatalogServices{}, UseAsModuleInput: true},
			catalog.NewNamesView(catalog.Query{Kind: catalog.ServiceNames}, map[string][]string{})},
	} {
		t.Run(sentence, func(t *testing.T) {
			task := webTask(t)
			task.Condition = c.condition
			if err := os.WriteFile(filepath.Join(task.WorkingDir, "terraform.tfvars"), []byte(c.file), 0o600); err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, task, tasks.Record{})
				b.stop()
				snapshot := catalog.NewSnapshot(c.view)
				w := b.runner.work
				run := w.newRun(tasks.Inspect, nil)
				res := w.attempt(t.Context(), t.Context(), job{run: *run, snapshot: snapshot, input: w.project(snapshot), inspect: true})
				var held []string
				for _, f := range res.run.Findings {
					if f.Decision == tasks.Hold {
						held = append(held, f.Rule)
					}
				}
				if diff := cmp.Diff([]string{tasks.RuleAllEntriesLost}, held); diff != "" || res.err != nil {
					t.Errorf("%v, rules that hold (-want +got):\n%s", res.err, diff)
				}
				if a := b.store.records[task.Name].Applied; a == nil || len(a.Sets[c.variable]) != 2 {
					t.Errorf("baseline = %+v, want both entries of %s", a, c.variable)
				}
			})
		})
	}
}
