package reason_test

import (
	"testing"
	"time"

	"patchbay/tasks"
	"patchbay/tasks/catalog"
	"patchbay/tasks/diff/reason"

	"github.com/google/go-cmp/cmp"
)

var (
	noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	web  = catalog.Instance{ID: "web-1", Name: "web", Address: "10.0.0.1", Port: 80, Node: catalog.Node{Name: "n1", Datacenter: "dc1"},
		Weights: catalog.Weights{Passing: 1, Warning: 1}}
	other = catalog.Instance{ID: "web-2", Name: "web", Address: "10.0.0.2", Port: 80, Node: catalog.Node{Name: "n2", Datacenter: "dc1"}}
)

func ill(i catalog.Instance, c catalog.Check) catalog.Instance {
	i.Checks = []catalog.Check{c}
	return i
}

func view(departed catalog.DepartureCause, list ...catalog.Instance) *catalog.View {
	v := catalog.NewServiceView(catalog.Query{Kind: catalog.ServiceHealth, Name: "web"}, list)
	if departed != "" {
		v.Departures = []catalog.Departure{{Member: web.Member(), Cause: departed}}
	}
	return v
}

// after plays views, a minute between two, and asks why web-1 left.
func after(filter string, views ...*catalog.View) *tasks.Why {
	g := reason.Given{Applied: &tasks.AppliedInput{Members: []catalog.Member{web.Member()}, At: noon}, Views: views[len(views)-1:]}
	g.Task.Condition = tasks.Condition{UseAsModuleInput: true, Services: &tasks.Services{Filter: filter, Selector: catalog.Selector{Names: []string{"web"}}}}
	for n, v := range views {
		g.Seen = g.Seen.See(catalog.NewSnapshot(v), noon.Add(time.Duration(n)*time.Minute))
	}
	return reason.New(g).Removed("10.0.0.1:80")
}

func TestWhyAMemberLeft(t *testing.T) {
	critical := ill(web, catalog.Check{ID: "c", Name: "http", Status: catalog.Critical, Output: "\n first \nsecond"})
	worse := ill(web, catalog.Check{ID: "d", Name: "tcp", Status: catalog.Critical})
	maintained := ill(web, catalog.Check{ID: "_node_maintenance", Name: "Node Maintenance Mode", Status: catalog.Critical, Notes: "CHG-1", Output: "not this"})
	why := func(kind string, minute int, change func(*tasks.Why)) *tasks.Why {
		w := &tasks.Why{Kind: kind, Service: "web", Instance: "web-1.n1.dc1"}
		if minute >= 0 {
			w.Since = noon.Add(time.Duration(minute) * time.Minute)
		}
		if change != nil {
			change(w)
		}
		return w
	}
	failing := func(check, output string) func(*tasks.Why) {
		return func(w *tasks.Why) { w.Check, w.Status, w.Output = check, catalog.Critical, output }
	}
	tests := map[string]struct{ got, want *tasks.Why }{
		"a check fails":                    {after("", view("", web), view("", critical)), why(tasks.WhyCheck, 1, failing("http", "first"))},
		"it failed when the agent began":   {after("", view("", critical)), why(tasks.WhyCheck, 0, func(w *tasks.Why) { failing("http", "first")(w); w.Earlier = true })},
		"another check fails in its place": {after("", view("", web), view("", critical), view("", worse)), why(tasks.WhyCheck, 2, failing("tcp", ""))},
		"it went on failing":               {after("", view("", web), view("", critical), view("", critical, other)), why(tasks.WhyCheck, 1, failing("http", "first"))},
		"somebody works on its node": {after("", view("", web), view("", maintained)), why(tasks.WhyMaintenance, 1, func(w *tasks.Why) {
			w.Check, w.Status, w.Output = "Node Maintenance Mode", catalog.Maintenance, "CHG-1"
		})},
		"it is gone, nobody knows how":          {after("", view("", web), view("", other)), why(tasks.WhyGone, 1, nil)},
		"it was deregistered":                   {after("", view("", web), view(catalog.Deregistered)), why(tasks.WhyDeregistered, 1, nil)},
		"how it left is told in the next view":  {after("", view("", web), view("", other), view(catalog.Deregistered, other)), why(tasks.WhyDeregistered, 1, nil)},
		"how it left was told some views ago":   {after("", view("", web), view(catalog.NodeGone), view("", other)), why(tasks.WhyNodeGone, 1, func(w *tasks.Why) { w.Node = "n1" })},
		"it was gone when the agent began":      {after("", view("", other)), why(tasks.WhyGone, -1, nil)},
		"it passes and the filter says no":      {after("x", view("", web)), why(tasks.WhyFilter, -1, nil)},
		"it came back and failed a second time": {after("", view("", critical), view("", web), view("", critical)), why(tasks.WhyCheck, 2, failing("http", "first"))},
	}
	for name, tc := range tests {
		if d := cmp.Diff(tc.want, tc.got); d != "" {
			t.Errorf("%s: -want +got:\n%s", name, d)
		}
	}
}

func TestAMemberIsFoundByEveryTextThatADeviceMayUse(t *testing.T) {
	six := web
	six.ID, six.Address = "six", "fd00::1"
	g := reason.Given{Applied: &tasks.AppliedInput{Members: []catalog.Member{web.Member(), six.Member()}}}
	r := reason.New(g)
	for _, item := range []string{"10.0.0.1:80", "10.0.0.1", "10.0.0.1/32", "web-1.n1.dc1", "[fd00::1]:80", "fd00::1", "fd00::1/128", "fd00::1.80"} {
		if w := r.Removed(item); w == nil || w.Service != "web" {
			t.Errorf("%s is no member", item)
		}
	}
	if w := r.Removed("10.0.0.9"); w != nil {
		t.Errorf("10.0.0.9 left: %+v", w)
	}
}
