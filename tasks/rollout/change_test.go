package rollout

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// reach brings a canary of webPlan to where a plan change meets it.
var reach = map[string]func(*world){
	"waiting":     func(w *world) { w.see = candidate(0, 0); w.look(); w.see = func(*Observations) {} },
	"at 25%":      func(w *world) { w.pass(90 * time.Second) },
	"paused":      func(w *world) { w.pass(90 * time.Second); w.say(Pause) },
	"at 100%":     func(w *world) { w.pass(250 * time.Second) },
	"succeeded":   func(w *world) { w.pass(time.Hour) },
	"rolled back": func(w *world) { w.pass(90 * time.Second); w.see = candidate(2, 0); w.look() },
	"aborted":     func(w *world) { w.pass(90 * time.Second); w.say(Abort) },
}

func TestAChangedPlanNeverJumpsTraffic(t *testing.T) {
	steps := func(weights ...Share) func(*Plan) {
		return func(p *Plan) {
			p.Steps = nil
			for _, w := range weights {
				p.Steps = append(p.Steps, Stage{Weight: w})
			}
		}
	}
	threshold := func(p *Plan) { p.Threshold = 5 }
	next := func(p *Plan) { p.Candidate = subset("v3", "three") }
	nextOnStable := func(p *Plan) { p.Stable, p.Candidate = subset("v2", "two"), subset("v3", "three") }
	sameName := func(p *Plan) { p.Candidate = subset("v2", "three") }
	otherStable := func(p *Plan) { p.Stable = subset("v0", "zero") }
	both := func(stable, candidate Subset) func(*Plan) {
		return func(p *Plan) { p.Stable, p.Candidate = stable, candidate }
	}
	moveUp := both(subset("v1", "two"), subset("v2", "three"))
	widen := func(p *Plan) { p.Stable = subset("v1", "one, wider") }
	rename := func(p *Plan) { p.Candidate = subset("canary", "two") }
	tests := map[string]struct {
		from    string
		change  func(*Plan)
		phase   Phase
		step    int
		weights map[string]uint32
		kind    Kind
		says    string
	}{
		"a limit is edited before the first step":             {"waiting", threshold, Waiting, 0, split("v1", Whole, "v2"), PlanChanged, "keeps 0%, at step 0 of 4"},
		"a limit is edited at a step: it is held anew":        {"at 25%", threshold, Progressing, 2, split("v1", 7500, "v2"), PlanChanged, "keeps 25%, at step 2 of 4"},
		"steps are edited around the weight: it stays":        {"at 25%", steps(1000, 2000, 3000), Progressing, 2, split("v1", 7500, "v2"), PlanChanged, "keeps 25%, at step 2 of 3"},
		"all new steps are above the weight: it stays":        {"at 25%", steps(3000, 6000), Progressing, 0, split("v1", 7500, "v2"), PlanChanged, "keeps 25%, at step 0 of 2"},
		"all new steps are below the weight: down":            {"at 25%", steps(100, 1000), Progressing, 2, split("v1", 9000, "v2"), Lowered, "25% was above the last step"},
		"a pause outlives the change":                         {"paused", threshold, Paused, 2, split("v1", 7500, "v2"), PlanChanged, "keeps 25%"},
		"the same candidate has succeeded":                    {"succeeded", steps(100, 1000), Succeeded, 2, split("v1", 0, "v2"), PlanChanged, "has succeeded already and keeps 100%"},
		"the same candidate was rolled back: anew":            {"rolled back", threshold, Waiting, 0, split("v1", Whole, "v2"), PlanChanged, "begins before its first step"},
		"the same candidate was aborted: anew":                {"aborted", threshold, Waiting, 0, split("v1", Whole, "v2"), PlanChanged, "begins before its first step"},
		"another candidate under way: the former goes back":   {"at 25%", next, Waiting, 0, split("v1", Whole, "v3"), PlanChanged, "the former candidate had 25%: 25% of the traffic goes to stable at once"},
		"another version under the candidate's name":          {"at 25%", sameName, Waiting, 0, split("v1", Whole, "v2"), PlanChanged, "25% of the traffic goes to stable"},
		"another candidate while paused stays paused":         {"paused", next, Paused, 0, split("v1", Whole, "v3"), PlanChanged, "begins before its first step"},
		"the next release on top of the promoted one":         {"succeeded", nextOnStable, Waiting, 0, split("v2", Whole, "v3"), PlanChanged, "candidate v3 begins"},
		"the next release without promoting the former":       {"succeeded", next, Succeeded, 4, split("v1", 0, "v2"), PlanRefused, "v1 has 0% and v2 has 100% now, while it begins with all on v1"},
		"the candidate is declared stable too early":          {"at 25%", nextOnStable, Progressing, 2, split("v1", 7500, "v2"), PlanRefused, "v1 has 75% and v2 has 25% now, while it begins with all on v2"},
		"the last step is not over and the candidate is next": {"at 100%", nextOnStable, Waiting, 0, split("v2", Whole, "v3"), PlanChanged, "begins"},
		"stable becomes a third subset":                       {"at 25%", otherStable, Progressing, 2, split("v1", 7500, "v2"), PlanRefused, "begins with all on v0"},
		"stable becomes the one that was rolled back":         {"rolled back", nextOnStable, RolledBack, 0, split("v1", Whole, "v2"), PlanRefused, "begins with all on v2"},
		"stable is edited under its name":                     {"at 25%", widen, Progressing, 2, split("v1", 7500, "v2"), PlanChanged, "keeps 25%"},
		"a succeeded name is given to another version":        {"succeeded", sameName, Waiting, 0, split("v1", Whole, "v2"), PlanChanged, "100% of the traffic goes to stable at once"},
		"the candidate is renamed: it keeps its weight":       {"at 25%", rename, Progressing, 2, split("v1", 7500, "canary"), PlanChanged, "candidate canary keeps 25%"},
		"the candidate is stable now and its name is free":    {"succeeded", both(subset("prod", "two"), Subset{Name: "v2"}), Waiting, 0, split("prod", Whole, "v2"), PlanChanged, "candidate v2 begins"},
		"both move up one release before the last step":       {"at 25%", moveUp, Waiting, 0, split("v1", Whole, "v2"), PlanChanged, "75% of the traffic goes to stable at once"},
		"both definitions move up one release":                {"succeeded", moveUp, Waiting, 0, split("v1", Whole, "v2"), PlanChanged, "begins"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, webPlan())
			reach[tc.from](w)
			tc.change(&w.plan)
			if wrong := w.plan.Validate(); wrong != nil {
				t.Fatal(wrong)
			}
			w.now = w.now.Add(time.Second)
			w.see = candidate(0, 0)
			if tc.weights[w.plan.Candidate.Name] > 0 || tc.kind == PlanRefused {
				w.see = func(*Observations) {}
			}
			w.look()
			if s := w.state; s.Phase != tc.phase || s.Step != tc.step {
				t.Errorf("the canary is %s at step %d, want %s at step %d", s.Phase, s.Step, tc.phase, tc.step)
			}
			if diff := cmp.Diff(tc.weights, Weights(w.state)); diff != "" {
				t.Errorf("weights (-want +got):\n%s", diff)
			}
			w.wantLast(tc.kind, tc.says)
			if tc.kind == PlanRefused {
				w.wantHold(RulePlan, tc.says)
			}
		})
	}
}

