package rollout

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestACanaryGoesThroughItsStepsAndSucceeds(t *testing.T) {
	w := newWorld(t, webPlan())
	w.look()
	w.want(Progressing, 1, 500)
	w.pass(59 * time.Second)
	w.want(Progressing, 1, 500)
	w.wantHold(RuleInterval, "held for 1m0s, until 2026-11-25T02:01:00Z")
	w.pass(time.Second)
	w.want(Progressing, 2, 2500)
	w.pass(2 * time.Minute)
	w.want(Progressing, 3, 5000)
	w.pass(time.Minute)
	w.want(Progressing, 4, Whole)
	w.pass(time.Minute)
	w.want(Succeeded, 4, Whole)
	var kinds []Kind
	for _, e := range w.events {
		kinds = append(kinds, e.Kind)
	}
	if diff := cmp.Diff([]Kind{Began, Stepped, Stepped, Stepped, Stepped, Finished}, kinds); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]uint32{"v1": 0, "v2": 10000}, Weights(w.state)); diff != "" {
		t.Errorf("weights (-want +got):\n%s", diff)
	}
	if next := Next(w.state, w.plan, w.now); !next.IsZero() {
		t.Errorf("next = %s after the end, want never", next)
	}
}

func TestBeforeTheFirstStep(t *testing.T) {
	tests := map[string]struct {
		plan func(*Plan)
		see  func(*Observations)
		rule Rule // what holds; "" when the step comes
		says string
	}{
		"a ready candidate gets its first step at once":                   {nil, func(*Observations) {}, "", ""},
		"a candidate without instances holds for ever":                    {nil, candidate(0, 0), RuleInstances, "no instance yet"},
		"a candidate of which none passes holds":                          {nil, candidate(3, 0), RuleInstances, "none of the candidate's 3 instances"},
		"a candidate with too few passing holds":                          {nil, candidate(5, 2), RuleInstances, "2 of 5 candidate instances pass their checks (40%), min_healthy is 50%"},
		"exactly min_healthy is enough":                                   {nil, candidate(4, 2), "", ""},
		"a view that is not trusted holds and says why":                   {nil, untrusted, RuleUntrusted, "vanished at once"},
		"an untrusted stable alone holds":                                 {nil, func(o *Observations) { o.Stable.Trusted = false }, RuleUntrusted, "stable"},
		"a task that has applied no weights holds":                        {nil, tasksBehind, RuleTasks, "1 of 2 tasks have not applied candidate v2 = 0%: f5"},
		"the plan asks for a person":                                      {func(p *Plan) { p.Manual.First = true }, func(*Observations) {}, RulePromotion, "before step 1 of 4"},
		"metrics are not asked before there is traffic":                   {func(p *Plan) { p.Metrics = []Metric{errorRate()} }, unreadable, "", ""},
		"a first step of nothing but the cohort waits for instances also": {cohortFirst, candidate(1, 0), RuleInstances, "none"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			p := webPlan()
			if tc.plan != nil {
				tc.plan(&p)
			}
			p.Deadline = time.Minute // must not count before the first step
			w := newWorld(t, p)
			w.see = tc.see
			w.pass(0)
			if tc.rule == "" {
				w.want(Progressing, 1, 500)
				return
			}
			w.pass(time.Hour)
			w.want(Waiting, 0, 0)
			w.wantHold(tc.rule, tc.says)
		})
	}
}

func cohortFirst(p *Plan) {
	p.Cohort = []Match{{In: Header, Name: "x-canary"}}
	p.Steps = append([]Stage{{Weight: 0}}, p.Steps...)
}

