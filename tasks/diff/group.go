package diff

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"patchbay/tasks"
	"patchbay/tasks/diff/text"
)

// order is that in which changes of items are told: losses first.
var order = []string{tasks.ItemRemoved, tasks.ItemChanged, tasks.ItemAdded}

// group makes one entry of all items that change in one way for one reason, in the
// order of their first; those beyond [tasks.MaxReasons] have one without a reason.
func group(what string, list []told) (out []tasks.ItemChange) {
	slices.SortStableFunc(list, func(a, b told) int { return compareItems(a.item, b.item) })
	at := map[string]int{}
	for _, x := range list {
		x.item, x.detail = text.Clean(x.item, text.MaxName), text.Clean(x.detail, text.MaxName)
		id := "because " + x.detail + "\x00" + sameness(x.why)
		n, found := at[id]
		if !found && len(out) >= tasks.MaxReasons {
			id, x.detail, x.why = "", "", nil
			n, found = at[id]
		}
		if !found {
			at[id] = len(out)
			out = append(out, tasks.ItemChange{What: what, Items: []string{x.item}, Detail: x.detail, Why: x.why})
			continue
		}
		if len(out[n].Items) < tasks.MaxItems {
			out[n].Items = append(out[n].Items, x.item)
		} else {
			out[n].More++
		}
		if x.why != nil && out[n].Why != nil {
			out[n].Why = widen(*out[n].Why, *x.why)
		}
	}
	return out
}

// compareItems orders addresses by their numbers, before other texts.
func compareItems(a, b string) int {
	x, xPort := numbers(a)
	y, yPort := numbers(b)
	switch {
	case x.IsValid() && y.IsValid():
		return cmp.Or(x.Compare(y), cmp.Compare(xPort, yPort), cmp.Compare(a, b))
	case x.IsValid() != y.IsValid():
		return cmp.Compare(y.BitLen(), x.BitLen())
	}
	return cmp.Compare(a, b)
}

// numbers reads an address with or without a port.
func numbers(item string) (netip.Addr, uint16) {
	if at, err := netip.ParseAddrPort(item); err == nil {
		return at.Addr(), at.Port()
	}
	if p, err := netip.ParsePrefix(item); err == nil {
		return p.Addr(), 0
	}
	a, err := netip.ParseAddr(item)
	if err != nil {
		return netip.Addr{}, 0
	}
	return a, 0
}

// sameness is equal for reasons that are told together: those of one check on many
// instances are, whatever it printed on each.
func sameness(w *tasks.Why) string {
	if w == nil {
		return ""
	}
	parts := []string{w.Kind, w.Check, w.Status, w.Node, strconv.FormatBool(w.Earlier)}
	switch w.Kind {
	case tasks.WhyMoved:
		parts = append(parts, w.Instance, w.To)
	case tasks.WhySelection:
		parts = append(parts, w.Service)
	case tasks.WhyMaintenance: // somebody's words
		parts = append(parts, w.Output)
	}
	return strings.Join(parts, "\x00")
}

// widen makes the times of a reason cover another one's.
func widen(w, other tasks.Why) *tasks.Why {
	if other.Since.IsZero() || w.Since.IsZero() {
		w.Since, w.Last = time.Time{}, time.Time{}
		return &w
	}
	last := func(w tasks.Why) time.Time {
		if w.Last.IsZero() {
			return w.Since
		}
		return w.Last
	}
	first, end := w.Since, last(w)
	if other.Since.Before(first) {
		first = other.Since
	}
	if o := last(other); o.After(end) {
		end = o
	}
	w.Since, w.Last = first, time.Time{}
	if end.After(first) {
		w.Last = end
	}
	if other.After > 0 && other.After < w.After {
		w.After = other.After // at least as long
	}
	return &w
}
