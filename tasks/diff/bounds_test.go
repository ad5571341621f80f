package diff_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"patchbay/tasks"
	"patchbay/tasks/catalog"
	"patchbay/tasks/diff"
	"patchbay/tasks/diff/reason"
	"patchbay/tasks/diff/text"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func webView(instances ...catalog.Instance) *catalog.View {
	return catalog.NewServiceView(catalog.Query{Kind: catalog.ServiceHealth, Name: "web"}, instances)
}

func webTask() tasks.Task {
	return tasks.Task{Name: "t", Module: "builtin/haproxy",
		Condition: tasks.Condition{UseAsModuleInput: true, Services: &tasks.Services{Selector: catalog.Selector{Names: []string{"web"}}}}}
}

func givenOf(p tasks.Plan, applied tasks.AppliedInput, views ...*catalog.View) diff.Given {
	return diff.Given{Plan: p, Given: reason.Given{Task: webTask(), Applied: &applied, Views: views}}
}

func digests() tasks.Plan {
	return tasks.Plan{Changes: []tasks.Change{{Address: "module.t.terraform_data.x", Type: "terraform_data", Action: tasks.Replace}}}
}

func TestAThousandMembersWithOneReasonAreOneLine(t *testing.T) {
	var was []catalog.Instance
	for n := range 1000 {
		i := anInstance(1, catalog.Passing)
		i.ID, i.Address = fmt.Sprintf("web-%04d", n), fmt.Sprintf("10.1.%d.%d", n/250, n%250)
		was = append(was, i)
	}
	ill := slices.Clone(was)
	for n := range 973 {
		ill[n].Checks = []catalog.Check{{ID: "c", Name: "http /health", Status: catalog.Critical, Output: fmt.Sprint("dial ", n)}}
	}
	var in tasks.Input
	for _, i := range was {
		in.Services = append(in.Services, tasks.Service{Instance: i})
	}
	g := givenOf(digests(), tasks.AppliedInput{Members: in.Members(), At: noon}, webView(ill...))
	g.Wanted = tasks.Input{Services: in.Services[973:]}
	g.Seen = g.Seen.See(catalog.NewSnapshot(webView(was...)), noon).See(catalog.NewSnapshot(g.Views...), noon.Add(time.Minute))
	list, more := diff.Of(g)
	want := []string{`backend web 1000 → 27 servers, − 10.1.0.0:80, 10.1.0.1:80, 10.1.0.2:80, 10.1.0.3:80, 10.1.0.4:80 and 968 more ` +
		`because check "http /health" is critical since 12:01:00 (dial 0)`}
	if d := cmp.Diff(want, text.Text(list, more, noon)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if got := list[0].Items[0]; len(got.Items) != tasks.MaxItems || got.More != 973-tasks.MaxItems {
		t.Errorf("%d items and %d more are kept", len(got.Items), got.More)
	}
}

func TestLinesAndChangesAreBounded(t *testing.T) {
	var p tasks.Plan
	for n := range 200 {
		p.Changes = append(p.Changes, tasks.Change{Address: fmt.Sprintf("module.t.acme.o%d", n), Type: "acme", Action: tasks.Update,
			Fields: []tasks.Field{{Path: fmt.Sprint("a", n), Before: "1", After: "2"}}})
	}
	list, more := diff.Of(givenOf(p, tasks.AppliedInput{}))
	if len(list) != tasks.MaxDevices || more != 150 {
		t.Fatalf("%d changes and %d more", len(list), more)
	}
	lines := text.Text(list, more, noon)
	if len(lines) != 41 || lines[40] != "and 160 more" {
		t.Errorf("%d lines, the last %q", len(lines), lines[len(lines)-1])
	}
}

func TestReasonsAreBounded(t *testing.T) {
	var was, is tasks.Input
	for n := range 100 {
		i := anInstance(n, catalog.Passing)
		was.Services = append(was.Services, tasks.Service{Instance: i})
		i.Port = 81
		is.Services = append(is.Services, tasks.Service{Instance: i})
	}
	g := givenOf(digests(), tasks.AppliedInput{Members: was.Members()})
	g.Wanted = is
	list, _ := diff.Of(g)
	counts := map[string]int{}
	for _, i := range list[0].Items {
		counts[i.What] += len(i.Items) + i.More
	}
	if len(list[0].Items) != 2*(tasks.MaxReasons+1) || counts[tasks.ItemAdded] != 100 || counts[tasks.ItemRemoved] != 100 {
		t.Errorf("%d reasons for %v", len(list[0].Items), counts)
	}
}

func TestIdenticalChangesOfManyObjectsAreGrouped(t *testing.T) {
	var p tasks.Plan
	for n := range 30 {
		p.Changes = append(p.Changes, tasks.Change{Address: fmt.Sprintf("module.t.azurerm_ip_group.g%02d", n), Type: "azurerm_ip_group", Action: tasks.Update,
			Names: map[string]string{"name": fmt.Sprintf("g%02d", n)},
			Lists: []tasks.List{{Path: "cidrs", Before: 1, After: 2, Added: []tasks.Element{{"": "10.0.0.1/32"}}}}})
	}
	list, more := diff.Of(givenOf(p, tasks.AppliedInput{}))
	want := []string{"IP group g00, g01, g02, g03, g04 and 25 more 1 → 2 addresses, + 10.0.0.1/32"}
	if d := cmp.Diff(want, text.Text(list, more, noon)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestTimesOfOneReasonAreTheFirstAndTheLast(t *testing.T) {
	a, b := anInstance(1, catalog.Passing), anInstance(2, catalog.Passing)
	in := tasks.Input{Services: []tasks.Service{{Instance: a}, {Instance: b}}}
	first, both := webView(anInstance(1, catalog.Critical), b), webView(anInstance(1, catalog.Critical), anInstance(2, catalog.Critical))
	g := givenOf(digests(), tasks.AppliedInput{Members: in.Members()}, both)
	for n, v := range []*catalog.View{webView(a, b), first, first, both} {
		g.Seen = g.Seen.See(catalog.NewSnapshot(v), noon.Add(time.Duration(n)*time.Minute))
	}
	list, more := diff.Of(g)
	for day, want := range map[time.Time]string{
		noon:                     `backend web 2 → 0 servers, − 10.0.0.1:80, 10.0.0.2:80 because check "http /health" is critical since 12:01:00 to 12:03:00`,
		noon.Add(24 * time.Hour): `backend web 2 → 0 servers, − 10.0.0.1:80, 10.0.0.2:80 because check "http /health" is critical since 2026-11-21 12:01:00 to 2026-11-21 12:03:00`,
	} {
		if d := cmp.Diff([]string{want}, text.Text(list, more, day)); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
	}
}

func TestOnlySoManyInstancesThatLeftAreRemembered(t *testing.T) {
	var seen reason.Seen
	var all []catalog.Member
	for round := range 3 {
		var list []catalog.Instance
		for n := range 600 {
			i := anInstance(1, catalog.Passing)
			i.ID, i.Address = fmt.Sprintf("web-%d-%d", round, n), fmt.Sprintf("10.%d.%d.%d", round, n/250, n%250)
			list = append(list, i)
			all = append(all, i.Member())
		}
		seen = seen.See(catalog.NewSnapshot(webView(list...)), noon.Add(time.Duration(round)*time.Minute))
	}
	seen = seen.See(catalog.NewSnapshot(webView()), noon.Add(3*time.Minute))
	g := givenOf(digests(), tasks.AppliedInput{Members: all}, webView())
	g.Seen = seen
	list, _ := diff.Of(g)
	if len(list) != 1 || len(list[0].Items) != 1 || !strings.Contains(strings.Join(text.Text(list, 0, noon), ""), "1800 → 0 servers") {
		t.Fatalf("%+v", list)
	}
	// The oldest 600 are forgotten: since when they are gone is not known any more.
	if w := list[0].Items[0].Why; w.Kind != tasks.WhyGone || !w.Since.IsZero() {
		t.Errorf("why is %+v", w)
	}
}

func TestAViewThatDidNotChangeKeepsItsTimes(t *testing.T) {
	ill := webView(anInstance(1, catalog.Critical))
	seen := reason.Seen{}.See(catalog.NewSnapshot(webView(anInstance(1, catalog.Passing))), noon)
	for n := range 5 {
		seen = seen.See(catalog.NewSnapshot(ill), noon.Add(time.Duration(n+1)*time.Minute))
	}
	in := tasks.Input{Services: []tasks.Service{{Instance: anInstance(1, catalog.Passing)}}}
	g := givenOf(digests(), tasks.AppliedInput{Members: in.Members()}, ill)
	g.Seen = seen
	list, _ := diff.Of(g)
	if w := list[0].Items[0].Why; !w.Since.Equal(noon.Add(time.Minute)) || w.Earlier {
		t.Errorf("why is %+v", w)
	}
}