// Each case begins at step 2 (25 %) and lets 200 seconds pass. Where nothing is
// wrong the canary stands at step 4 then.
func TestWhatHappensAtAStep(t *testing.T) {
	withMetric := func(p *Plan) { p.Metrics = []Metric{errorRate()} }
	withDeadline := func(p *Plan) { withMetric(p); p.Deadline = 3 * time.Minute }
	withMin := func(p *Plan) { p.Metrics = []Metric{{Name: "rate", Query: "x", Min: to(0.5)}} }
	ejecting := func(p *Plan) { p.MaxEjected = 2000 }
	ejected := func(s Share) func(*Observations) { return func(o *Observations) { o.Ejected = &s } }
	both := func(all ...func(*Observations)) func(*Observations) {
		return func(o *Observations) {
			for _, f := range all {
				f(o)
			}
		}
	}
	tests := map[string]struct {
		plan  func(*Plan)
		see   func(*Observations)
		phase Phase
		step  int
		rule  Rule
		says  string
	}{
		"all is good": {withDeadline, func(*Observations) {}, Progressing, 4, RuleInterval, ""},
		"no candidate instance passes: back at once":   {nil, candidate(2, 0), RolledBack, 0, "", "none of the candidate's 2 instances"},
		"the candidate was deregistered: back at once": {nil, candidate(0, 0), RolledBack, 0, "", "none of the candidate's 0 instances"},
		"neither subset passes: back":                  {nil, both(candidate(2, 0), stable(4, 0)), RolledBack, 0, "", "its traffic is failing"},
		"too few pass: back after the threshold":       {nil, candidate(5, 2), RolledBack, 0, "", "2 judgements failed in a row"},
		"a metric above its max: back":                 {withMetric, measured(1.5), RolledBack, 0, "", "metric errors is 1.5, max is 1"},
		"a metric at its max: fine":                    {withMetric, measured(1), Progressing, 4, RuleInterval, ""},
		"a metric below its min: back":                 {withMin, measured(0.25), RolledBack, 0, "", "metric rate is 0.25, min is 0.5"},
		"a metric at its min: fine":                    {withMin, measured(0.5), Progressing, 4, RuleInterval, ""},
		"the newest of several measurements counts": {withMetric, func(o *Observations) {
			old := o.Measurements[0].At.Add(-time.Second)
			o.Measurements = append(o.Measurements, Measurement{Metric: "errors", Value: 9, At: old}, Measurement{Metric: "other", Value: 9, At: old})
		}, Progressing, 4, RuleInterval, ""},
		"past the deadline with a stable of which none passes: held":       {withDeadline, both(unreadable, stable(4, 0)), Progressing, 2, RuleStable, "no stable instance passes"},
		"a metric of infinity: back":                                       {withMetric, measured(math.Inf(1)), RolledBack, 0, "", "+Inf"},
		"a metric that is no number: held":                                 {withMetric, measured(math.NaN()), Progressing, 2, RuleMissing, "no number came back"},
		"a metric that cannot be read: held without a deadline":            {withMetric, unreadable, Progressing, 2, RuleMissing, `connection refused\nby`},
		"a metric that cannot be read: back after the deadline":            {withDeadline, unreadable, RolledBack, 0, "", "the step could not go on for 3m0s"},
		"a metric that nobody measured: held":                              {withMetric, func(o *Observations) { o.Measurements = nil }, Progressing, 2, RuleMissing, "not measured"},
		"a measurement from the future: held":                              {withMetric, func(o *Observations) { o.Measurements[0].At = start.Add(time.Hour) }, Progressing, 2, RuleMissing, "not measured"},
		"a measurement from before the step: held":                         {withMetric, func(o *Observations) { o.Measurements[0].At = start }, Progressing, 2, RuleMissing, "not measured"},
		"too many hosts ejected: back":                                     {ejecting, ejected(2001), RolledBack, 0, "", "Envoy ejected 20.01% of the candidate's hosts, max_ejected is 20%"},
		"as many hosts ejected as may be: fine":                            {ejecting, ejected(2000), Progressing, 4, RuleInterval, ""},
		"ejections unknown: held":                                          {ejecting, func(o *Observations) { o.Ejected = nil }, Progressing, 2, RuleMissing, "Envoy has not told"},
		"ejections unknown and not judged: fine":                           {nil, func(o *Observations) { o.Ejected = nil }, Progressing, 4, RuleInterval, ""},
		"an untrusted view that shows no instance: held":                   {withDeadline, both(untrusted, candidate(0, 0)), Progressing, 2, RuleUntrusted, "not trusted"},
		"an untrusted view that shows too few passing: held":               {withDeadline, both(untrusted, candidate(5, 1)), Progressing, 2, RuleUntrusted, "not trusted"},
		"an untrusted view and unreadable metrics: held past the deadline": {withDeadline, both(untrusted, unreadable), Progressing, 2, RuleUntrusted, "not trusted"},
		"an untrusted view and a metric above its max: back":               {withMetric, both(untrusted, measured(2)), RolledBack, 0, "", "metric errors is 2"},
		"a task that does not apply: held":                                 {nil, tasksBehind, Progressing, 2, RuleTasks, "f5"},
		"a task that does not apply until the deadline: back":              {withDeadline, tasksBehind, RolledBack, 0, "", "1 of 2 tasks have not applied candidate v2 = 25%: f5"},
		"a task that does not apply and a failing candidate: back":         {withMetric, both(tasksBehind, measured(2)), RolledBack, 0, "", "metric errors is 2"},
		"failing with a stable of which none passes: held":                 {withMetric, both(measured(2), stable(4, 0)), Progressing, 2, RuleStable, "no stable instance passes"},
		"a stable without instances alone stops nothing":                   {nil, stable(0, 0), Progressing, 4, RuleInterval, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			p := webPlan()
			if tc.plan != nil {
				tc.plan(&p)
			}
			w := newWorld(t, p)
			w.pass(time.Minute)
			w.want(Progressing, 2, 2500)
			w.sees(tc.see)
			w.pass(200 * time.Second)
			weight := Share(0)
			if tc.step > 0 {
				weight = p.Steps[tc.step-1].Weight
			}
			w.want(tc.phase, tc.step, weight)
			if tc.rule != "" {
				w.wantHold(tc.rule, tc.says)
			} else {
				w.wantLast(TakenBack, tc.says)
			}
		})
	}
}

