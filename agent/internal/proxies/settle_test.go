package proxies

import (
	"strings"
	"testing"

	"patchbay/tasks/catalog"
)

func TestTheLastGoodInstancesAreKeptWhereTheCatalogMayLie(t *testing.T) {
	check := func(id, status string) []catalog.Check { return []catalog.Check{{ID: id, Status: status}} }
	view := func(checks []catalog.Check, change func(v *catalog.View)) *catalog.View {
		v := &catalog.View{Instances: []catalog.Instance{{ID: "web-1", Checks: checks}, {ID: "web-2", Checks: checks}}}
		change(v)
		return v
	}
	gone := func(cause catalog.DepartureCause) func(v *catalog.View) {
		return func(v *catalog.View) {
			v.Instances, v.Departures = nil, []catalog.Departure{{Cause: catalog.Deregistered}, {Cause: cause}}
		}
	}
	served := view(check("web", catalog.Passing), func(*catalog.View) {})
	for name, c := range map[string]struct {
		next *catalog.View
		why  string
	}{
		"some are there":                    {view(nil, func(v *catalog.View) { v.Instances = v.Instances[:1] }), ""},
		"all were deregistered":             {view(nil, gone(catalog.Deregistered)), ""},
		"all failed their own checks":       {view(check("web", catalog.Critical), func(*catalog.View) {}), ""},
		"a node went with its instance":     {view(nil, gone(catalog.NodeGone)), "with their nodes"},
		"nobody knows why they are gone":    {view(nil, func(v *catalog.View) { v.Instances = nil }), "with their nodes"},
		"the nodes of all look dead":        {view(check(catalog.SerfHealth, catalog.Critical), func(*catalog.View) {}), "look dead"},
		"all are gone after a loss of data": {view(nil, func(v *catalog.View) { gone(catalog.Deregistered)(v); v.Epoch++ }), "lost its data"},
	} {
		kept, why := settle(served, c.next)
		if (kept == served) != (c.why != "") || !strings.Contains(why, c.why) || (why == "") != (c.why == "") {
			t.Errorf("%s: kept %v as %q, want %q", name, kept == served, why, c.why)
		}
	}
}
