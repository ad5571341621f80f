package tasks

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"patchbay/tasks/catalog"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"
	"pgregory.net/rapid"
)

func instance(id, status string) catalog.Instance {
	return catalog.Instance{ID: id, Name: "web", Address: "10.0.0.1", Port: 80, Node: catalog.Node{Name: "n1", Datacenter: "dc1"},
		Checks: []catalog.Check{{ID: "c", Name: "http", Status: status, Output: "some output"}}}
}

func snapshotOf(instances ...catalog.Instance) catalog.Snapshot {
	return catalog.NewSnapshot(catalog.NewServiceView(catalog.Query{Kind: catalog.ServiceHealth, Name: "web"}, instances))
}

func webTask(filter string) Task {
	return Task{Name: "t", Enabled: true, Condition: Condition{
		Services: &Services{Selector: catalog.Selector{Names: []string{"web"}}, Filter: filter}, UseAsModuleInput: true}}
}

func noFilter(string) Matcher { return nil }

func TestInputHoldsPassingInstancesUnlessTheFilterSpeaksOfStatus(t *testing.T) {
	snapshot := snapshotOf(instance("a", catalog.Passing), instance("b", catalog.Warning), instance("c", catalog.Critical))
	notB := func(string) Matcher { return func(i catalog.Instance) bool { return i.ID != "b" } }
	tests := map[string]struct {
		filter string
		match  func(string) Matcher
		want   []string
	}{
		"no filter":            {"", noFilter, []string{"a.n1.dc1"}},
		"a filter on meta":     {"Service.Meta.x == y", notB, []string{"a.n1.dc1"}},
		"a filter on statuses": {"Checks.Status != warning", notB, []string{"a.n1.dc1", "c.n1.dc1"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, m := range NewInput(webTask(tc.filter), snapshot, tc.match).Members() {
				got = append(got, m.Key)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("members (-want +got):\n%s", diff)
			}
		})
	}
}

func TestInputDigestKnowsWhatStartsARun(t *testing.T) {
	base := instance("a", catalog.Passing)
	before := NewInput(webTask(""), snapshotOf(base), noFilter)
	tests := map[string]struct {
		change func(*catalog.Instance)
		starts bool
	}{
		"check output": {func(i *catalog.Instance) { i.Checks[0].Output = "other" }, false},
		"tagged addresses": {func(i *catalog.Instance) {
			i.TaggedAddresses = map[string]catalog.Endpoint{"wan": {Address: "1.2.3.4"}}
		}, false},
		"port":      {func(i *catalog.Instance) { i.Port++ }, true},
		"address":   {func(i *catalog.Instance) { i.Address = "10.0.0.2" }, true},
		"meta":      {func(i *catalog.Instance) { i.Meta = map[string]string{"k": "v"} }, true},
		"tags":      {func(i *catalog.Instance) { i.Tags = []string{"v"} }, true},
		"weights":   {func(i *catalog.Instance) { i.Weights.Passing = 5 }, false},
		"node meta": {func(i *catalog.Instance) { i.Node.Meta = map[string]string{"k": "v"} }, true},
		"health":    {func(i *catalog.Instance) { i.Checks[0].Status = catalog.Critical }, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			changed := base
			changed.Checks = slices.Clone(base.Checks)
			tc.change(&changed)
			after := NewInput(webTask(""), snapshotOf(changed), noFilter)
			if got := after.Condition != before.Condition; got != tc.starts {
				t.Errorf("starts a run = %v, want %v", got, tc.starts)
			}
			if (after.Digest == before.Digest) != (after.Condition == before.Condition) {
				t.Error("condition and input differ though they select the same")
			}
		})
	}
}

func TestInputDigestIgnoresOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var list []catalog.Instance
		for n := range rapid.IntRange(1, 20).Draw(t, "n") {
			i := instance(fmt.Sprint("i", n), rapid.SampledFrom([]string{catalog.Passing, catalog.Critical}).Draw(t, "status"))
			i.Tags = rapid.SliceOfN(rapid.String(), 0, 3).Draw(t, "tags")
			list = append(list, i)
		}
		shuffled := rapid.Permutation(list).Draw(t, "order")
		a := NewInput(webTask(""), snapshotOf(slices.Clone(list)...), noFilter)
		b := NewInput(webTask(""), snapshotOf(slices.Clone(shuffled)...), noFilter)
		if a.Digest != b.Digest || a.Condition != b.Condition {
			t.Fatal("the order of instances changed a digest")
		}
	})
}

