package reason

import (
	"cmp"
	"slices"
	"time"

	"patchbay/tasks/catalog"
)

// maxGone is how many instances that left are remembered for each service.
const maxGone = 1000

// Seen remembers since when an agent sees each instance in its state, for Consul does
// not tell. It is immutable; the zero Seen has seen nothing.
type Seen struct {
	views map[catalog.Query]seenView
}

type seenView struct {
	digest     catalog.Digest
	departures []catalog.Departure
	instances  map[string]sighting
}

// sighting is what is known of one instance over time.
type sighting struct {
	// state is passing, or a state with the check that makes it.
	state state
	// since is when the state was first seen; earlier says that it was so already when
	// the agent began to look.
	since   time.Time
	earlier bool
	// first is when the instance was first seen.
	first time.Time
	// known says that the instance was there when the agent began to look.
	known bool
	// fell is when it last ceased to pass, and why the state before the present one.
	fell time.Time
	why  state
	gone bool
	// cause tells how it left; "" when that is not known.
	cause catalog.DepartureCause
}

type state struct {
	status, checkID, service, check, output string
}

// same tells whether one and the same check makes the state.
func (s state) same(t state) bool {
	return s.status == t.status && s.checkID == t.checkID && s.service == t.service
}

// See adds what a snapshot shows at a time. A view that did not change costs nothing.
func (s Seen) See(snapshot catalog.Snapshot, now time.Time) Seen {
	out := Seen{views: map[catalog.Query]seenView{}}
	for _, v := range snapshot.Views() {
		if v.Query.Kind != catalog.ServiceHealth {
			continue
		}
		old, known := s.views[v.Query]
		if known && old.digest == v.Digest && slices.Equal(old.departures, v.Departures) {
			out.views[v.Query] = old
			continue
		}
		// Of a service that appears later all is new, but not of the first snapshot.
		out.views[v.Query] = old.see(v, now, !known && s.views == nil)
	}
	return out
}

func (old seenView) see(v *catalog.View, now time.Time, first bool) seenView {
	out := seenView{digest: v.Digest, departures: v.Departures, instances: make(map[string]sighting, len(v.Instances))}
	for _, i := range v.Instances {
		key := i.Key()
		was, had := old.instances[key]
		out.instances[key] = was.next(i, now, had && !was.gone, first)
	}
	causes := map[string]catalog.DepartureCause{}
	for _, d := range v.Departures {
		causes[d.Member.Key] = d.Cause
	}
	for key, was := range old.instances {
		if _, still := out.instances[key]; still {
			continue
		}
		if !was.gone {
			was.gone, was.since, was.earlier = true, now, false
		}
		was.cause = cmp.Or(causes[key], was.cause)
		out.instances[key] = was
	}
	out.forget()
	return out
}

// forget keeps the instances that left last only.
func (v seenView) forget() {
	var gone []string
	for key, s := range v.instances {
		if s.gone {
			gone = append(gone, key)
		}
	}
	if len(gone) <= maxGone {
		return
	}
	slices.SortFunc(gone, func(a, b string) int {
		return cmp.Or(v.instances[b].since.Compare(v.instances[a].since), cmp.Compare(a, b))
	})
	for _, key := range gone[maxGone:] {
		delete(v.instances, key)
	}
}

// next is the sighting of an instance that is there now; had tells that it was there
// before, earliest that nothing is known of the time before.
func (s sighting) next(i catalog.Instance, now time.Time, had, earliest bool) sighting {
	is := stateOf(i)
	switch {
	case !had:
		s = sighting{state: is, since: now, earlier: earliest, first: now, known: earliest}
	case !s.state.same(is):
		if s.state.status == catalog.Passing {
			s.fell = now
		} else {
			s.why = s.state
		}
		s.state, s.since, s.earlier = is, now, false
	default:
		s.state = is // its output may be newer
	}
	return s
}

func stateOf(i catalog.Instance) state {
	out := state{status: i.Status()}
	c, ok := i.WorstCheck()
	if !ok || out.status == catalog.Passing {
		return out
	}
	out.checkID, out.service, out.check, out.output = c.ID, c.ServiceID, c.Name, c.Output
	if out.status == catalog.Maintenance {
		out.output = c.Notes
	}
	return out
}

// of finds an instance of a service by its key.
func (s Seen) of(service, key string) (found sighting, ok bool) {
	for q, v := range s.views {
		if q.Name != service {
			continue
		}
		if i, has := v.instances[key]; has {
			return i, true
		}
	}
	return sighting{}, false
}