func split(stable string, share Share, candidate string) map[string]uint32 {
	return map[string]uint32{stable: uint32(share), candidate: uint32(Whole - share)}
}

func TestACarriedCandidateGoesOnByTheNewSteps(t *testing.T) {
	w := newWorld(t, webPlan())
	reach["at 25%"](w)
	w.plan.Steps = []Stage{{Weight: 3000}, {Weight: 6000}}
	w.pass(59 * time.Second)
	w.want(Progressing, 0, 2500)
	w.pass(time.Second)
	w.want(Progressing, 1, 3000)
	w.pass(time.Minute)
	w.want(Progressing, 2, 6000)
	w.pass(time.Minute)
	w.want(Succeeded, 2, 6000)
}

func TestACarriedCandidateBelowTheFirstStepIsProtected(t *testing.T) {
	w := newWorld(t, webPlan())
	reach["at 25%"](w)
	w.plan.Steps = []Stage{{Weight: 3000}}
	w.look()
	w.want(Progressing, 0, 2500)
	w.see = candidate(2, 0)
	w.look()
	w.want(RolledBack, 0, 0)
}

func TestAWeightAboveTheNewPlanWaitsForAStableThatLives(t *testing.T) {
	w := newWorld(t, webPlan())
	reach["at 100%"](w)
	w.plan.Steps = []Stage{{Weight: 1000}}
	w.see = stable(4, 0)
	w.pass(time.Hour)
	w.want(Progressing, 1, Whole)
	w.wantHold(RuleStable, "100% is above the plan's last step")
	w.see = func(o *Observations) { o.Stable.Trusted = false }
	w.pass(time.Hour)
	w.want(Progressing, 1, Whole)
	w.see = func(*Observations) {}
	w.look()
	w.want(Progressing, 1, 1000)
	w.pass(time.Minute + w.plan.CheckEvery)
	w.want(Succeeded, 1, 1000)
}

