package diff_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"patchbay/tasks"
	"patchbay/tasks/catalog"
	"patchbay/tasks/diff"
	"patchbay/tasks/diff/lists"
	"patchbay/tasks/diff/reason"
	"patchbay/tasks/diff/text"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// anInstance is one of a few, so that a random list has some in common with another.
func anInstance(n int, state string) catalog.Instance {
	i := catalog.Instance{ID: fmt.Sprintf("web-%d", n), Name: "web", Address: fmt.Sprintf("10.0.0.%d", n), Port: 80,
		Weights: catalog.Weights{Passing: 1, Warning: 1}, Node: catalog.Node{Name: fmt.Sprintf("n%d", n%3), Datacenter: "dc1"}}
	if state != catalog.Passing {
		i.Checks = []catalog.Check{{ID: "c", Name: "http /health", Status: state}}
	}
	return i
}

// world is a random history of one service: what was applied, then what Consul shows.
func world(t *rapid.T) (diff.Given, []string, []string) {
	numbers := rapid.SliceOfNDistinct(rapid.IntRange(1, 15), 0, 15, rapid.ID)
	states := rapid.SampledFrom([]string{catalog.Passing, catalog.Passing, catalog.Warning, catalog.Critical})
	query := catalog.Query{Kind: catalog.ServiceHealth, Name: "web"}
	view := func(label string) (*catalog.View, tasks.Input) {
		var list []catalog.Instance
		var in tasks.Input
		for _, n := range numbers.Draw(t, label) {
			i := anInstance(n, states.Draw(t, "state"))
			list = append(list, i)
			if i.Status() == catalog.Passing {
				in.Services = append(in.Services, tasks.Service{Instance: i})
			}
		}
		return catalog.NewServiceView(query, list), in
	}
	at := time.Date(2026, 11, 21, 14, 0, 0, 0, time.UTC)
	before, was := view("before")
	after, is := view("after")
	g := diff.Given{Given: reason.Given{Wanted: is, Views: []*catalog.View{after},
		Applied: &tasks.AppliedInput{Members: was.Members(), Traits: was.Traits(), At: at},
		Seen:    reason.Seen{}.See(catalog.NewSnapshot(before), at).See(catalog.NewSnapshot(after), at.Add(time.Minute))}}
	g.Task.Name = "t"
	g.Task.Condition = tasks.Condition{UseAsModuleInput: true, Services: &tasks.Services{Selector: catalog.Selector{Names: []string{"web"}}}}
	return g, endpoints(was), endpoints(is)
}

func endpoints(in tasks.Input) (out []string) {
	for _, m := range in.Members() {
		out = append(out, fmt.Sprintf("%s:%d", m.Address, m.Port))
	}
	slices.Sort(out)
	return out
}

func minus(a, b []string) (out []string) {
	for _, x := range a {
		if !slices.Contains(b, x) {
			out = append(out, x)
		}
	}
	return out
}

// shown gives all items of a kind of change.
func shown(list []tasks.DeviceChange, what string) (out []string) {
	for _, d := range list {
		for _, i := range d.Items {
			if i.What == what {
				out = append(out, i.Items...)
			}
		}
	}
	slices.Sort(out)
	return out
}

// plans are two ways in which a plan tells the same: by digests only, and by a list.
func plans(was, is []string) map[string]func(*diff.Given) {
	list := func(all []string) map[string]lists.Leaf {
		out := map[string]lists.Leaf{"taskid": {Text: "~t~a~web"}, "node": {Kind: lists.NoElements}}
		for n, e := range all {
			delete(out, "node")
			ip, port, _ := strings.Cut(e, ":")
			for attr, value := range map[string]string{"id": e, "ip": ip, "port": port} {
				out[fmt.Sprintf("node[%d].%s", n, attr)] = lists.Leaf{Text: value}
			}
		}
		return out
	}
	return map[string]func(*diff.Given){
		"a module that shows digests": func(g *diff.Given) {
			g.Task.Module = "builtin/nginx"
			g.Plan = tasks.Plan{Changes: []tasks.Change{{Address: "module.t.terraform_data.u", Type: "terraform_data", Action: tasks.Replace,
				Fields: []tasks.Field{{Path: "triggers_replace.upstreams.web", Before: "a", After: "b"}}}}}
		},
		"a resource with a list": func(g *diff.Given) {
			const typ = "bigip_event_service_discovery"
			g.Plan = tasks.Plan{Changes: []tasks.Change{{Address: "module.t." + typ + ".p", Type: typ, Action: tasks.Update,
				Names: diff.Names(typ, list(was), list(is)), Lists: lists.Of(typ, list(was), list(is))}}}
		},
	}
}

