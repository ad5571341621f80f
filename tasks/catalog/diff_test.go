package catalog

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func ids(list []Instance) string {
	var out []string
	for _, i := range list {
		out = append(out, i.ID)
	}
	return strings.Join(out, " ")
}

func TestDiffTellsEveryChangeInPlainWords(t *testing.T) {
	one := func(change func(*Instance)) []Instance {
		i := full()
		change(&i)
		return []Instance{i}
	}
	was := []Instance{full()}
	const key = "web-1.n1.team.dc1"
	cases := map[string]struct {
		before, after []Instance
		want          []string
	}{
		"nothing":     {before: was, after: was},
		"an arrival":  {after: was, want: []string{"web: instance " + key + " at 10.0.0.1:80 was registered (passing)"}},
		"a departure": {before: was, want: []string{"web: instance " + key + " at 10.0.0.1:80 is gone"}},
		"a failed check": {before: was, after: one(func(i *Instance) { i.Checks[0].Status = Critical }),
			want: []string{"web: instance " + key + ` went from passing to critical by check "http"`}},
		"a healed check": {before: one(func(i *Instance) { i.Checks[0].Status = Critical }), after: was,
			want: []string{"web: instance " + key + ` went from critical to passing by check "http"`}},
		"one check failed as another healed": {
			before: one(func(i *Instance) {
				i.Checks = []Check{{ID: "a", Name: "disk", Status: Warning}, {ID: "b", Name: "tcp", Status: Passing}}
			}),
			after: one(func(i *Instance) {
				i.Checks = []Check{{ID: "a", Name: "disk", Status: Passing}, {ID: "b", Name: "tcp", Status: Critical}}
			}),
			want: []string{"web: instance " + key + ` went from warning to critical by check "tcp"`}},
		"maintenance": {before: was, after: one(func(i *Instance) {
			i.Checks = append(i.Checks, Check{ID: "_node_maintenance", Name: "Node Maintenance Mode", Status: Critical})
		}), want: []string{"web: instance " + key + ` went from passing to maintenance by check "Node Maintenance Mode"`}},
		"the last check removed": {before: one(func(i *Instance) { i.Checks[0].Status = Critical }), after: one(func(i *Instance) { i.Checks = nil }),
			want: []string{"web: instance " + key + " went from critical to passing"}},
		"another port": {before: was, after: one(func(i *Instance) { i.Port = 81 }),
			want: []string{"web: instance " + key + " moved from 10.0.0.1:80 to 10.0.0.1:81"}},
		"the node's address": {before: one(func(i *Instance) { i.Address = "" }), after: one(func(i *Instance) { i.Address, i.Node.Address = "", "10.1.0.9" }),
			want: []string{"web: instance " + key + " moved from 10.1.0.1:80 to 10.1.0.9:80", "web: instance " + key + " changed its node"}},
		"tags, meta, weights and kind": {before: was, after: one(func(i *Instance) {
			i.Tags, i.Meta, i.Weights, i.Kind = nil, nil, Weights{1, 1}, ""
		}), want: []string{"web: instance " + key + " changed its tags", "web: instance " + key + " changed its meta",
			"web: instance " + key + " changed its weights", "web: instance " + key + " changed its kind"}},
		"several, in the order of keys": {before: pool(3)[:2], after: pool(3)[1:],
			want: []string{"web: instance web-000.n0.dc1 at 10.0.0.1:80 is gone", "web: instance web-002.n2.dc1 at 10.0.0.1:80 was registered (passing)"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, d := range Diff(c.before, c.after) {
				got = append(got, d.String())
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestADeltaKeepsTheCheckAndAPartOfItsOutput(t *testing.T) {
	failed := full()
	failed.Checks[0].Status, failed.Checks[0].Output = Critical, "x"+strings.Repeat("ü", 4000)
	d := Diff([]Instance{full()}, []Instance{failed})[0]
	if d.Check != "http" || d.From != Passing || d.To != Critical {
		t.Errorf("got %+v", d)
	}
	if len(d.Output) > maxOutput || len(d.Output) < maxOutput-utf8.UTFMax || !utf8.ValidString(d.Output) {
		t.Errorf("output of %d bytes, valid %v", len(d.Output), utf8.ValidString(d.Output))
	}
}

func TestDiffOfEqualListsIsEmptyAndOfDifferentKeysIsNot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawPool(t), drawPool(t)
		if got := Diff(a, a); len(got) != 0 {
			t.Fatalf("a list differs from itself: %v", got)
		}
		for key := range byKey(a) {
			_, still := byKey(b)[key]
			told := false
			for _, d := range Diff(a, b) {
				told = told || d.Instance == key && d.What == "removed"
			}
			if told == still {
				t.Fatalf("%s: still there %v, told gone %v", key, still, told)
			}
		}
	})
}
