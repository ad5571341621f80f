package catalog

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
)

// Want is something that a task reads from Consul.
type Want interface {
	// Queries lists what must be watched, given the views known so far, sorted and
	// each once. complete is false while the list may still grow.
	Queries(known map[Query]*View) (queries []Query, complete bool)
}

// Queries implements [Want]: one query is all that is needed.
func (q Query) Queries(map[Query]*View) (queries []Query, complete bool) { return []Query{q}, true }

// Selector says which services a condition or a module input reads: the named
// ones, or without names every service whose name matches Regexp (RE2, not
// anchored; "" matches all).
type Selector struct {
	Names                 []string
	Regexp                string
	Datacenter, Namespace string
}

// Validate tells whether the regular expression compiles.
func (s Selector) Validate() error {
	if _, err := regexp.Compile(s.Regexp); err != nil {
		return fmt.Errorf("compile services regexp %q: %w", s.Regexp, err)
	}
	return nil
}

// Selects tells whether the selector reads the service of that name.
func (s Selector) Selects(name string) bool { return s.Matcher()(name) }

// Matcher gives [Selector.Selects] with the regular expression compiled once.
func (s Selector) Matcher() func(name string) bool {
	if len(s.Names) > 0 {
		return func(name string) bool { return slices.Contains(s.Names, name) }
	}
	re, err := regexp.Compile(s.Regexp)
	if err != nil {
		return func(string) bool { return false }
	}
	return re.MatchString
}

// Queries implements [Want]; complete is false while the list of names is not
// known yet.
func (s Selector) Queries(known map[Query]*View) (queries []Query, complete bool) {
	health := func(name string) Query {
		return Query{Kind: ServiceHealth, Name: name, Datacenter: s.Datacenter, Namespace: s.Namespace}
	}
	if len(s.Names) > 0 {
		for _, name := range s.Names {
			queries = append(queries, health(name))
		}
		slices.SortFunc(queries, compareQuery)
		return slices.Compact(queries), true
	}
	list := Query{Kind: ServiceNames, Datacenter: s.Datacenter, Namespace: s.Namespace}
	queries = append(queries, list)
	view, complete := known[list]
	re, err := regexp.Compile(s.Regexp)
	if !complete || err != nil {
		return queries, false
	}
	for _, name := range append(sortedKeys(view.Names), view.Lingering...) {
		if re.MatchString(name) {
			queries = append(queries, health(name))
		}
	}
	slices.SortFunc(queries, compareQuery)
	return queries, true
}

// Snapshot is the views of one task. The zero Snapshot holds none.
type Snapshot struct{ views map[Query]*View }

// NewSnapshot makes a snapshot of views; the last of two views of one query wins.
func NewSnapshot(views ...*View) Snapshot {
	m := make(map[Query]*View, len(views))
	for _, v := range views {
		m[v.Query] = v
	}
	return Snapshot{views: m}
}

// Collect makes the snapshot that wants need out of the views known so far. ok is
// false when one of them is still missing: a snapshot is complete or not at all.
func Collect(wants []Want, known map[Query]*View) (s Snapshot, ok bool) {
	views := map[Query]*View{}
	for _, w := range wants {
		queries, complete := w.Queries(known)
		if !complete {
			return Snapshot{}, false
		}
		for _, q := range queries {
			v, ok := known[q]
			if !ok {
				return Snapshot{}, false
			}
			views[q] = v
		}
	}
	return Snapshot{views: views}, true
}

// View gives the view of a query; ok is false when the snapshot has none.
func (s Snapshot) View(q Query) (v *View, ok bool) {
	v, ok = s.views[q]
	return v, ok
}

// Views lists all views in the order of their queries.
func (s Snapshot) Views() []*View {
	views := make([]*View, 0, len(s.views))
	for _, q := range slices.SortedFunc(maps.Keys(s.views), compareQuery) {
		views = append(views, s.views[q])
	}
	return views
}

// Instances lists every instance that sel selects, whatever its health, in the
// order of service and key.
func (s Snapshot) Instances(sel Selector) []Instance {
	queries, _ := sel.Queries(s.views)
	var out []Instance
	for _, q := range queries {
		if v, ok := s.views[q]; ok {
			out = append(out, v.Instances...)
		}
	}
	return out
}

// Same tells whether both snapshots hold equal content and equal verdicts; when
// Consul answered and by which index does not matter.
func (s Snapshot) Same(t Snapshot) bool {
	return maps.EqualFunc(s.views, t.views, func(a, b *View) bool {
		return a == b || a.Digest == b.Digest && a.Verdict.Trust == b.Verdict.Trust && a.Epoch == b.Epoch &&
			slices.Equal(a.Departures, b.Departures)
	})
}

// Source gives snapshots of Consul.
type Source interface {
	// Watch follows what wants need until ctx ends and sends a
	// snapshot when all of their queries have answered and then whenever content
	// or a verdict changed. The newest snapshot wins: one that nobody took yet is
	// replaced. The source closes the channel when ctx ends and at no other time;
	// while Consul is away it keeps trying and sends nothing. No wants: one
	// empty snapshot.
	Watch(ctx context.Context, wants []Want) <-chan Snapshot
}