func TestAFailingCandidateIsBackAfterThresholdChecks(t *testing.T) {
	p := with(webPlan(), func(p *Plan) { p.Metrics = []Metric{errorRate()}; p.Threshold = 3 })
	w := newWorld(t, p)
	w.look()
	w.sees(measured(7))
	w.pass(29 * time.Second)
	w.want(Progressing, 1, 500)
	w.wantLast(JudgedBad, "failed judgement 2 in a row, 3 roll back")
	w.pass(time.Second)
	w.want(RolledBack, 0, 0)
}

func TestACandidateWithoutHealthyInstancesIsBackInTheCallThatSeesIt(t *testing.T) {
	w := newWorld(t, webPlan())
	w.look()
	w.now = w.now.Add(time.Second) // long before the first judgement
	w.sees(candidate(2, 0))
	w.look()
	w.want(RolledBack, 0, 0)
}

func TestOneFailedJudgementBetweenGoodOnesRollsNothingBack(t *testing.T) {
	w := newWorld(t, with(webPlan(), func(p *Plan) { p.Metrics = []Metric{errorRate()} }))
	w.look()
	for range 5 {
		w.see = measured(7)
		w.pass(10 * time.Second)
		w.wantHold(RuleJudgement, "metric errors is 7")
		w.want(Progressing, w.state.Step, w.state.Weight)
		w.see = func(*Observations) {}
		w.pass(10 * time.Second)
		if w.state.Failures != 0 {
			t.Fatalf("%d failures after a good judgement, want 0", w.state.Failures)
		}
	}
	w.want(Progressing, 2, 2500)
}

func TestFailuresCountInARowOnly(t *testing.T) {
	w := newWorld(t, with(webPlan(), func(p *Plan) { p.Metrics = []Metric{errorRate()}; p.Threshold = 3 }))
	w.look()
	for range 2 {
		w.see = measured(7)
		w.pass(20 * time.Second)
		w.see = func(*Observations) {}
		w.pass(10 * time.Second)
	}
	w.want(Progressing, 2, 2500) // after four failures, two and two
}

// What is not known is neither a failure nor the end of a row of failures.
func TestMissingDataBetweenFailuresBreaksNoRow(t *testing.T) {
	w := newWorld(t, with(webPlan(), func(p *Plan) { p.Metrics = []Metric{errorRate()} }))
	w.look()
	w.see = measured(7)
	w.pass(10 * time.Second)
	w.see = unreadable
	w.pass(time.Hour)
	w.want(Progressing, 1, 500)
	w.see = measured(7)
	w.pass(10 * time.Second)
	w.want(RolledBack, 0, 0)
}

func TestAHoldThatEndedUnjudgedWaitsForTheNextCheck(t *testing.T) {
	w := newWorld(t, webPlan())
	w.pass(50 * time.Second)
	w.state.Judged, w.state.Last.At = start.Add(57*time.Second), start.Add(57*time.Second) // a call came late
	w.now = start.Add(60 * time.Second)
	w.look()
	w.want(Progressing, 1, 500)
	w.wantHold(RuleInterval, "not judged since its hold ended")
	w.pass(7 * time.Second)
	w.want(Progressing, 2, 2500)
}

