package tasks

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"patchbay/tasks/catalog"
)

// The module variables that are sets of named entries beside the services.
const (
	VariableKV              = "consul_kv"
	VariableCatalogServices = "catalog_services"
	VariableNodes           = "nodes"
)

// entryKinds tells from which queries a variable is made, and what its entries are.
var entryKinds = map[string]struct {
	word  string
	kinds []catalog.Kind
}{
	VariableKV:              {"key", []catalog.Kind{catalog.KVKey, catalog.KVPrefix}},
	VariableCatalogServices: {"service", []catalog.Kind{catalog.ServiceNames}},
	VariableNodes:           {"node", []catalog.Kind{catalog.NodeNames}},
}

// lostEntries holds when a variable that had entries has none any more. A single
// one may go when Consul's answer can be believed: somebody deleted one key.
func (g Guard) lostEntries(p Proposal) (out []Finding) {
	for _, variable := range slices.Sorted(maps.Keys(p.AppliedSets)) {
		had := p.AppliedSets[variable]
		have, given := p.WantedSets[variable]
		if len(had) == 0 || len(have) > 0 {
			continue
		}
		word := entryKinds[variable].word
		f := Finding{Rule: RuleAllEntriesLost, Decision: Allow, Evidence: []string{
			fmt.Sprintf("variable %s had %s (%s) and has none now", variable, count(len(had), word), some(had))}}
		views := viewsOf(variable, p.Views)
		switch {
		case !given:
			f.Evidence = append(f.Evidence, "the task's configuration gives the module this variable no longer")
		case g.AllowEmpty:
			f.Evidence = append(f.Evidence, "the task's guard has allow_empty = true")
		case len(had) == 1 && believed(had[0], views):
			f.Evidence = append(f.Evidence, "its only "+word+" is gone by an answer of Consul that can be believed")
		default:
			f.Decision = Hold
			f.Evidence = append(f.Evidence, entryEvidence(word, views)...)
			f.Release = "the variable gets an entry again, guard { allow_empty } of the task is set, or a person approves the plan"
		}
		out = append(out, f)
	}
	return out
}

// viewsOf picks the views from which a variable is made.
func viewsOf(variable string, views []*catalog.View) (out []*catalog.View) {
	for _, v := range views {
		if slices.Contains(entryKinds[variable].kinds, v.Query.Kind) {
			out = append(out, v)
		}
	}
	return out
}

// believed tells whether a view that would list the entry shows that it is gone:
// reads confirmed it, or the answer still lists others and so was no empty lie.
func believed(entry string, views []*catalog.View) bool {
	covers := func(v *catalog.View) bool {
		switch v.Query.Kind {
		case catalog.KVKey:
			return v.Query.Name == entry
		case catalog.KVPrefix:
			return strings.HasPrefix(entry, v.Query.Name)
		}
		return true
	}
	return slices.ContainsFunc(views, func(v *catalog.View) bool {
		return covers(v) && v.Verdict.Trust == catalog.Trusted && !v.Lists(entry) && (v.Verdict.Confirmed > 0 || !v.Empty())
	})
}

func entryEvidence(word string, views []*catalog.View) (out []string) {
	for _, v := range views {
		out = append(out, fmt.Sprintf("Consul has %s (%s, %s)", count(v.Len(), word), v.Query, v.Verdict.Trust))
		out = append(out, v.Verdict.Evidence...)
	}
	return out
}

// some quotes the first names of a list, since keys may be any text.
func some(names []string) string {
	const shown = 3
	var quoted []string
	for _, name := range names[:min(shown, len(names))] {
		quoted = append(quoted, fmt.Sprintf("%.60q", name))
	}
	if more := len(names) - shown; more > 0 {
		quoted = append(quoted, fmt.Sprintf("%d more", more))
	}
	return strings.Join(quoted, ", ")
}
