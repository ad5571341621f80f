package rollout

import (
	"fmt"
	"maps"
	"time"

	"patchbay/tasks/catalog"
)

// turn is the work of one Step.
type turn struct {
	plan  Plan
	obs   Observations
	now   time.Time
	state State
	// told is the state at the last event: what the next one changed.
	told   State
	events []Event
}

// Step gives the state after the observations, and what happened. Call it when an
// observation or the plan changed and when [Next] says so; a late call, or one too
// many, does no harm. The plan must be valid. Nothing that is given is changed.
func Step(p Plan, s State, o Observations, now time.Time) (State, []Event) {
	t := &turn{plan: p, obs: o, now: now, state: s, told: s}
	t.repair()
	t.adopt()
	t.obey()
	if t.state.Refused != (catalog.Digest{}) {
		t.state.Holds = []Hold{t.refusal()}
		return t.state, t.events
	}
	if t.state.underWay() {
		t.judge()
		t.watch()
		t.protect()
		t.lower()
		t.advance()
	}
	t.watch()
	return t.state, t.events
}

// repair makes sense of a state that a crash, another version or a jumped clock
// left behind. A time in the future would stop judging until then: it becomes now,
// so that a clock that went back begins the hold anew.
func (t *turn) repair() {
	s := &t.state
	for _, at := range []*time.Time{&s.Since, &s.Moved, &s.Settled, &s.StuckSince, &s.Judged} {
		if at.After(t.now) {
			*at = t.now
		}
	}
	s.Weight, s.Failures = min(s.Weight, Whole), max(s.Failures, 0)
	s.Step = max(min(s.Step, len(t.plan.Steps)), 0)
	if s.Phase == RolledBack || s.Phase == Aborted {
		s.Step, s.Weight = 0, 0
	}
	if s.Phase == "" && !s.Exposed() {
		return
	}
	if s.Stable.Name == "" || s.Candidate.Name == "" || s.Stable.Name == s.Candidate.Name {
		s.Stable, s.Candidate = t.plan.Stable, t.plan.Candidate
	}
	if was := s.Phase; !was.known() {
		s.Phase = Paused
		t.tell(Repaired, "", fmt.Sprintf("the stored phase %s is not known: paused with the weight as it was", quote(string(was))))
	}
}

// watch notes when the tasks have applied the weights, since when the step is
// stuck, and what holds it.
func (t *turn) watch() {
	s := &t.state
	s.Holds = nil
	if !s.underWay() {
		s.StuckSince = time.Time{}
		return
	}
	if s.Exposed() && s.Settled.IsZero() && len(t.late()) == 0 {
		s.Settled = t.now
	}
	s.Holds = t.holds()
	stuck := s.Exposed() && len(t.counted()) > 0
	for _, h := range s.Holds {
		stuck = stuck && h.Rule != RulePaused && h.Rule != RuleUntrusted
	}
	switch {
	case !stuck:
		s.StuckSince = time.Time{}
	case s.StuckSince.IsZero():
		s.StuckSince = t.now
	}
}

// protect rolls back when it must.
func (t *turn) protect() {
	why := t.breach()
	if why == nil || t.nowhere() {
		return
	}
	t.place(RolledBack, 0, 0)
	t.tell(TakenBack, "", why...)
}

// lower takes the candidate down to the last step of a changed plan.
func (t *turn) lower() {
	s := t.state
	if s.Phase != Progressing || !t.tooHigh() || !t.obs.Stable.Trusted || t.obs.Stable.Passing <= 0 || t.justMoved() {
		return
	}
	t.place(Progressing, len(t.plan.Steps), t.plan.highest())
	t.tell(Lowered, "", fmt.Sprintf("%s was above the last step of the changed plan", s.Weight))
}

func (t *turn) tooHigh() bool { return len(t.plan.Steps) > 0 && t.state.Weight > t.plan.highest() }

// justMoved tells that the weights changed at this very time: nothing can be known
// of the effect yet.
func (t *turn) justMoved() bool { return !t.state.Moved.IsZero() && !t.now.After(t.state.Moved) }

// advance takes the next step when nothing but what was promoted holds it.
func (t *turn) advance() {
	s := &t.state
	if !s.underWay() || t.justMoved() || len(t.plan.Steps) == 0 {
		return
	}
	for _, h := range t.holds() {
		if s.Promoted == "" || !promotable[h.Rule] {
			return
		}
	}
	by, why := s.Promoted, fmt.Sprintf("step %d was held and judged well", s.Step)
	switch {
	case by != "":
		why = "promoted"
	case !s.Exposed():
		why = fmt.Sprintf("%d of %d candidate instances pass their checks", t.obs.Candidate.Passing, t.obs.Candidate.Total)
	}
	if s.Step >= len(t.plan.Steps) {
		s.Phase, s.Promoted = Succeeded, ""
		t.tell(Finished, by, why)
		return
	}
	t.place(Progressing, s.Step+1, t.plan.Steps[s.Step].Weight)
	t.tell(Stepped, by, why)
}

// place puts the candidate at a step, which begins now.
func (t *turn) place(phase Phase, step int, weight Share) {
	s := &t.state
	if weight != s.Weight {
		s.Moved = t.now
	}
	s.Phase, s.Step, s.Weight = phase, step, weight
	s.Since, s.Judged, s.Settled, s.StuckSince = t.now, t.now, time.Time{}, time.Time{}
	s.Last, s.Failures, s.Promoted = Judgement{}, 0, ""
}

// rename makes the state one of the plan and its subsets.
func (t *turn) rename() {
	s := &t.state
	before := carrying(*s)
	s.Plan, s.Refused = t.plan.Digest(), catalog.Digest{}
	s.Stable, s.Candidate = t.plan.Stable, t.plan.Candidate
	if len(before) > 0 && !maps.Equal(before, carrying(*s)) {
		s.Moved = t.now
	}
}

// carrying are the weights above 0.
func carrying(s State) map[string]uint32 {
	w := Weights(s)
	maps.DeleteFunc(w, func(_ string, share uint32) bool { return share == 0 })
	return w
}

// tell records an event.
func (t *turn) tell(kind Kind, by string, evidence ...string) {
	s := &t.state
	e := Event{At: t.now, Kind: kind, Phase: s.Phase, Step: s.Step, From: t.told.Weight, To: s.Weight, By: by, Evidence: evidence}
	s.keep(e, s.Phase != t.told.Phase || s.Step != t.told.Step || s.Weight != t.told.Weight)
	t.told = *s
	t.events = append(t.events, e)
}

// Next tells when Step must be called at the latest, if no observation changes
// before; a time that is past means at once, the zero time means never.
func Next(s State, p Plan, now time.Time) time.Time {
	plan := p.Digest()
	switch {
	case s.Phase == "" || s.Plan != plan && s.Refused != plan:
		return now
	case s.Refused == plan || s.Phase.Ended():
		return time.Time{}
	case !s.Exposed():
		return now.Add(p.CheckEvery)
	}
	next := s.due(p)
	if next.Sub(now) > 2*p.CheckEvery { // the clock went back
		next = now.Add(p.CheckEvery)
	}
	deadline := s.StuckSince.Add(p.Deadline)
	if p.Deadline > 0 && !s.StuckSince.IsZero() && deadline.After(now) && deadline.Before(next) {
		return deadline
	}
	return next
}