// Events come often; the threshold counts checks, not calls.
func TestManyCallsBetweenChecksCountOnce(t *testing.T) {
	w := newWorld(t, with(webPlan(), func(p *Plan) { p.Metrics = []Metric{errorRate()} }))
	w.look()
	w.sees(measured(7))
	for range 19 {
		w.now = w.now.Add(time.Second)
		w.look()
	}
	w.want(Progressing, 1, 500)
	if w.state.Failures != 1 {
		t.Errorf("%d failures within two checks, want 1", w.state.Failures)
	}
}

func TestAHoldCountsFromWhenTheTasksHaveApplied(t *testing.T) {
	w := newWorld(t, webPlan())
	w.look()
	w.sees(tasksBehind)
	w.pass(0)
	w.state.Settled = time.Time{}
	w.pass(10 * time.Minute)
	w.want(Progressing, 1, 500)
	w.sees(tasksDone)
	w.pass(59 * time.Second)
	w.want(Progressing, 1, 500)
	w.pass(time.Second)
	w.want(Progressing, 2, 2500)
}

func TestManualStepsWaitForAPersonWithoutADeadline(t *testing.T) {
	w := newWorld(t, with(webPlan(), func(p *Plan) { p.Manual = Manual{First: true, Last: true}; p.Deadline = time.Minute }))
	w.pass(time.Hour)
	w.want(Waiting, 0, 0)
	w.say(Promote)
	w.want(Progressing, 1, 500)
	if by := w.state.Change.By; by != "ann" {
		t.Errorf("the step came by %q, want ann", by)
	}
	w.pass(4 * time.Hour)
	w.want(Progressing, 3, 5000)
	w.wantHold(RulePromotion, "before step 4 of 4")
	w.say(Promote)
	w.want(Progressing, 4, Whole)
	w.pass(time.Minute)
	w.want(Succeeded, 4, Whole)
}

func TestPromotePassesTimeAndJudgementsButNoDoubt(t *testing.T) {
	metric := func(p *Plan) { p.Metrics = []Metric{errorRate()} }
	tests := map[string]struct {
		see   func(*Observations)
		steps bool
	}{
		"the hold is not over":             {func(*Observations) {}, true},
		"a metric cannot be read":          {unreadable, true},
		"a judgement failed once":          {measured(3), true},
		"the views are not trusted":        {untrusted, false},
		"a task has not applied":           {tasksBehind, false},
		"only the stable is not trusted":   {func(o *Observations) { o.Stable.Trusted = false }, false},
		"the candidate has lost its views": {func(o *Observations) { untrusted(o); candidate(0, 0)(o) }, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, with(webPlan(), metric))
			w.look()
			w.sees(tc.see)
			w.pass(10 * time.Second)
			w.say(Promote)
			if tc.steps {
				w.want(Progressing, 2, 2500)
				return
			}
			w.want(Progressing, 1, 500)
			w.see = func(*Observations) {}
			w.pass(0)
			w.want(Progressing, 2, 2500) // the promotion was kept
		})
	}
}

func TestAPausedCanaryIsProtectedStill(t *testing.T) {
	w := newWorld(t, with(webPlan(), func(p *Plan) { p.Metrics = []Metric{errorRate()}; p.Deadline = time.Minute }))
	w.pass(time.Minute)
	w.say(Pause)
	w.sees(unreadable)
	w.pass(time.Hour)
	w.want(Paused, 2, 2500)
	w.wantHold(RulePaused, "a person paused")
	w.see = measured(5)
	w.pass(20 * time.Second)
	w.want(RolledBack, 0, 0)
}

func TestResumeGoesOnWhereItWas(t *testing.T) {
	w := newWorld(t, webPlan())
	w.see = candidate(0, 0)
	w.look()
	w.say(Pause)
	w.want(Paused, 0, 0)
	w.say(Resume)
	w.want(Waiting, 0, 0)
	w.see = func(*Observations) {}
	w.look()
	w.say(Pause)
	w.pass(time.Hour)
	w.want(Paused, 1, 500)
	w.say(Resume)
	w.want(Progressing, 2, 2500)
	w.pass(time.Second)
	w.say(Pause)
	w.say(Promote)
	w.want(Progressing, 3, 5000)
}

