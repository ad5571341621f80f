package consul

import (
	"slices"

	"patchbay/tasks/catalog"
)

// Follower gives changed views one by one, where [Client.Watch] gives all of a
// task's together: a service that does not answer holds nobody else up, and a
// change costs the same whatever else is followed.
type Follower struct {
	hub  *hub
	wake chan struct{}
	// needs and changed are guarded by the hub's lock.
	needs   map[catalog.Query]*entry
	changed map[catalog.Query]bool
}

// Follow begins to follow; nothing is needed yet. End it with [Follower.Close].
func (c *Client) Follow() *Follower {
	c.reserve()
	return &Follower{hub: c.hub, wake: make(chan struct{}, 1), needs: map[catalog.Query]*entry{}, changed: map[catalog.Query]bool{}}
}

// Need makes queries all that is followed. Views that are known already count as
// changed.
func (f *Follower) Need(queries []catalog.Query) {
	f.hub.mu.Lock()
	defer f.hub.mu.Unlock()
	before := f.needs
	f.needs = make(map[catalog.Query]*entry, len(queries))
	for _, q := range queries {
		e := f.hub.entry(q)
		f.needs[q] = e
		if before[q] == e {
			continue
		}
		e.followers[f] = true
		if e.view != nil {
			f.note(q)
		}
	}
	for q, e := range before {
		if f.needs[q] == e {
			continue
		}
		delete(f.changed, q)
		delete(e.followers, f)
		f.hub.drop(e)
	}
}

// Changed is ready when [Follower.Take] has something to give.
func (f *Follower) Changed() <-chan struct{} { return f.wake }

// Take gives the views that changed since the last Take, each the newest.
func (f *Follower) Take() []*catalog.View {
	f.hub.mu.Lock()
	defer f.hub.mu.Unlock()
	out := make([]*catalog.View, 0, len(f.changed))
	for q := range f.changed {
		out = append(out, f.needs[q].view)
	}
	clear(f.changed)
	slices.SortFunc(out, func(a, b *catalog.View) int { return a.Query.Compare(b.Query) })
	return out
}

// Close ends the following.
func (f *Follower) Close() { f.Need(nil) }

// note is called with the hub's lock held.
func (f *Follower) note(q catalog.Query) {
	f.changed[q] = true
	select {
	case f.wake <- struct{}{}:
	default:
	}
}
