package proxies

import (
	"fmt"

	"patchbay/tasks/catalog"
)

// settle decides whether a view takes the place of the one that is served, and why
// not. A catalog that says that everything is gone is right when somebody took the
// instances away; it is as likely wrong when their nodes vanished with them, or when
// Consul came back without its data. Then the last good instances stay: if they are dead in truth, a request fails as it
// would without any, and if not, it succeeds.
func settle(served, next *catalog.View) (keep *catalog.View, why string) {
	if served == nil || !alive(served) || alive(next) {
		return next, ""
	}
	lost := 0
	for _, d := range next.Departures {
		if d.Cause != catalog.Deregistered {
			lost++
		}
	}
	if len(next.Instances) == 0 {
		if next.Epoch != served.Epoch {
			return served, fmt.Sprintf("Consul lost its data and has none of %d instances any more; the last good ones are kept", len(served.Instances))
		}
		if len(next.Departures) > 0 && lost == 0 {
			return next, ""
		}
		return served, fmt.Sprintf("all %d instances are gone from the catalog with their nodes; the last good ones are kept", len(served.Instances))
	}
	dead := 0
	for _, i := range next.Instances {
		if nodeDead(i) {
			dead++
		}
	}
	if dead == len(next.Instances) {
		return served, fmt.Sprintf("the nodes of all %d instances look dead at once; the last good ones are kept", dead)
	}
	return next, ""
}

// alive tells whether any instance takes requests.
func alive(v *catalog.View) bool {
	for _, i := range v.Instances {
		if s := i.Status(); s == catalog.Passing || s == catalog.Warning {
			return true
		}
	}
	return false
}

// nodeDead tells whether nothing but its node speaks against an instance: no agent
// answers there, and no check of its own failed.
func nodeDead(i catalog.Instance) bool {
	dead := false
	for _, c := range i.Checks {
		switch {
		case c.ID == catalog.SerfHealth && c.Status == catalog.Critical:
			dead = true
		case c.Status == catalog.Critical:
			return false
		}
	}
	return dead && i.Status() == catalog.Critical
}
