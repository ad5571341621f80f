package tasks

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"patchbay/tasks/catalog"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func entries(variable string, names ...string) map[string][]string {
	return map[string][]string{variable: append([]string{}, names...)}
}

// keysBelow is a confirmed view of a prefix.
func keysBelow(prefix string, confirmed int, keys ...string) *catalog.View {
	m := map[string]string{}
	for _, key := range keys {
		m[key] = "v"
	}
	v := catalog.NewPairsView(catalog.Query{Kind: catalog.KVPrefix, Name: prefix}, m)
	v.Verdict.Confirmed = confirmed
	return v
}

func listed(kind catalog.Kind, names ...string) *catalog.View {
	if kind == catalog.NodeNames {
		var nodes []catalog.Node
		for _, name := range names {
			nodes = append(nodes, catalog.Node{Name: name})
		}
		return catalog.NewNodesView(catalog.Query{Kind: kind}, nodes)
	}
	m := map[string][]string{}
	for _, name := range names {
		m[name] = nil
	}
	return catalog.NewNamesView(catalog.Query{Kind: kind}, m)
}

func distrusted(v *catalog.View, trust catalog.Trust) *catalog.View {
	v.Verdict.Trust = trust
	return v
}

func TestGuardOverEntries(t *testing.T) {
	key := catalog.NewPairsView(catalog.Query{Kind: catalog.KVKey, Name: "fw/a"}, nil)
	key.Verdict.Confirmed = 2
	tests := map[string]struct {
		guard    Guard
		had      map[string][]string
		have     map[string][]string
		views    []*catalog.View
		held     bool
		says     string
		findings int
	}{
		"some of many keys go": {had: entries(VariableKV, "fw/a", "fw/b", "fw/c"), have: entries(VariableKV, "fw/b")},
		"all keys change":      {had: entries(VariableKV, "fw/a", "fw/b"), have: entries(VariableKV, "fw/c")},
		"several keys to none are held even when confirmed": {had: entries(VariableKV, "fw/a", "fw/b"), have: entries(VariableKV),
			views: []*catalog.View{keysBelow("fw/", 2)}, held: true, findings: 1, says: `variable consul_kv had 2 keys ("fw/a", "fw/b") and has none now`},
		"the evidence tells what Consul has": {had: entries(VariableKV, "fw/a", "fw/b"), have: entries(VariableKV),
			views: []*catalog.View{keysBelow("fw/", 2)}, held: true, findings: 1, says: "Consul has 0 keys (keys below fw/, trusted)"},
		"many keys are quoted and counted": {had: entries(VariableKV, "a", "b", "c\n", "d", "e"), have: entries(VariableKV),
			held: true, findings: 1, says: `("a", "b", "c\n", 2 more)`},
		"the only key may go when reads confirmed it": {had: entries(VariableKV, "fw/a"), have: entries(VariableKV),
			views: []*catalog.View{key}, findings: 1, says: "can be believed"},
		"the only key of a prefix too": {had: entries(VariableKV, "fw/a"), have: entries(VariableKV),
			views: []*catalog.View{keysBelow("fw/", 2)}, findings: 1, says: "can be believed"},
		"the only key without a view is held": {had: entries(VariableKV, "fw/a"), have: entries(VariableKV), held: true, findings: 1},
		"the only key is held when nothing was confirmed": {had: entries(VariableKV, "fw/a"), have: entries(VariableKV),
			views: []*catalog.View{keysBelow("fw/", 0)}, held: true, findings: 1},
		"the only key is held when the view is of something else": {had: entries(VariableKV, "fw/a"), have: entries(VariableKV),
			views: []*catalog.View{keysBelow("lb/", 2), listed(catalog.ServiceNames, "web")}, held: true, findings: 1},
		"the only key is held while the view still lists it": {had: entries(VariableKV, "fw/a"), have: entries(VariableKV),
			views: []*catalog.View{keysBelow("fw/", 2, "fw/a")}, held: true, findings: 1},
		"the only key is held when the view is refused": {had: entries(VariableKV, "fw/a"), have: entries(VariableKV),
			views: []*catalog.View{distrusted(keysBelow("fw/", 2), catalog.Refused)}, held: true, findings: 1, says: "refused"},
		"the only matching service may go while others are listed": {had: entries(VariableCatalogServices, "web"), have: entries(VariableCatalogServices),
			views: []*catalog.View{listed(catalog.ServiceNames, "api", "consul")}, findings: 1, says: "its only service is gone"},
		"the only service is held when the whole list is empty": {had: entries(VariableCatalogServices, "web"), have: entries(VariableCatalogServices),
			views: []*catalog.View{listed(catalog.ServiceNames)}, held: true, findings: 1, says: "Consul has 0 services (list of services, trusted)"},
		"two matching services to none are held": {had: entries(VariableCatalogServices, "api", "web"), have: entries(VariableCatalogServices),
			views: []*catalog.View{listed(catalog.ServiceNames, "consul")}, held: true, findings: 1},
		"all nodes to none are held": {had: entries(VariableNodes, "n1", "n2"), have: entries(VariableNodes),
			views: []*catalog.View{listed(catalog.NodeNames, "n3")}, held: true, findings: 1, says: "variable nodes had 2 nodes"},
		"a variable that is not given any more goes": {had: entries(VariableNodes, "n1", "n2"), have: entries(VariableKV, "a"), findings: 1,
			says: "gives the module this variable no longer"},
		"allow_empty lets a variable be emptied": {guard: Guard{AllowEmpty: true}, had: entries(VariableKV, "a", "b"), have: entries(VariableKV), findings: 1,
			says: "allow_empty"},
		"nothing known loses nothing":   {have: entries(VariableKV)},
		"an empty variable stays empty": {had: entries(VariableKV), have: entries(VariableKV)},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			v := c.guard.Review(Proposal{AppliedSets: c.had, WantedSets: c.have, Views: c.views, Selected: everything})
			if v.Held() != c.held || len(v.Findings) != c.findings {
				t.Fatalf("held = %v, want %v, %d findings, want %d: %+v", v.Held(), c.held, len(v.Findings), c.findings, v.Findings)
			}
			for _, f := range v.Findings {
				if f.Rule != RuleAllEntriesLost || c.held != (f.Release != "") || !strings.Contains(strings.Join(f.Evidence, "\n"), c.says) {
					t.Errorf("want %q, got %+v", c.says, f)
				}
			}
		})
	}
}

