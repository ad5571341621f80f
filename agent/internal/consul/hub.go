package consul

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"patchbay/tasks/catalog"
)

// hub shares the view of each query between the watchers that need it. What
// polls publish goes in, snapshots go out, newest wins.
type hub struct {
	mu       sync.Mutex
	entries  map[catalog.Query]*entry
	watchers map[*watcher]bool
	// wake tells that entries came or went.
	wake chan struct{}
}

// entry is one query and who needs it. The hub's lock guards all but query.
type entry struct {
	query catalog.Query
	since time.Time
	// view is what watchers see; nil before the first answer.
	view *catalog.View
	err  error
	// departed is when the view last lost confirmed instances.
	departed  time.Time
	watchers  map[*watcher]bool
	followers map[*Follower]bool
}

type watcher struct {
	wants []catalog.Want
	out   chan catalog.Snapshot
	// needs is complete when no list of names is missing.
	needs    map[catalog.Query]*entry
	complete bool
	last     catalog.Snapshot
	sent     bool
}

func newHub() *hub {
	return &hub{entries: map[catalog.Query]*entry{}, watchers: map[*watcher]bool{}, wake: make(chan struct{}, 1)}
}

// join adds a watcher; it has its first snapshot at once when all is known.
func (h *hub) join(wants []catalog.Want) *watcher {
	h.mu.Lock()
	defer h.mu.Unlock()
	w := &watcher{wants: slices.Clone(wants), out: make(chan catalog.Snapshot, 1), needs: map[catalog.Query]*entry{}}
	h.watchers[w] = true
	h.resolve(w)
	h.offer(w)
	return w
}

// part removes a watcher and closes its channel.
func (h *hub) part(w *watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.watchers, w)
	h.need(w, nil)
	close(w.out)
}

// wanted lists the entries that must be polled.
func (h *hub) wanted() map[*entry]bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make(map[*entry]bool, len(h.entries))
	for _, e := range h.entries {
		out[e] = true
	}
	return out
}

func (h *hub) states() []State {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]State, 0, len(h.entries))
	for _, e := range h.entries {
		out = append(out, State{Query: e.query, View: e.view, Err: e.err, Since: e.since})
	}
	slices.SortFunc(out, func(a, b State) int {
		return cmp.Or(cmp.Compare(a.Query.Kind, b.Query.Kind), cmp.Compare(a.Query.Name, b.Query.Name),
			cmp.Compare(a.Query.Datacenter, b.Query.Datacenter), cmp.Compare(a.Query.Namespace, b.Query.Namespace))
	})
	return out
}

// publish takes what a poll knows now: its view, nil when it has none, and what
// is wrong with it. An entry that nobody needs any more is ignored.
func (h *hub) publish(e *entry, view *catalog.View, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.entries[e.query] != e {
		return
	}
	e.err = err
	if view == nil {
		return
	}
	before := e.view
	if view.Query.Kind == catalog.ServiceNames {
		view = h.linger(e, view)
	}
	e.view = view
	changed := before == nil || before.Digest != view.Digest
	if changed && len(view.Departures) > 0 {
		e.departed = time.Now()
	}
	if !changed && before.Verdict.Trust == view.Verdict.Trust {
		return
	}
	for f := range e.followers {
		f.note(e.query)
	}
	for w := range maps.Clone(e.watchers) {
		if changed && view.Query.Kind == catalog.ServiceNames {
			h.resolve(w)
		}
		h.offer(w)
	}
}

// resolve works out what w needs from the lists of names known now.
func (h *hub) resolve(w *watcher) {
	lists := map[catalog.Query]*catalog.View{}
	for q, e := range h.entries {
		if q.Kind == catalog.ServiceNames && e.view != nil {
			lists[q] = e.view
		}
	}
	w.complete = true
	var queries []catalog.Query
	for _, s := range w.wants {
		more, complete := s.Queries(lists)
		queries = append(queries, more...)
		w.complete = w.complete && complete
	}
	h.need(w, queries)
}

// need makes queries all that w needs.
func (h *hub) need(w *watcher, queries []catalog.Query) {
	before := w.needs
	w.needs = make(map[catalog.Query]*entry, len(queries))
	for _, q := range queries {
		e := h.entry(q)
		e.watchers[w] = true
		w.needs[q] = e
	}
	for q, e := range before {
		if w.needs[q] != nil {
			continue
		}
		delete(e.watchers, w)
		h.drop(e)
	}
}

// entry gives the entry of a query, which is polled from then on.
func (h *hub) entry(q catalog.Query) *entry {
	e := h.entries[q]
	if e == nil {
		e = &entry{query: q, since: time.Now(), watchers: map[*watcher]bool{}, followers: map[*Follower]bool{}}
		h.entries[q] = e
		h.rouse()
	}
	return e
}

// drop ends the polling of what nobody needs any more.
func (h *hub) drop(e *entry) {
	if len(e.watchers)+len(e.followers) == 0 && h.entries[e.query] == e {
		delete(h.entries, e.query)
		h.rouse()
	}
}

func (h *hub) rouse() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// offer gives w its snapshot when it is complete and news.
func (h *hub) offer(w *watcher) {
	if !w.complete {
		return
	}
	views := make([]*catalog.View, 0, len(w.needs))
	for _, e := range w.needs {
		if e.view == nil {
			return
		}
		views = append(views, e.view)
	}
	s := catalog.NewSnapshot(views...)
	if w.sent && s.Same(w.last) {
		return
	}
	select {
	case <-w.out:
	default:
	}
	w.out <- s
	w.last, w.sent = s, true
}
