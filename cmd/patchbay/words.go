package main

import (
	"fmt"
	"strings"
	"time"

	"patchbay/agent/client"
	"patchbay/tasks"
)

// standing is how a task stands, in one word for a person.
type standing string

// The standings in the order in which they are counted.
const (
	inSync      standing = "in sync"
	held        standing = "held"
	failing     standing = "failing"
	running     standing = "running"
	notRunYet   standing = "not run yet"
	interrupted standing = "interrupted"
	disabled    standing = "disabled"
)

var standings = []standing{inSync, held, failing, running, notRunYet, interrupted, disabled}

// stand tells how a task stands. A failing run says more than an older held
// plan; a held plan stays one until it is being applied.
func stand(s client.State) standing {
	var phase tasks.Phase
	if s.Newest != nil {
		phase = s.Newest.Phase
	}
	switch {
	case !s.Enabled:
		return disabled
	case phase == tasks.Retrying || phase == tasks.Failed:
		return failing
	case phase == tasks.Applying:
		return running
	case s.Held != nil:
		return held
	case s.Newest == nil:
		return notRunYet
	case !phase.Ended():
		return running
	case phase == tasks.Interrupted:
		return interrupted
	}
	return inSync
}

// reason tells in one line why a task is held or failing.
func reason(s client.State) string {
	switch stand(s) {
	case held:
		for _, f := range s.Held.Findings {
			if f.Decision == tasks.Hold && len(f.Evidence) > 0 {
				return f.Evidence[0]
			}
		}
	case failing:
		return firstLine(s.Newest.Error())
	}
	return ""
}

// maxReasons is how many tasks the header explains per standing.
const maxReasons = 3

// header tells how all tasks stand: "2 tasks in sync, 1 held (fw: …, for 4 min)".
func header(states []client.State, now time.Time) string {
	if len(states) == 0 {
		return "no tasks are configured"
	}
	by := map[standing][]client.State{}
	for _, s := range states {
		by[stand(s)] = append(by[stand(s)], s)
	}
	var parts []string
	for _, w := range standings {
		list := by[w]
		if len(list) == 0 {
			continue
		}
		part := fmt.Sprintf("%d %s", len(list), w)
		if len(parts) == 0 {
			part = fmt.Sprintf("%s %s", count(len(list), "task"), w)
		}
		parts = append(parts, part+reasons(list, now))
	}
	return strings.Join(parts, ", ")
}

func reasons(list []client.State, now time.Time) string {
	var why []string
	for n, s := range list {
		text := reason(s)
		if text == "" {
			continue
		}
		if n == maxReasons {
			why = append(why, fmt.Sprintf("and %d more", len(list)-n))
			break
		}
		text = s.Name + ": " + clip(text, maxValue)
		if s.Held != nil && stand(s) == held {
			text += ", for " + ago(now, s.Held.Since)
		}
		why = append(why, text)
	}
	if len(why) == 0 {
		return ""
	}
	return " (" + strings.Join(why, "; ") + ")"
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return strings.TrimRight(line, "\r")
}

// when tells a time and how long ago it was.
func when(now, t time.Time) string {
	return fmt.Sprintf("%s (%s ago)", t.Local().Format(time.DateTime), ago(now, t))
}

// done tells what a run did or, if it did not, would do: "pool web 2 → 1 members".
func done(r tasks.Run) string {
	switch r.Phase {
	case tasks.Applied, tasks.Unchanged:
		return effectOf(r).summary()
	}
	if r.Plan.Empty() {
		return ""
	}
	return "planned: " + effectOf(r).summary()
}

// cause tells in one line why a run was made.
func cause(r tasks.Run) string {
	if len(r.Causes) == 0 {
		return string(r.Trigger)
	}
	s := r.Causes[0].String()
	if n := len(r.Causes) + r.MoreCauses - 1; n > 0 {
		s += fmt.Sprintf(" and %d more", n)
	}
	return s
}

// took tells the time of each stage, in their order.
func took(r tasks.Run) string {
	var parts []string
	for _, stage := range []tasks.Stage{tasks.StageInit, tasks.StagePlan, tasks.StageShow, tasks.StageApply} {
		if d, ok := r.Took[stage]; ok {
			parts = append(parts, fmt.Sprintf("%s %.1f s", stage, d.Seconds()))
		}
	}
	return strings.Join(parts, ", ")
}
