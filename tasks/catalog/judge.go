package catalog

import (
	"fmt"
	"time"
)

// Doubt is what must be confirmed before an answer may replace a view. The zero
// Doubt means: nothing, take it.
type Doubt struct {
	// Reason is a plain sentence for logs and evidence; "" when there is no doubt.
	Reason string
	// Reads is how many confirming reads must agree; Spacing is the time before each.
	Reads   int
	Spacing time.Duration
}

const (
	confirmReads     = 2
	spacingNormal    = 1 * time.Second
	spacingSuspected = 5 * time.Second
	maxShrinkPercent = 25
)

// Judge compares an answer with the view it would replace. A shrink to zero, or
// of more than one member and more than a quarter, must be confirmed by two
// reads 1 s apart; 5 s apart when the index went backwards between the two or a
// node named in goneNodes went along. Anything else, such as one of several
// leaving, waits for nothing, unless it is the first shrink of a new epoch.
// Members are counted twice, registered and passing, because a device sees the
// passing ones. prev nil means that there is nothing to compare with.
func Judge(prev, next *View, goneNodes map[string]bool) Doubt {
	if prev == nil {
		return Doubt{}
	}
	newEpoch := next.Epoch != prev.Epoch
	had, have := prev.entries(), next.entries()
	reason := shrinkReason(entryWord[next.Query.Kind], len(had), len(lostEntries(had, have)), len(have), newEpoch)
	nodeWent := false
	if next.Query.Kind.Instances() {
		registered, passing := Lost(prev, next)
		for _, i := range append(registered, passing...) {
			nodeWent = nodeWent || goneNodes[i.Node.Name]
		}
		reason = shrinkReason("registered instances", len(prev.Instances), len(registered), len(next.Instances), newEpoch)
		if reason == "" {
			reason = shrinkReason("passing instances", countPassing(prev), len(passing), countPassing(next), newEpoch)
		}
	}
	if reason == "" {
		return Doubt{}
	}
	d := Doubt{Reason: reason, Reads: confirmReads, Spacing: spacingNormal}
	if newEpoch || nodeWent {
		d.Spacing = spacingSuspected
	}
	return d
}

func shrinkReason(what string, had, lost, have int, newEpoch bool) string {
	switch {
	case lost == 0:
		return ""
	case have == 0:
		return fmt.Sprintf("all %d %s vanished at once", had, what)
	case lost > 1 && lost*100 > had*maxShrinkPercent:
		return fmt.Sprintf("%d of %d %s vanished at once", lost, had, what)
	case newEpoch:
		return fmt.Sprintf("%d of %d %s vanished as the index went backwards", lost, had, what)
	}
	return ""
}

// Lost lists the instances of prev that next has not registered any more, and
// those that were passing in prev and are registered but not passing in next or
// not registered, each in the order of prev.
func Lost(prev, next *View) (registered, passing []Instance) {
	now := byKey(next.Instances)
	for _, i := range prev.Instances {
		n, still := now[i.Key()]
		if !still {
			registered = append(registered, i)
		}
		if i.Status() == Passing && (!still || n.Status() != Passing) {
			passing = append(passing, i)
		}
	}
	return registered, passing
}

// Confirms tells whether a confirming read agrees with the doubted answer: what
// left stayed away. It may have lost more.
func Confirms(prev, doubted, read *View) bool {
	if !prev.Query.Kind.Instances() {
		still := lostEntries(prev.entries(), read.entries())
		for name := range lostEntries(prev.entries(), doubted.entries()) {
			if !still[name] {
				return false
			}
		}
		return true
	}
	return subset(first(Lost(prev, doubted)), first(Lost(prev, read))) &&
		subset(second(Lost(prev, doubted)), second(Lost(prev, read)))
}

func first(a, _ []Instance) []Instance  { return a }
func second(_, b []Instance) []Instance { return b }

func subset(some, all []Instance) bool {
	in := make(map[string]bool, len(all))
	for _, i := range all {
		in[i.Key()] = true
	}
	for _, i := range some {
		if !in[i.Key()] {
			return false
		}
	}
	return true
}

// entryWord names the entries of a view that has no instances.
var entryWord = map[Kind]string{ServiceNames: "services", KVKey: "keys", KVPrefix: "keys", NodeNames: "nodes",
	DiscoveryChain: "chains", ConnectProxies: "proxies"}

// entries are the names of what a view without instances lists.
func (v *View) entries() map[string]bool {
	m := make(map[string]bool, len(v.Names)+len(v.Pairs)+len(v.Nodes))
	for name := range v.Names {
		m[name] = true
	}
	for key := range v.Pairs {
		m[key] = true
	}
	for _, n := range v.Nodes {
		m[n.Name] = true
	}
	return m
}

func lostEntries(had, have map[string]bool) map[string]bool {
	lost := map[string]bool{}
	for name := range had {
		if !have[name] {
			lost[name] = true
		}
	}
	return lost
}

func countPassing(v *View) (n int) {
	for _, i := range v.Instances {
		if i.Status() == Passing {
			n++
		}
	}
	return n
}
