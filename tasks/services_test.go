package tasks

import (
	"testing"

	"patchbay/tasks/catalog"

	"github.com/google/go-cmp/cmp"
)

// differing selects web in the agent's datacenter and, with metadata, web in dc2
// and db where the port is 1.
func differing() *Services {
	names := func(name, datacenter string) catalog.Selector {
		return catalog.Selector{Names: []string{name}, Datacenter: datacenter}
	}
	return &Services{Selector: names("web", ""), Others: []Services{
		{Selector: names("web", "dc2"), UserMeta: map[string]string{"k": "two"}},
		{Selector: names("db", ""), Filter: "Service.Port == 1", UserMeta: map[string]string{"k": "db"}}}}
}

func viewOf(name, datacenter string, ports ...int) *catalog.View {
	in := datacenter
	if in == "" {
		in = "dc1"
	}
	var list []catalog.Instance
	for n, port := range ports {
		i := instance(name+string(rune('a'+n)), catalog.Passing)
		i.Name, i.Port, i.Node.Datacenter = name, port, in
		list = append(list, i)
	}
	return catalog.NewServiceView(catalog.Query{Kind: catalog.ServiceHealth, Name: name, Datacenter: datacenter}, list)
}

func portOne(filter string) Matcher {
	if filter == "" {
		return nil
	}
	return func(i catalog.Instance) bool { return i.Port == 1 }
}

func TestServicesThatDifferAreEachReadInTheirOwnWay(t *testing.T) {
	task := webTask("")
	task.Condition.Services = differing()
	snapshot, complete := catalog.Collect(task.Wants(), map[catalog.Query]*catalog.View{})
	if complete {
		t.Fatalf("nothing was asked for: %v", snapshot)
	}
	views := map[catalog.Query]*catalog.View{}
	for _, v := range []*catalog.View{viewOf("web", "", 80), viewOf("web", "dc2", 80), viewOf("db", "", 1, 2)} {
		views[v.Query] = v
	}
	snapshot, complete = catalog.Collect(task.Wants(), views)
	if !complete {
		t.Fatal("the task wants more than its three services")
	}
	in := NewInput(task, snapshot, portOne)
	got := map[string]string{}
	for _, s := range in.Services {
		got[s.Key()] = s.UserMeta["k"]
	}
	if diff := cmp.Diff(map[string]string{"weba.n1.dc1": "", "weba.n1.dc2": "two", "dba.n1.dc1": "db"}, got); diff != "" {
		t.Errorf("metadata by key (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"", "Service.Port == 1"}, task.Filters()); diff != "" {
		t.Errorf("filters (-want +got):\n%s", diff)
	}
}

func TestAnyOfTheServicesThatDifferStartsARun(t *testing.T) {
	task := webTask("")
	task.Condition.Services = differing()
	before := NewInput(task, catalog.NewSnapshot(viewOf("web", "", 80), viewOf("web", "dc2", 80), viewOf("db", "", 1)), portOne)
	for sentence, c := range map[string]struct {
		views []*catalog.View
		same  bool
	}{
		"the first changes":                {[]*catalog.View{viewOf("web", "", 81), viewOf("web", "dc2", 80), viewOf("db", "", 1)}, false},
		"the second changes":               {[]*catalog.View{viewOf("web", "", 80), viewOf("web", "dc2", 81), viewOf("db", "", 1)}, false},
		"the third loses all":              {[]*catalog.View{viewOf("web", "", 80), viewOf("web", "dc2", 80), viewOf("db", "")}, false},
		"what its filter leaves out comes": {[]*catalog.View{viewOf("web", "", 80), viewOf("web", "dc2", 80), viewOf("db", "", 1, 2)}, true},
	} {
		after := NewInput(task, catalog.NewSnapshot(c.views...), portOne)
		if same := after.Condition == before.Condition; same != c.same {
			t.Errorf("%s: the condition is the same: %v, want %v", sentence, same, c.same)
		}
		if same := after.Digest == before.Digest; same != c.same {
			t.Errorf("%s: the input is the same: %v, want %v", sentence, same, c.same)
		}
	}
	other := task
	other.Condition.Services = differing()
	other.Condition.Services.Others[0].UserMeta = map[string]string{"k": "three"}
	if in := NewInput(other, catalog.NewSnapshot(viewOf("web", "", 80), viewOf("web", "dc2", 80), viewOf("db", "", 1)), portOne); in.Digest == before.Digest {
		t.Error("other metadata of one service give the same input")
	}
}

func TestAnInstanceThatSeveralSelectionsHaveIsGivenOnce(t *testing.T) {
	twice := &Services{Selector: catalog.Selector{Names: []string{"web"}}, UserMeta: map[string]string{"k": "first"},
		Others: []Services{{Selector: catalog.Selector{Names: []string{"web"}}, Filter: "Service.Port == 1", UserMeta: map[string]string{"k": "last"}}}}
	got := map[string]string{}
	list := twice.Select(catalog.NewSnapshot(viewOf("web", "", 1, 2)), portOne)
	for _, s := range list {
		got[s.Key()] = s.UserMeta["k"]
	}
	if diff := cmp.Diff(map[string]string{"weba.n1.dc1": "last", "webb.n1.dc1": "first"}, got); diff != "" || len(list) != 2 {
		t.Errorf("%d services, metadata by key (-want +got):\n%s", len(list), diff)
	}
}

func TestTheGuardKnowsThatEveryOneOfDifferingServicesIsSelected(t *testing.T) {
	task := webTask("")
	task.Condition = Condition{Schedule: &Schedule{Cron: "@daily"}}
	task.ModuleInputs = []ModuleInput{{Services: differing()}}
	s, ok := task.InputServices()
	if !ok || !s.Selects("web") || !s.Selects("db") || s.Selects("other") {
		t.Fatalf("selected: %v %+v", ok, s)
	}
	v := Guard{}.Review(Proposal{Applied: []catalog.Member{{Key: "a", Service: "db"}, {Key: "b", Service: "db"}}, Selected: s.Selects})
	if !v.Held() {
		t.Errorf("a service beside the first lost all of its members and was let through: %+v", v.Findings)
	}
}
