package tasks

import (
	"time"

	"patchbay/tasks/catalog"
)

// Bounds of what a run keeps of its plan in the device's words.
const (
	// MaxDevices is how many changes are told, MaxReasons how many reasons for items
	// of one object that come, go or change, MaxItems how many items of one reason,
	// MaxAlike how many objects that change alike.
	MaxDevices = 50
	MaxReasons = 30
	MaxItems   = 20
	MaxAlike   = 20
)

// DeviceChange tells in the device's own words what a plan does with one of its
// objects, or with several alike. All texts are bounded, free of control
// characters and without sensitive values.
type DeviceChange struct {
	// Object is how the device calls it, such as pool web_pool; for a resource that
	// is not known, Terraform's address without the task's module.
	Object string `json:"object"`
	// Alike are further objects that change in exactly this way; MoreAlike counts
	// those that are not listed.
	Alike     []string `json:"alike,omitempty"`
	MoreAlike int      `json:"more_alike,omitempty"`
	Action    Action   `json:"action"`
	// Unit names what the object holds, such as members; "" when that is not told.
	Unit string `json:"unit,omitempty"`
	// Size is how many the object has and will have; nil when that is not known.
	Size *Size `json:"size,omitempty"`
	// Items are what comes, goes and changes, one entry for all with one reason.
	Items []ItemChange `json:"items,omitempty"`
	// Notes are other attributes that differ.
	Notes []string `json:"notes,omitempty"`
	// Text is all of it in lines for a person, with times of the agent's zone.
	Text []string `json:"text"`
}

// Size counts what an object holds before and after a plan.
type Size struct {
	Before int `json:"before"`
	After  int `json:"after"`
}

// The values of [ItemChange.What].
const (
	ItemAdded   = "added"
	ItemRemoved = "removed"
	ItemChanged = "changed"
)

// ItemChange is what happens to items of an object for one reason.
type ItemChange struct {
	What string `json:"what"`
	// Items are at most [MaxItems], in order; More counts the rest.
	Items []string `json:"items"`
	More  int      `json:"more,omitempty"`
	// Detail tells how they change, such as weight 1 → 5.
	Detail string `json:"detail,omitempty"`
	// Why is nil when Consul's catalog does not tell.
	Why *Why `json:"why,omitempty"`
}

// The values of [Why.Kind].
const (
	// WhyCheck: a check of the instance, or of its node, does not pass.
	WhyCheck = "check"
	// WhyMaintenance: somebody put the instance or its node into maintenance.
	WhyMaintenance = "maintenance"
	// WhyDeregistered, WhyNodeGone and WhyGone: Consul has the instance no more;
	// the last when it is not known how it left.
	WhyDeregistered = "deregistered"
	WhyNodeGone     = "node gone"
	WhyGone         = "gone"
	// WhyFilter: the task's filter does not match the instance any more, or does now.
	WhyFilter = "filter"
	// WhySelection: the task selects the service no longer.
	WhySelection = "selection"
	// WhyMoved: the instance answers at another address.
	WhyMoved = "moved"
	// WhyRegistered: the instance is new in Consul.
	WhyRegistered = "registered"
	// WhyPasses: the instance passes again.
	WhyPasses = "passes"
	// WhyAway: it happened while this agent did not look.
	WhyAway = "away"
	// WhyDestroyed: the deletion of the task with all that it made was asked for.
	WhyDestroyed = "destroyed"
)

// Why is what Consul's catalog tells of a member that comes, goes or changes. Of
// several instances with one reason it has the texts of the first.
type Why struct {
	Kind string `json:"kind"`
	// Service and Instance, a key, are of the first.
	Service  string `json:"service,omitempty"`
	Instance string `json:"instance,omitempty"`
	// Node is the one that went, with WhyNodeGone.
	Node string `json:"node,omitempty"`
	// Check is the name of the check, Status its state, Output the beginning of the
	// first line that it printed, or the reason of a maintenance.
	Check  string `json:"check,omitempty"`
	Status string `json:"status,omitempty"`
	Output string `json:"output,omitempty"`
	// Since is when this agent first saw it so, of several the first time, and Last
	// the last; zero when nothing is known. Consul itself tells no time.
	Since time.Time `json:"since,omitzero"`
	Last  time.Time `json:"last,omitzero"`
	// Earlier says that it was so when the agent began to look.
	Earlier bool `json:"earlier,omitempty"`
	// After is how long an instance that passes again did not, in nanoseconds.
	After time.Duration `json:"after,omitempty"`
	// To is the other address, with WhyMoved.
	To string `json:"to,omitempty"`
}

// Trait is what a module is given of a member besides its address.
type Trait struct {
	Status string `json:"status"`
	// Weight is Consul's for that state; 0 when the state is neither passing nor warning.
	Weight int `json:"weight"`
}

// UsualTrait is that of nearly all members.
func UsualTrait() Trait { return Trait{Status: catalog.Passing, Weight: 1} }

// Traits maps the key of each member whose trait is not the usual one. It is never
// nil.
func (in Input) Traits() map[string]Trait {
	out := map[string]Trait{}
	for _, s := range in.Services {
		t := Trait{Status: s.Status()}
		switch t.Status {
		case catalog.Passing:
			t.Weight = s.Weights.Passing
		case catalog.Warning:
			t.Weight = s.Weights.Warning
		}
		if t != UsualTrait() {
			out[s.Key()] = t
		}
	}
	return out
}
