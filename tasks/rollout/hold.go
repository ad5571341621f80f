package rollout

import (
	"fmt"
	"maps"
	"time"
)

// Rule is what holds a canary.
type Rule string

// The rules.
const (
	RuleInterval  Rule = "interval"
	RulePromotion Rule = "promotion"
	RulePaused    Rule = "paused"
	RuleUntrusted Rule = "untrusted-view"
	RuleInstances Rule = "candidate-instances"
	RuleTasks     Rule = "tasks"
	RuleJudgement Rule = "judgement"
	RuleMissing   Rule = "missing-data"
	RuleStable    Rule = "stable-instances"
	RulePlan      Rule = "changed-plan"
)

// counting are the rules by which a step runs into its deadline: people and doubt
// about the catalog have all the time they need.
var counting = map[Rule]bool{RuleTasks: true, RuleJudgement: true, RuleMissing: true}

// promotable are the rules that a person's promote passes.
var promotable = map[Rule]bool{RuleInterval: true, RulePromotion: true, RuleJudgement: true, RuleMissing: true}

// Hold is one reason why nothing moves.
type Hold struct {
	Rule Rule `json:"rule"`
	// Evidence is one plain sentence per fact.
	Evidence []string `json:"evidence"`
	// Release says what would let the canary go on.
	Release string `json:"release"`
}

// holds lists all that the next step waits for; nothing when it may come. It is a
// function of state, observations and time alone, so asking twice says the same.
func (t *turn) holds() []Hold {
	out := t.reasons()
	if t.breach() != nil && t.nowhere() {
		out = append(out, Hold{RuleStable, []string{"the candidate fails, but no stable instance passes its checks: rolling back would leave nothing to answer"},
			"a stable instance passes its checks, or a person aborts the canary"})
	}
	return out
}

// reasons are the holds but the one that a breach itself leads to.
func (t *turn) reasons() (out []Hold) {
	s := t.state
	add := func(r Rule, release string, evidence ...string) {
		out = append(out, Hold{Rule: r, Evidence: evidence, Release: release})
	}
	if s.Phase == Paused {
		add(RulePaused, "resume or promote it", "a person paused the canary")
	}
	if doubts := t.doubts(); len(doubts) > 0 {
		add(RuleUntrusted, "Consul's answers are trusted again", doubts...)
	}
	if !s.Exposed() {
		if why := t.notReady(); why != "" {
			add(RuleInstances, "enough instances of the candidate pass their checks", why)
		}
	}
	if late := t.late(); len(late) > 0 {
		add(RuleTasks, "each task that uses the weights applies the present ones",
			fmt.Sprintf("%d of %d tasks have not applied candidate %s = %s: %s", len(late), len(t.obs.Tasks), s.Candidate.Name, s.Weight, list(late)))
	}
	if s.Exposed() {
		t.heldStep(add)
	}
	if t.manual() {
		add(RulePromotion, "promote it", fmt.Sprintf("the plan asks for a person before step %d of %d", s.Step+1, len(t.plan.Steps)))
	}
	return out
}

// heldStep adds what holds a step that has begun.
func (t *turn) heldStep(add func(r Rule, release string, evidence ...string)) {
	s := t.state
	end := s.Settled.Add(t.plan.hold(s.Step))
	switch {
	case s.Settled.IsZero():
		add(RuleInterval, "the step is held for its time", fmt.Sprintf("its hold of %s begins when the tasks have applied the weight", t.plan.hold(s.Step)))
	case t.now.Before(end):
		add(RuleInterval, "the step is held for its time", fmt.Sprintf("it is held for %s, until %s", t.plan.hold(s.Step), end.UTC().Format(time.RFC3339)))
	case s.Last.At.Before(end):
		add(RuleInterval, "the step is judged", "it was not judged since its hold ended")
	}
	switch s.Last.Result {
	case Failed:
		add(RuleJudgement, "a judgement passes", s.Last.Evidence...)
	case Unknown:
		add(RuleMissing, "what is missing can be read again", s.Last.Evidence...)
	}
	if t.tooHigh() {
		add(RuleStable, "stable instances pass their checks and their view is trusted; then the weight goes down to the last step",
			fmt.Sprintf("the weight of %s is above the plan's last step", s.Weight))
	}
}

// counted are the facts by which the step runs into its deadline.
func (t *turn) counted() (evidence []string) {
	for _, h := range t.reasons() {
		if counting[h.Rule] {
			evidence = append(evidence, h.Evidence...)
		}
	}
	return evidence
}

func (t *turn) doubts() (out []string) {
	for _, x := range []struct {
		name string
		Instances
	}{{"stable", t.obs.Stable}, {"candidate", t.obs.Candidate}} {
		if x.Trusted {
			continue
		}
		line := fmt.Sprintf("the view of the %s instances is not trusted", x.name)
		if x.Doubt != "" {
			line += ": " + plain(x.Doubt)
		}
		out = append(out, line)
	}
	return out
}

// notReady says why the candidate cannot take its first traffic; "" when it can.
func (t *turn) notReady() string {
	var bad, missing []string
	switch c := t.obs.Candidate; {
	case c.Total <= 0:
		return "the candidate has no instance yet"
	case c.Passing <= 0:
		return fmt.Sprintf("none of the candidate's %d instances passes its checks", c.Total)
	}
	if t.judgeHealth(&bad, &missing); len(bad) > 0 {
		return bad[0]
	}
	return ""
}

// late are the tasks that have not applied the present weights.
func (t *turn) late() (names []string) {
	want := Weights(t.state)
	for _, task := range t.obs.Tasks {
		if !maps.Equal(task.Applied, want) {
			names = append(names, task.Name)
		}
	}
	return names
}

func (t *turn) manual() bool {
	step, last := t.state.Step, len(t.plan.Steps)-1
	return t.state.Promoted == "" && (t.plan.Manual.First && step == 0 || t.plan.Manual.Last && step == last)
}

// breach says why the canary must be rolled back; nil when it need not.
func (t *turn) breach() []string {
	s, c := t.state, t.obs.Candidate
	switch {
	case !s.Exposed():
		return nil
	case c.Trusted && c.Passing <= 0:
		return []string{fmt.Sprintf("none of the candidate's %d instances passes its checks: its traffic is failing", max(c.Total, 0))}
	case s.Failures >= t.plan.Threshold && s.Failures > 0:
		return append([]string{fmt.Sprintf("%d judgements failed in a row", s.Failures)}, s.Last.Evidence...)
	case t.plan.Deadline > 0 && !s.StuckSince.IsZero() && !t.now.Before(s.StuckSince.Add(t.plan.Deadline)):
		return append([]string{fmt.Sprintf("the step could not go on for %s, since %s", t.plan.Deadline, s.StuckSince.UTC().Format(time.RFC3339))}, t.counted()...)
	}
	return nil
}

// nowhere tells that stable has no passing instance while the candidate has one,
// so that going back would turn failing answers into none. What is known of stable
// counts even if it is not trusted now: it is the last good answer.
func (t *turn) nowhere() bool { return t.obs.Stable.Passing <= 0 && t.obs.Candidate.Passing > 0 }
