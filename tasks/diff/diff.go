package diff

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"patchbay/tasks"
	"patchbay/tasks/catalog"
	"patchbay/tasks/diff/reason"
	"patchbay/tasks/diff/text"
)

// Given is all that a plan is told from.
type Given struct {
	reason.Given
	Plan tasks.Plan
	// Causes are what changed in Consul since the last run.
	Causes []catalog.Delta
}

// Of tells a plan: what is lost first, then in the order of the plan. At most
// [tasks.MaxDevices] changes are listed; more counts the rest. The lines of each are
// not written yet: see [text.Write].
func Of(g Given) (list []tasks.DeviceChange, more int) {
	t := teller{Reasons: reason.New(g.Given), causes: g.Causes, owners: map[string]*owner{}}
	if name, ok := strings.CutPrefix(g.Task.Module, "builtin/"); ok {
		t.module = name
	}
	for _, c := range g.Plan.Changes {
		t.change(c)
	}
	t.shipped()
	for _, o := range t.order {
		t.out = append(t.out, t.owned(o))
	}
	list = alike(t.out)
	slices.SortStableFunc(list, func(a, b tasks.DeviceChange) int { return cmp.Compare(rank(a), rank(b)) })
	if more = len(list) - tasks.MaxDevices; more > 0 {
		return list[:tasks.MaxDevices], more
	}
	return list, 0
}

// rank puts losses first.
func rank(d tasks.DeviceChange) int {
	loses := func(i tasks.ItemChange) bool { return i.What == tasks.ItemRemoved }
	if d.Action == tasks.Delete || slices.ContainsFunc(d.Items, loses) {
		return 0
	}
	return 1
}

// alike puts objects together that change in exactly the same way.
func alike(list []tasks.DeviceChange) (out []tasks.DeviceChange) {
	first := map[string]int{}
	for _, d := range list {
		id := fingerprint(d)
		n, found := first[id]
		switch {
		case !found:
			first[id] = len(out)
			out = append(out, d)
		case len(out[n].Alike) < tasks.MaxAlike:
			out[n].Alike = append(out[n].Alike, d.Object)
		default:
			out[n].MoreAlike++
		}
	}
	return out
}

// fingerprint is equal for changes that differ in their object only. One in which
// nothing is told but that it is made or goes is like all others of its kind.
func fingerprint(d tasks.DeviceChange) string {
	typ, rest, address := strings.Cut(d.Object, ".")
	switch space := strings.LastIndex(d.Object, " "); {
	case address && !strings.Contains(typ, " "):
		_, path, _ := strings.Cut(rest, " ")
		d.Object = typ + " " + path
	case space > 0:
		d.Object = d.Object[:space]
	}
	return strings.Join(text.Lines(d, time.Time{}), "\n")
}
