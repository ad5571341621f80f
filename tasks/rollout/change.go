package rollout

import (
	"fmt"

	"patchbay/tasks/catalog"
)

// adopt makes the state one of the plan, by the rules that [State] tells.
func (t *turn) adopt() {
	s := &t.state
	switch plan := t.plan.Digest(); {
	case s.Phase == "":
		t.rename()
		t.place(Waiting, 0, 0)
		t.tell(Began, "", fmt.Sprintf("service %s: stable %s has all traffic, candidate %s waits for its first step", plain(t.plan.Service), s.Stable.Name, s.Candidate.Name))
	case s.Plan == plan:
		s.Stable, s.Candidate, s.Refused = t.plan.Stable, t.plan.Candidate, catalog.Digest{}
	case s.Refused != plan:
		t.change(plan)
	}
}

// change takes another plan over, or refuses it where that would jump traffic.
func (t *turn) change(plan catalog.Digest) {
	s, p := &t.state, t.plan
	what := fmt.Sprintf("plan %s became %s", s.Plan.Short(), plan.Short())
	promoted := p.Stable.same(s.Candidate)
	same := p.Candidate.same(s.Candidate) && !promoted
	moved := t.moved(same, promoted)
	back := s.underWay() && t.home()
	switch {
	case moved > 0 && !back && t.keepable():
		s.Refused, s.Promoted = plan, ""
		t.tell(PlanRefused, "", what, t.refusal().Evidence[0])
	case same && (s.underWay() || s.Phase == Succeeded):
		t.rename()
		t.carry(what)
	default:
		weight := s.Weight
		t.anew()
		evidence := []string{what, fmt.Sprintf("candidate %s begins before its first step", s.Candidate.Name)}
		if moved > 0 {
			evidence = append(evidence, fmt.Sprintf("the former candidate had %s: %s of the traffic goes to stable at once", weight, moved))
		}
		t.tell(PlanChanged, "", evidence...)
	}
}

// home tells that the plan's stable subset is the one of the state, also where its
// definition was edited under the same name.
func (t *turn) home() bool {
	s, p := t.state, t.plan
	return p.Stable.same(s.Stable) || p.Stable.Name == s.Stable.Name
}

// moved is the share of traffic that would leave the subset where it is.
func (t *turn) moved(same, promoted bool) Share {
	kept, w := Share(0), t.state.Weight
	switch {
	case promoted:
		kept = w
	case t.home():
		kept = Whole - w
	}
	if same {
		kept += w
	}
	return Whole - kept
}

// keepable tells whether the weights may stay as they are under the new plan: not
// where a subset that has traffic lends its name to another version.
func (t *turn) keepable() bool {
	s := t.state
	for _, now := range []struct {
		Subset
		Share
	}{{s.Stable, Whole - s.Weight}, {s.Candidate, s.Weight}} {
		for _, next := range []Subset{t.plan.Stable, t.plan.Candidate} {
			if now.Share > 0 && next.Name == now.Name && !next.same(now.Subset) {
				return false
			}
		}
	}
	return true
}

// carry goes on with the same candidate at the weight that it has.
func (t *turn) carry(what string) {
	s := &t.state
	if s.Phase == Succeeded {
		t.tell(PlanChanged, "", what, fmt.Sprintf("candidate %s has succeeded already and keeps %s: abort and restart do it again", s.Candidate.Name, s.Weight))
		return
	}
	step, phase := 0, Waiting
	if s.Exposed() {
		step = t.plan.reached(s.Weight)
	}
	if step > 0 || s.Weight > 0 {
		phase = Progressing
	}
	if s.Phase == Paused {
		phase = Paused
	}
	t.place(phase, step, s.Weight)
	t.tell(PlanChanged, "", what, fmt.Sprintf("candidate %s keeps %s, at step %d of %d, which is held and judged anew", s.Candidate.Name, s.Weight, step, len(t.plan.Steps)))
}

// anew begins the plan with all traffic on its stable subset.
func (t *turn) anew() {
	phase := Waiting
	if t.state.Phase == Paused {
		phase = Paused
	}
	t.rename()
	t.place(phase, 0, 0)
}

// refusal says why a changed plan is not taken over.
func (t *turn) refusal() Hold {
	s := t.state
	return Hold{RulePlan,
		[]string{fmt.Sprintf("the changed plan would move traffic at once: %s has %s and %s has %s now, while it begins with all on %s",
			s.Stable.Name, Whole-s.Weight, s.Candidate.Name, s.Weight, t.plan.Stable.Name)},
		"declare the subset that has the traffic as stable, or restart to begin the changed plan with all traffic on its stable subset"}
}