// A variable that had several entries is never emptied without a person.
func TestGuardNeverEmptiesAVariable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		variable := rapid.SampledFrom([]string{VariableKV, VariableCatalogServices, VariableNodes}).Draw(t, "variable")
		draw := func(label string) (out []string) {
			for n := range rapid.IntRange(0, 4).Draw(t, label) {
				out = append(out, fmt.Sprintf("%s-%d", label, n))
			}
			return out
		}
		had, have := draw("had"), draw("have")
		views := []*catalog.View{keysBelow("", rapid.IntRange(0, 2).Draw(t, "confirmed")), listed(catalog.ServiceNames, draw("name")...), listed(catalog.NodeNames, draw("node")...)}
		v := (Guard{}).Review(Proposal{AppliedSets: entries(variable, had...), WantedSets: entries(variable, have...), Views: views, Selected: everything})
		switch {
		case len(have) > 0 || len(had) == 0:
			if v.Held() {
				t.Fatalf("%d to %d entries is held: %+v", len(had), len(have), v.Findings)
			}
		case len(had) > 1 && !v.Held():
			t.Fatalf("%d entries were let go: %+v", len(had), v.Findings)
		}
	})
}

func TestSetsNameWhatTheModuleIsGiven(t *testing.T) {
	cases := map[string]struct {
		in   Input
		want map[string][]string
	}{
		"nothing":         {Input{}, map[string][]string{}},
		"empty variables": {Input{KV: map[string]string{}, CatalogServices: map[string][]string{}, Nodes: []catalog.Node{}}, map[string][]string{VariableKV: {}, VariableCatalogServices: {}, VariableNodes: {}}},
		"sorted names": {Input{KV: map[string]string{"b": "", "a": "secret"}, CatalogServices: map[string][]string{"web": {"t"}, "api": nil},
			Nodes: []catalog.Node{{Name: "n2"}, {Name: "n1"}}},
			map[string][]string{VariableKV: {"a", "b"}, VariableCatalogServices: {"api", "web"}, VariableNodes: {"n1", "n2"}}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := c.in.Sets()
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for variable, names := range got {
				if !slices.IsSorted(names) {
					t.Errorf("%s: %v", variable, names)
				}
			}
		})
	}
}
