package catalog

import (
	"fmt"
	"maps"
	"slices"
)

// DiffViews lists what changed between two views of one query in the order of
// names: instances as [Diff] does, keys created, changed and deleted, services that
// appeared or went, nodes that came, moved, changed or went. nil counts as empty. A
// task that sees a part of a list, by a regexp, picks its own deltas.
func DiffViews(before, after *View) (out []Delta) {
	if before == nil {
		before = &View{}
	}
	if after == nil {
		after = &View{}
	}
	out = Diff(before.Instances, after.Instances)
	out = append(out, diffPairs(before.Pairs, after.Pairs)...)
	out = append(out, diffNames(before.Names, after.Names)...)
	return append(out, diffNodes(before.Nodes, after.Nodes)...)
}

// union lists the keys of both maps in order, each once.
func union[V any](a, b map[string]V) []string {
	all := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(all)
	return slices.Compact(all)
}

func diffPairs(was, is map[string]string) (out []Delta) {
	for _, key := range union(was, is) {
		a, had := was[key]
		b, has := is[key]
		switch {
		case !had:
			out = append(out, Delta{Key: key, What: "added"})
		case !has:
			out = append(out, Delta{Key: key, What: "removed"})
		case a != b:
			out = append(out, Delta{Key: key, What: "changed"})
		}
	}
	return out
}

func diffNames(was, is map[string][]string) (out []Delta) {
	for _, name := range union(was, is) {
		_, had := was[name]
		_, has := is[name]
		switch {
		case !had:
			out = append(out, Delta{Service: name, What: "added"})
		case !has:
			out = append(out, Delta{Service: name, What: "removed"})
		}
	}
	return out
}

func diffNodes(before, after []Node) (out []Delta) {
	byName := func(list []Node) map[string]Node {
		m := make(map[string]Node, len(list))
		for _, n := range list {
			m[n.Name] = n
		}
		return m
	}
	was, is := byName(before), byName(after)
	for _, name := range union(was, is) {
		a, had := was[name]
		b, has := is[name]
		switch {
		case !had:
			out = append(out, Delta{Node: name, What: "added", To: b.Address})
			continue
		case !has:
			out = append(out, Delta{Node: name, What: "removed", From: a.Address})
			continue
		}
		if a.Address != b.Address {
			out = append(out, Delta{Node: name, What: "address", From: a.Address, To: b.Address})
		}
		for _, field := range changedNode(a, b) {
			out = append(out, Delta{Node: name, What: "changed", To: field})
		}
	}
	return out
}

func changedNode(a, b Node) (fields []string) {
	if a.ID != b.ID {
		fields = append(fields, "id")
	}
	if !maps.Equal(a.TaggedAddresses, b.TaggedAddresses) {
		fields = append(fields, "tagged addresses")
	}
	if !maps.Equal(a.Meta, b.Meta) {
		fields = append(fields, "meta")
	}
	return fields
}

// keyText quotes the key, which may be any text.
func (d Delta) keyText() string {
	verb := map[string]string{"added": "created", "removed": "deleted"}[d.What]
	if verb == "" {
		verb = "changed"
	}
	return fmt.Sprintf("key %q was %s", d.Key, verb)
}

func (d Delta) serviceText() string {
	if d.What == "removed" {
		return fmt.Sprintf("service %s is gone", d.Service)
	}
	return fmt.Sprintf("service %s appeared", d.Service)
}

func (d Delta) nodeText() string {
	switch d.What {
	case "added":
		return fmt.Sprintf("node %s at %s was registered", d.Node, d.To)
	case "removed":
		return fmt.Sprintf("node %s at %s is gone", d.Node, d.From)
	case "address":
		return fmt.Sprintf("node %s moved from %s to %s", d.Node, d.From, d.To)
	}
	return fmt.Sprintf("node %s changed its %s", d.Node, d.To)
}
