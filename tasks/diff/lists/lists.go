package lists

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"patchbay/tasks"
)

// Of tells of each list or set of an object which values come and go, in the order
// of path; those without a difference are left out. before or after is nil where the
// object is made or destroyed. A list of which only applying tells the values is left out;
// sensitive values are counted only.
func Of(typ string, before, after map[string]Leaf) []tasks.List {
	if typ == typeAS3 {
		return declared(before[attrAS3], after[attrAS3])
	}
	var out []tasks.List
	walk(&out, "", grow(before), grow(after))
	return out
}

func walk(out *[]tasks.List, path string, a, b *node) {
	switch {
	case a.open() || b.open():
		return
	case a.list() || b.list():
		compareLists(out, path, a, b)
		return
	}
	names := append(a.names(), b.names()...)
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		walk(out, attribute(path, name), a.attr(name), b.attr(name))
	}
}

// compareLists matches the values of lists within a list by their name, since those
// lists tell more; other values are the same or not.
func compareLists(out *[]tasks.List, path string, a, b *node) {
	was, is := a.elements(), b.elements()
	nested := slices.ContainsFunc(slices.Concat(was, is), (*node).nested)
	wasBy, wasNamed := byName(was)
	isBy, isNamed := byName(is)
	if !nested || !wasNamed || !isNamed {
		emit(out, path, was, is)
		return
	}
	names := slices.AppendSeq(slices.Collect(maps.Keys(wasBy)), maps.Keys(isBy))
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		walk(out, path+"["+strconv.Quote(name)+"]", wasBy[name], isBy[name])
	}
}

// byName finds values by their attribute name; ok is false when one has none of its own.
func byName(list []*node) (named map[string]*node, ok bool) {
	named = map[string]*node{}
	for _, e := range list {
		n := e.attr("name")
		if n == nil || n.leaf.Kind != Plain || n.leaf.Text == "" || named[n.leaf.Text] != nil {
			return nil, false
		}
		named[n.leaf.Text] = e
	}
	return named, true
}

func emit(out *[]tasks.List, path string, was, is []*node) {
	l := tasks.List{Path: path, Before: len(was), After: len(is)}
	l.Removed, l.Added = difference(elementsOf(was), elementsOf(is))
	if len(l.Removed)+len(l.Added) > 0 {
		*out = append(*out, l)
	}
}

func elementsOf(list []*node) (out []tasks.Element) {
	for _, n := range list {
		if e := n.element(); len(e) > 0 {
			out = append(out, e)
		}
	}
	return out
}

// difference gives what is more often in a than in b, and in b than in a, in order.
func difference(a, b []tasks.Element) (onlyA, onlyB []tasks.Element) {
	count := map[string]int{}
	for _, e := range a {
		count[identity(e)]++
	}
	for _, e := range b {
		count[identity(e)]--
	}
	pick := func(list []tasks.Element, sign int) (out []tasks.Element) {
		for _, e := range list {
			if id := identity(e); count[id]*sign > 0 {
				count[id] -= sign
				out = append(out, e)
			}
		}
		slices.SortFunc(out, func(a, b tasks.Element) int { return cmp.Compare(identity(a), identity(b)) })
		return out
	}
	return pick(a, 1), pick(b, -1)
}

// identity is equal for equal values only.
func identity(e tasks.Element) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(e)) {
		b.WriteString(strconv.Quote(k) + strconv.Quote(e[k]))
	}
	return b.String()
}