func TestCommandsThatCannotBeObeyedSayWhy(t *testing.T) {
	at := func(verbs ...Verb) func(*world) {
		return func(w *world) {
			w.look()
			for _, v := range verbs {
				w.say(v)
			}
		}
	}
	succeeded := func(w *world) { w.pass(time.Hour) }
	tests := map[string]struct {
		before func(*world)
		verb   Verb
		says   string
	}{
		"resume what runs":      {at(), Resume, "it is not paused"},
		"pause what is paused":  {at(Pause), Pause, "paused already"},
		"restart what runs":     {at(), Restart, "it is progressing; abort it first"},
		"abort what is aborted": {at(Abort), Abort, "all traffic is back already (aborted)"},
		"promote after abort":   {at(Abort), Promote, "has ended (aborted)"},
		"pause after success":   {succeeded, Pause, "has ended (succeeded)"},
		"restart after success": {succeeded, Restart, "it is succeeded; abort it first"},
		"a verb that is none":   {at(), "explode\n", `"explode\n" is no command`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, webPlan())
			tc.before(w)
			before := w.state
			w.say(tc.verb)
			w.wantLast(CmdRefused, tc.says)
			w.want(before.Phase, before.Step, before.Weight)
		})
	}
}

func TestAbortAndRestart(t *testing.T) {
	w := newWorld(t, webPlan())
	w.pass(time.Hour)
	w.want(Succeeded, 4, Whole)
	w.say(Abort) // also after success
	w.want(Aborted, 0, 0)
	if diff := cmp.Diff([]string{"reason: a test"}, w.state.Change.Evidence); diff != "" {
		t.Errorf("evidence (-want +got):\n%s", diff)
	}
	w.pass(time.Hour)
	w.want(Aborted, 0, 0)
	w.say(Restart)
	w.pass(0)
	w.want(Progressing, 1, 500)
}

func TestACommandIsObeyedOnceThoughGivenAgain(t *testing.T) {
	w := newWorld(t, webPlan())
	w.look()
	again := Command{Number: 1, Do: Abort}
	w.look(again)
	w.look(again, Command{Number: 2, Do: Restart})
	w.pass(w.plan.CheckEvery + time.Minute)
	w.look(again)
	w.want(Progressing, 2, 2500)
	if by := w.state.Events[2].By; by != "a person" {
		t.Errorf("an unnamed command came by %q, want a person", by)
	}
}

func TestATaskOfManyIsCountedNotListed(t *testing.T) {
	w := newWorld(t, webPlan())
	w.sees(func(o *Observations) {
		for range 50 {
			o.Tasks = append(o.Tasks, Task{Name: strings.Repeat("x", 5000) + "\n"})
		}
	})
	w.look()
	w.wantHold(RuleTasks, "and 45 more")
	for _, h := range w.state.Holds {
		if n := len(strings.Join(h.Evidence, "")); n > 2000 || strings.Contains(strings.Join(h.Evidence, ""), "\n") {
			t.Errorf("evidence of %s has %d bytes or a line break", h.Rule, n)
		}
	}
}

func TestAClockThatJumps(t *testing.T) {
	t.Run("back begins the hold anew and keeps judging", func(t *testing.T) {
		w := newWorld(t, with(webPlan(), func(p *Plan) { p.Metrics = []Metric{errorRate()} }))
		w.pass(30 * time.Second)
		w.now = start.Add(-24 * time.Hour)
		w.look()
		w.sees(measured(9))
		w.pass(20 * time.Second)
		w.want(RolledBack, 0, 0)
	})
	t.Run("back leaves the next call near", func(t *testing.T) {
		w := newWorld(t, webPlan())
		w.pass(30 * time.Second)
		now := start.Add(-24 * time.Hour)
		if got, want := Next(w.state, w.plan, now), now.Add(10*time.Second); !got.Equal(want) {
			t.Errorf("next = %s, want %s", got, want)
		}
	})
	t.Run("forward takes one step at most", func(t *testing.T) {
		w := newWorld(t, webPlan())
		w.look()
		w.now = start.Add(24 * time.Hour)
		w.look()
		w.want(Progressing, 2, 2500)
	})
}

func TestNextIsTheDeadlineWhenThatComesFirst(t *testing.T) {
	w := newWorld(t, with(webPlan(), func(p *Plan) { p.CheckEvery, p.Deadline = time.Minute, 90*time.Second }))
	w.sees(func(o *Observations) {
		if o.Tasks[0].Applied["v2"] > 0 {
			tasksBehind(o)
		}
	})
	w.pass(80 * time.Second)
	if got, want := Next(w.state, w.plan, w.now), start.Add(90*time.Second); !got.Equal(want) {
		t.Errorf("next = %s, want the deadline at %s", got, want)
	}
	w.pass(10 * time.Second)
	w.want(RolledBack, 0, 0)
}