func TestARefusedPlanIsLeftByACommandOrByTheOldPlan(t *testing.T) {
	tests := map[string]struct {
		leave   func(*world)
		phase   Phase
		weights map[string]uint32
	}{
		"restart takes it over":                {func(w *world) { w.see = candidate(0, 0); w.say(Restart) }, Waiting, split("v1", Whole, "v3")},
		"abort takes it over and ends":         {func(w *world) { w.say(Abort) }, Aborted, split("v1", Whole, "v3")},
		"the old plan comes back":              {func(w *world) { w.plan = webPlan(); w.look() }, Succeeded, split("v1", 0, "v2")},
		"a plan comes that jumps nothing":      {func(w *world) { w.see = candidate(0, 0); w.plan.Stable = subset("v2", "two"); w.look() }, Waiting, split("v2", Whole, "v3")},
		"promote does not":                     {func(w *world) { w.say(Promote) }, Succeeded, split("v1", 0, "v2")},
		"time does not, and it is told once":   {func(w *world) { w.pass(time.Hour) }, Succeeded, split("v1", 0, "v2")},
		"a failing candidate of the plan: not": {func(w *world) { w.see = candidate(2, 0); w.pass(time.Hour) }, Succeeded, split("v1", 0, "v2")},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, webPlan())
			reach["succeeded"](w)
			w.plan.Candidate = subset("v3", "three")
			w.look()
			if next := Next(w.state, w.plan, w.now); !next.IsZero() {
				t.Errorf("next = %s with a refused plan, want never", next)
			}
			tc.leave(w)
			if w.state.Phase != tc.phase {
				t.Errorf("the canary is %s, want %s", w.state.Phase, tc.phase)
			}
			if diff := cmp.Diff(tc.weights, Weights(w.state)); diff != "" {
				t.Errorf("weights (-want +got):\n%s", diff)
			}
			told := 0
			for _, e := range w.events {
				if e.Kind == PlanRefused {
					told++
				}
			}
			if told != 1 {
				t.Errorf("the refusal was told %d times, want once", told)
			}
		})
	}
}

func TestAPromotionDoesNotOutliveAChangedPlan(t *testing.T) {
	w := newWorld(t, webPlan())
	w.look()
	w.sees(tasksBehind)
	w.say(Promote)
	w.plan.Threshold++
	w.look()
	w.sees(tasksDone)
	w.pass(30 * time.Second)
	w.want(Progressing, 1, 500)
}
