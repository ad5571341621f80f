package text

import (
	"fmt"
	"strings"
	"time"

	"patchbay/tasks"
)

// reason tells why in the words of Consul's catalog, of one instance or of several.
func reason(w tasks.Why, what string, several bool, now time.Time) string {
	is, was := "it is ", "it was "
	if several {
		is, was = "they are ", "they were "
	}
	switch w.Kind {
	case tasks.WhyCheck:
		return check(w, is) + since(w, now) + output(w)
	case tasks.WhyMaintenance:
		return is + "in maintenance" + since(w, now) + output(w)
	case tasks.WhyDeregistered:
		return was + "deregistered" + at(w, now)
	case tasks.WhyNodeGone:
		return "node " + w.Node + " is gone" + since(w, now)
	case tasks.WhyGone:
		return is + "gone from Consul" + since(w, now)
	case tasks.WhyFilter:
		if what == tasks.ItemAdded {
			return "the task's filter matches now"
		}
		return "the task's filter does not match any more"
	case tasks.WhySelection:
		return "the task selects service " + w.Service + " no longer"
	case tasks.WhyMoved:
		if what == tasks.ItemAdded {
			return "instance " + w.Instance + " moved here from " + w.To
		}
		return "instance " + w.Instance + " moved to " + w.To
	case tasks.WhyRegistered:
		return was + "registered" + at(w, now)
	case tasks.WhyPasses:
		return passes(w)
	case tasks.WhyAway:
		return strings.Fields(was)[0] + " came while this agent did not run"
	case tasks.WhyDestroyed:
		return "the deletion of the task with all that it made was asked for"
	}
	return w.Kind
}

func check(w tasks.Why, is string) string {
	if w.Check == "" {
		return is + w.Status
	}
	return fmt.Sprintf("check \"%s\" is %s", w.Check, w.Status)
}

func passes(w tasks.Why) string {
	text := "its checks pass again"
	if w.Check != "" {
		text = fmt.Sprintf("check \"%s\" passes again", w.Check)
	}
	if w.Status == "maintenance" {
		text = "maintenance has ended"
	}
	if w.After > 0 {
		text += " after " + long(w.After)
	}
	return text
}

func output(w tasks.Why) string {
	if w.Output == "" {
		return ""
	}
	return " (" + w.Output + ")"
}

// since tells from when on something is so, of several instances the range.
func since(w tasks.Why, now time.Time) string {
	if w.Since.IsZero() {
		return ""
	}
	text := " since " + span(w, now)
	if w.Earlier {
		text += " or earlier"
	}
	return text
}

func at(w tasks.Why, now time.Time) string {
	if w.Since.IsZero() {
		return ""
	}
	return " at " + span(w, now)
}

func span(w tasks.Why, now time.Time) string {
	first := clock(w.Since, now)
	if last := clock(w.Last, now); !w.Last.IsZero() && last != first {
		return first + " to " + last
	}
	return first
}

// clock leaves the date of today out.
func clock(t, now time.Time) string {
	t = t.In(now.Location())
	if t.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return t.Format(time.TimeOnly)
	}
	return t.Format(time.DateTime)
}

// long tells a time in one unit: 4 s, 12 min, 3 h, 5 d.
func long(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d d", int(d.Hours()/24))
}