func TestModuleInputStartsNothing(t *testing.T) {
	task := webTask("")
	task.Condition.UseAsModuleInput = false
	task.ModuleInputs = []ModuleInput{{Services: &Services{Selector: catalog.Selector{Names: []string{"db"}}, UserMeta: map[string]string{"k": "v"}}}}
	db := func(port int) *catalog.View {
		i := instance("d", catalog.Passing)
		i.Name, i.Port = "db", port
		return catalog.NewServiceView(catalog.Query{Kind: catalog.ServiceHealth, Name: "db"}, []catalog.Instance{i})
	}
	web := catalog.NewServiceView(catalog.Query{Kind: catalog.ServiceHealth, Name: "web"}, []catalog.Instance{instance("a", catalog.Passing)})
	before := NewInput(task, catalog.NewSnapshot(web, db(1)), noFilter)
	after := NewInput(task, catalog.NewSnapshot(web, db(2)), noFilter)
	if before.Condition != after.Condition {
		t.Error("a module input changed the condition's digest")
	}
	if before.Digest == after.Digest {
		t.Error("a module input did not change the input's digest")
	}
	if got := after.Services[0].UserMeta["k"]; got != "v" {
		t.Errorf("user meta = %q, want v", got)
	}
}

func TestStatusFoldsRuns(t *testing.T) {
	ok, bad, held, inspected := Run{Phase: Applied}, Run{Phase: Failed}, Run{Phase: Held}, Run{Phase: Inspected}
	tests := map[string]struct {
		runs []Run
		want Status
	}{
		"no run":                             {nil, StatusUnknown},
		"only inspections":                   {[]Run{inspected}, StatusUnknown},
		"newest succeeded":                   {[]Run{ok, bad, bad}, StatusSuccessful},
		"newest failed alone":                {[]Run{bad, ok, ok}, StatusErrored},
		"newest and another failed":          {[]Run{bad, ok, bad}, StatusCritical},
		"a run that is tried again failed":   {[]Run{{Phase: Retrying}, ok}, StatusErrored},
		"held runs count for nothing":        {[]Run{held, ok}, StatusSuccessful},
		"the sixth run is forgotten":         {[]Run{bad, ok, ok, ok, ok, bad}, StatusErrored},
		"an unchanged plan is a success too": {[]Run{{Phase: Unchanged}, bad}, StatusSuccessful},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := Fold(tc.runs); got != tc.want {
				t.Errorf("Fold = %s, want %s", got, tc.want)
			}
		})
	}
}

func TestRunKeepsTheFirstAndTheNewestErrors(t *testing.T) {
	r := Run{Phase: Retrying}
	for n := range 25 {
		r.Fail(time.Unix(int64(n), 0), fmt.Errorf("error %d", n))
	}
	if len(r.Attempts) != MaxAttempts || r.Attempts[0].Error != "error 0" || r.Error() != "error 24" || r.Attempts[1].Error != "error 16" {
		t.Errorf("attempts = %+v", r.Attempts)
	}
}

func TestSecretsNeverPrint(t *testing.T) {
	const canary = "hunter2"
	p := Provider{Name: "x", Arguments: NewSecretValue(cty.StringVal(canary)), Env: map[string]Secret{"T": NewSecret(canary)}}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{fmt.Sprintf("%v %+v %#v %s", p, p, p.Env["T"], p.Arguments), fmt.Sprintf("%#v", p), string(text),
		errors.New(fmt.Sprint(p.Env)).Error()} {
		if strings.Contains(s, canary) {
			t.Errorf("secret is shown in %s", s)
		}
	}
	if p.Env["T"].Reveal() != canary {
		t.Error("Reveal does not give the secret")
	}
}

func TestABriefPlanKeepsEveryChangeAndDropsFieldsOnly(t *testing.T) {
	p := destroying(MaxDetailed+50, "x", Delete)
	for n := range p.Changes {
		p.Changes[n].Fields = []Field{{Path: "a"}}
	}
	b := p.Brief()
	if b.Destroys() != p.Destroys() || b.Changes[MaxDetailed-1].Fields == nil || b.Changes[MaxDetailed].Fields != nil {
		t.Errorf("brief plan destroys %d, want %d, with fields up to change %d", b.Destroys(), p.Destroys(), MaxDetailed)
	}
	if p.Changes[MaxDetailed].Fields == nil {
		t.Error("Brief changed the plan itself")
	}
	p.Changes[0].Action = Update
	if b := p.Brief(); b.Changes[0].Fields != nil || b.Changes[MaxDetailed].Fields == nil {
		t.Error("an updated object kept its fields before a destroyed one")
	}
}
