package consul

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"patchbay/tasks/catalog"
)

const (
	// lingerFor is how long a service that lost its last instance stays listed: a
	// failing device may keep the run that removes it from succeeding that long.
	lingerFor = 24 * time.Hour
	// maxLingering bounds how many such services stay, newest first.
	maxLingering = 256
)

// linger keeps names to be read that Consul does not list any more but whose
// health view still speaks of them. Consul tells of a lost last instance twice,
// and the list needs no confirmation where the health does. Were the name to go
// at once, the view would leave the snapshot before its shrink was judged, and
// with it the evidence by which a guard lets a last instance go. So a name stays
// to be read while its view has instances, and, once they are confirmed gone, for lingerFor.
func (h *hub) linger(e *entry, view *catalog.View) *catalog.View {
	if e.view == nil {
		return view
	}
	var gone []*entry
	var keep []string
	for _, name := range append(slices.Collect(maps.Keys(e.view.Names)), e.view.Lingering...) {
		health := h.entries[catalog.Query{Kind: catalog.ServiceHealth, Name: name,
			Datacenter: e.query.Datacenter, Namespace: e.query.Namespace}]
		_, listed := view.Names[name]
		switch {
		case listed || health == nil || health.view == nil:
		case len(health.view.Instances) > 0:
			keep = append(keep, name)
		case len(health.view.Departures) > 0 && time.Since(health.departed) < lingerFor:
			gone = append(gone, health)
		}
	}
	slices.SortFunc(gone, func(a, b *entry) int {
		return cmp.Or(b.departed.Compare(a.departed), cmp.Compare(a.query.Name, b.query.Name))
	})
	for _, health := range gone[:min(maxLingering, len(gone))] {
		keep = append(keep, health.query.Name)
	}
	return view.Linger(keep)
}