func TestTheMembersToldAreTheDifferenceOfTheTwoSets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		given, was, is := world(t)
		for name, plan := range plans(was, is) {
			g := given
			plan(&g)
			got, more := diff.Of(g)
			if more != 0 {
				t.Fatalf("%s: %d more changes", name, more)
			}
			for what, want := range map[string][]string{tasks.ItemRemoved: minus(was, is), tasks.ItemAdded: minus(is, was)} {
				if d := cmp.Diff(want, shown(got, what)); d != "" {
					t.Errorf("%s: %s: -want +got:\n%s", name, what, d)
				}
			}
			for _, d := range got {
				if d.Unit != "" && (d.Size == nil || d.Size.Before != len(was) || d.Size.After != len(is)) {
					t.Errorf("%s: size is %+v, want %d and %d", name, d.Size, len(was), len(is))
				}
			}
		}
	})
}

func TestEveryMemberThatLeavesHasAReason(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g, was, is := world(t)
		plans(was, is)["a module that shows digests"](&g)
		list, _ := diff.Of(g)
		for _, d := range list {
			for _, i := range d.Items {
				if i.Why == nil || i.Why.Kind == "" || i.What == tasks.ItemRemoved && i.Why.Since.IsZero() {
					t.Errorf("%s %v has reason %+v", i.What, i.Items, i.Why)
				}
			}
		}
	})
}

func TestListsDoNotDependOnTheOrderOfTheirValues(t *testing.T) {
	values := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "d"}), 0, 6)
	leaves := func(all []string) map[string]lists.Leaf {
		out := map[string]lists.Leaf{"x": {Kind: lists.NoElements}}
		for n, v := range all {
			delete(out, "x")
			out[fmt.Sprintf("x[%d]", n)] = lists.Leaf{Text: v}
		}
		return out
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := values.Draw(t, "before"), values.Draw(t, "after")
		first := lists.Of("t", leaves(a), leaves(b))
		again := lists.Of("t", leaves(rapid.Permutation(a).Draw(t, "again")), leaves(rapid.Permutation(b).Draw(t, "and again")))
		if d := cmp.Diff(first, again); d != "" {
			t.Fatalf("-first +again:\n%s", d)
		}
		count := func(all []string, v string) (n int) {
			for _, x := range all {
				if x == v {
					n++
				}
			}
			return n
		}
		told := map[string]int{}
		for _, l := range first {
			for _, e := range l.Added {
				told[e[""]]++
			}
			for _, e := range l.Removed {
				told[e[""]]--
			}
		}
		for _, v := range []string{"a", "b", "c", "d"} {
			if want := count(b, v) - count(a, v); told[v] != want {
				t.Errorf("%s: told %d, want %d", v, told[v], want)
			}
		}
	})
}

func TestNoTextActsOnATerminalOrHasNoBound(t *testing.T) {
	odd := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"\x1b[2J", "a\nb", "\u202e", "\x9b31m", string([]byte{0xff, 0x1b}), strings.Repeat("ü", 5000)}))
	rapid.Check(t, func(t *rapid.T) {
		i := anInstance(1, catalog.Critical)
		i.ID, i.Address, i.Node.Name = odd.Draw(t, "id"), odd.Draw(t, "address"), odd.Draw(t, "node")
		i.Checks[0].Name, i.Checks[0].Output = odd.Draw(t, "check"), odd.Draw(t, "output")
		view := catalog.NewServiceView(catalog.Query{Kind: catalog.ServiceHealth, Name: "web"}, []catalog.Instance{i})
		g, _, _ := world(t)
		g.Task.Module = odd.Draw(t, "module")
		g.Applied.Members = []catalog.Member{i.Member()}
		g.Wanted, g.Views = tasks.Input{}, []*catalog.View{view}
		g.Plan = tasks.Plan{Changes: []tasks.Change{
			{Address: "module.t.x.y[" + odd.Draw(t, "key") + "]", Type: odd.Draw(t, "type"), Action: tasks.Delete},
			{Address: "module.t.bigip_ltm_pool_attachment.m", Type: "bigip_ltm_pool_attachment", Action: tasks.Delete,
				Names: map[string]string{"pool": odd.Draw(t, "pool"), "node": i.Address}},
			{Address: odd.Draw(t, "other"), Type: "z", Action: tasks.Update, Fields: []tasks.Field{{Path: odd.Draw(t, "path"), Before: odd.Draw(t, "was")}},
				Lists: []tasks.List{{Path: odd.Draw(t, "list"), Removed: []tasks.Element{{"": odd.Draw(t, "element")}}}}},
		}}
		list, more := diff.Of(g)
		lines := text.Text(list, more, g.Applied.At)
		for _, d := range text.Write(list, g.Applied.At) {
			lines = append(lines, d.Text...)
		}
		for _, l := range append(lines, text.Summary(list, more)) {
			if strings.ContainsFunc(l, func(r rune) bool { return !unicode.IsPrint(r) }) || utf8.RuneCountInString(l) > 2000 {
				t.Errorf("a line of %d characters: %.200q", utf8.RuneCountInString(l), l)
			}
		}
	})
}
