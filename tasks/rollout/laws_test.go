package rollout

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func drawPlan(t *rapid.T) Plan {
	p := DefaultPlan()
	p.Service = "web"
	p.Stable = subset("v1", rapid.SampledFrom([]string{"one", "two"}).Draw(t, "stable selects"))
	p.Candidate = subset(rapid.SampledFrom([]string{"v2", "v3"}).Draw(t, "candidate"), rapid.SampledFrom([]string{"two", "three"}).Draw(t, "candidate selects"))
	if p.Stable.same(p.Candidate) {
		p.Stable = subset("v1", "one")
	}
	p.CheckEvery = time.Duration(rapid.IntRange(1, 20).Draw(t, "check every")) * time.Second
	p.Interval = p.CheckEvery + time.Duration(rapid.IntRange(0, 90).Draw(t, "interval"))*time.Second
	weight := Share(0)
	for n := range rapid.IntRange(1, 6).Draw(t, "steps") {
		weight += Share(rapid.IntRange(1, 1500).Draw(t, "weight"))
		if n == 5 {
			weight = Whole
		}
		hold := time.Duration(0)
		if rapid.Bool().Draw(t, "own hold") {
			hold = p.CheckEvery + time.Duration(rapid.IntRange(0, 90).Draw(t, "hold"))*time.Second
		}
		p.Steps = append(p.Steps, Stage{weight, hold})
	}
	if rapid.Bool().Draw(t, "cohort first") {
		p.Cohort = []Match{{In: Header, Name: "x-beta"}}
		p.Steps[0].Weight = 0
	}
	p.Threshold = rapid.IntRange(1, 4).Draw(t, "threshold")
	p.MinHealthy = Share(rapid.IntRange(0, int(Whole)).Draw(t, "min healthy"))
	p.MaxEjected = Share(rapid.SampledFrom([]int{0, 3000, int(Whole)}).Draw(t, "max ejected"))
	p.Manual = Manual{rapid.Bool().Draw(t, "manual first"), rapid.Bool().Draw(t, "manual last")}
	if rapid.Bool().Draw(t, "deadline") {
		p.Deadline = p.CheckEvery + time.Duration(rapid.IntRange(0, 200).Draw(t, "deadline of"))*time.Second
	}
	if rapid.Bool().Draw(t, "metric") {
		p.Metrics = []Metric{errorRate()}
	}
	if wrong := p.Validate(); wrong != nil {
		t.Fatalf("drew a wrong plan: %v", wrong)
	}
	return p
}

func drawInstances(t *rapid.T, name string) Instances {
	total := rapid.IntRange(0, 4).Draw(t, name+" total")
	passing := total
	if rapid.IntRange(0, 3).Draw(t, name+" ill") == 0 {
		passing = rapid.IntRange(0, total).Draw(t, name+" passing")
	}
	return Instances{Total: total, Passing: passing, Trusted: rapid.IntRange(0, 5).Draw(t, name+" doubted") > 0}
}

// drawObservations are good as a rule, so that canaries get somewhere.
func drawObservations(t *rapid.T, p Plan, s State, now time.Time) Observations {
	o := good(p, s, now)
	if rapid.Bool().Draw(t, "all good") {
		return o
	}
	o.Stable, o.Candidate = drawInstances(t, "stable"), drawInstances(t, "candidate")
	switch rapid.IntRange(0, 5).Draw(t, "measured") {
	case 0:
		o.Measurements = nil
	case 1:
		unreadable(&o)
	case 2:
		measured(rapid.SampledFrom([]float64{0, 1, 1.01, math.Inf(1), math.NaN()}).Draw(t, "value"))(&o)
	}
	switch rapid.IntRange(0, 5).Draw(t, "ejections") {
	case 0:
		o.Ejected = nil
	case 1:
		share := Share(rapid.IntRange(0, int(Whole)).Draw(t, "ejected"))
		o.Ejected = &share
	}
	if rapid.IntRange(0, 3).Draw(t, "task behind") == 0 {
		tasksBehind(&o)
	}
	return o
}

func drawCommands(t *rapid.T, s State) (out []Command) {
	if rapid.IntRange(0, 9).Draw(t, "silent") > 0 {
		return nil
	}
	for n := range rapid.IntRange(1, 3).Draw(t, "commands") {
		verb := rapid.SampledFrom([]Verb{Promote, Promote, Pause, Resume, Abort, Restart, "nonsense"}).Draw(t, "verb")
		out = append(out, Command{Number: s.Handled + uint64(n) + 1, Do: verb})
	}
	return out
}

// said tells whether a verb is among commands.
func said(commands []Command, verbs ...Verb) bool {
	for _, c := range commands {
		for _, v := range verbs {
			if c.Do == v {
				return true
			}
		}
	}
	return false
}

var sameState = cmp.Options{cmpopts.EquateEmpty()}

// encoded is the state as it is stored; to compare it is much faster than cmp.
func encoded(t *rapid.T, s State) string {
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatalf("encode state: %v", err)
	}
	return string(text)
}

func decoded(t *rapid.T, text string) (out State) {
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatalf("decode state: %v", err)
	}
	return out
}

// The laws hold after every call, whatever was observed, asked for and changed.
func TestLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan, state, now := drawPlan(t), State{}, start
		for range rapid.IntRange(1, 60).Draw(t, "calls") {
			switch rapid.IntRange(0, 19).Draw(t, "turn") {
			case 0:
				plan = drawPlan(t)
			case 1:
				now = now.Add(time.Duration(rapid.IntRange(-100, 1000).Draw(t, "jump")) * time.Second)
			default:
				if next := Next(state, plan, now); !next.IsZero() {
					now = next
				}
			}
			o := drawObservations(t, plan, state, now)
			o.Commands = drawCommands(t, state)
			stored, before := encoded(t, state), state
			after, events := Step(plan, state, o, now)
			if given := encoded(t, state); given != stored {
				t.Fatalf("Step changed the state that it was given:\n%s", cmp.Diff(stored, given))
			}
			checkSums(t, after)
			checkOneChange(t, before, after, events)
			checkForward(t, plan, before, after, o)
			checkBackward(t, plan, before, after, o)
			checkNext(t, plan, after, now)
			stored = encoded(t, after)
			state = decoded(t, stored) // each call is after a restart
			again, more := Step(plan, state, o, now)
			if twice := encoded(t, again); twice != stored || len(more) > 0 {
				t.Fatalf("a second call at the same time changed more: %+v\n%s", more, cmp.Diff(stored, twice))
			}
		}
	})
}

func checkSums(t *rapid.T, s State) {
	w, sum := Weights(s), uint32(0)
	for _, share := range w {
		sum += share
	}
	if len(w) != 2 || sum != uint32(Whole) {
		t.Fatalf("weights are %v, want two that sum to %d", w, Whole)
	}
	if (s.Phase == RolledBack || s.Phase == Aborted) && (w[s.Candidate.Name] != 0 || s.Exposed()) {
		t.Fatalf("the canary is %s with the candidate at %v, want 0", s.Phase, w)
	}
	if len(s.Events) > MaxEvents {
		t.Fatalf("%d events are kept, want %d at most", len(s.Events), MaxEvents)
	}
	for _, h := range s.Holds {
		if len(h.Evidence) == 0 || h.Release == "" {
			t.Fatalf("hold %s lacks evidence or a way out", h.Rule)
		}
	}
	if s.Phase == Waiting && len(s.Holds) == 0 && !s.Moved.Equal(s.Since) {
		t.Fatal("a canary waits and does not say for what")
	}
}

func checkOneChange(t *rapid.T, before, after State, events []Event) {
	changes := 0
	for _, e := range events {
		if e.From != e.To {
			changes++
		}
	}
	if changes > 1 {
		t.Fatalf("one call changed the weight %d times: %+v", changes, events)
	}
	if before.Weight != after.Weight && (changes != 1 || after.Change == nil || after.Change.To != after.Weight) {
		t.Fatalf("the weight went from %s to %s without a record: %+v", before.Weight, after.Weight, events)
	}
}

// checkForward is the promise in the words of the package comment.
func checkForward(t *rapid.T, p Plan, before, after State, o Observations) {
	if after.Weight <= before.Weight {
		return
	}
	promoted := before.Promoted != "" || said(o.Commands, Promote)
	// goesOn tells that it is the same canary still, begun neither anew nor otherwise.
	goesOn := before.Plan == p.Digest() && !said(o.Commands, Abort, Restart)
	judgedNow := before.Exposed() && !after.Judged.Before(before.due(p))
	above := len(p.Metrics) > 0 && len(o.Measurements) > 0 && o.Measurements[0].Error == "" && o.Measurements[0].Value > 1
	bad := map[string]bool{
		"a view was not trusted":        !o.Stable.Trusted || !o.Candidate.Trusted,
		"no candidate instance passed":  o.Candidate.Passing == 0,
		"a task had not applied":        len(o.Tasks) > 1,
		"it was paused":                 before.Phase == Paused && !promoted && !said(o.Commands, Resume, Restart),
		"it had ended":                  before.Phase.Ended() && before.Plan == p.Digest() && !said(o.Commands, Restart),
		"more than one step was taken":  goesOn && after.Step != before.Step+1,
		"a person was not asked":        !promoted && (p.Manual.First && after.Step == 1 || p.Manual.Last && after.Step == len(p.Steps)),
		"a metric was above its limit":  goesOn && !promoted && judgedNow && above,
		"an earlier judgement was bad":  goesOn && !promoted && before.Last.Result == Failed && after.Judged.Before(before.due(p)),
		"the hold had not begun":        goesOn && !promoted && before.Exposed() && before.Settled.IsZero(),
		"it moved from one to the next": after.Step > 0 && after.Weight != p.Steps[after.Step-1].Weight,
	}
	for what, wrong := range bad {
		if wrong {
			t.Fatalf("the weight went from %s to %s though: %s", before.Weight, after.Weight, what)
		}
	}
}

// checkBackward: what is taken back has a proof, and stays back.
func checkBackward(t *rapid.T, p Plan, before, after State, o Observations) {
	samePlan := before.Plan == p.Digest()
	if (before.Phase == RolledBack || before.Phase == Aborted) && samePlan && !said(o.Commands, Restart) && after.Weight != 0 {
		t.Fatalf("the candidate got %s after it was %s", after.Weight, before.Phase)
	}
	if after.Phase != RolledBack || before.Phase == RolledBack {
		return
	}
	ill := o.Candidate.Trusted && o.Candidate.Passing == 0
	if !ill && o.Stable.Passing == 0 && o.Candidate.Passing > 0 {
		t.Fatal("it was rolled back to a stable subset of which none passes")
	}
	// With views that are not trusted only what Envoy and the metrics say counts.
	bad := len(o.Measurements) > 0 && o.Measurements[0].Value > 1 || o.Ejected != nil && *o.Ejected > p.MaxEjected
	if !o.Candidate.Trusted && !bad && before.Failures == 0 {
		t.Fatalf("a view that is not trusted rolled back: %+v", after.Change)
	}
}

func checkNext(t *rapid.T, p Plan, s State, now time.Time) {
	next := Next(s, p, now)
	quiet := s.Phase.Ended() || s.Refused == p.Digest()
	if next.IsZero() != quiet {
		t.Fatalf("next is %s while the canary is %s", next, s.Phase)
	}
	if !quiet && (!next.After(now) || next.Sub(now) > 2*p.CheckEvery) {
		t.Fatalf("next is %s from now, want up to two checks of %s", next.Sub(now), p.CheckEvery)
	}
}

// Whatever the plan, good observations bring the canary to its end in the sum of
// its holds, neither sooner nor later.
func TestAGoodCanaryEndsInTheSumOfItsHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlan(t)
		p.Manual = Manual{}
		sum := time.Duration(0)
		for n := range p.Steps {
			sum += p.hold(n + 1)
		}
		s, now, calls := State{}, start, 0
		for !s.Phase.Ended() {
			if calls++; calls > 10000 {
				t.Fatalf("no end: %+v", s)
			}
			applied := Weights(s)
			s, _ = Step(p, s, good(p, s, now), now)
			if maps.Equal(applied, Weights(s)) {
				now = Next(s, p, now)
			}
			if s.Phase == Succeeded {
				break
			}
		}
		if got := s.Change.At.Sub(start); s.Phase != Succeeded || got != sum || s.Weight != p.highest() {
			t.Fatalf("%s with %s after %s, want succeeded with %s after %s", s.Phase, s.Weight, got, p.highest(), sum)
		}
	})
}

// Without a person a candidate that fails each judgement never gets more than its
// first weight, and not for long.
func TestABadCandidateNeverGoesUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlan(t)
		p.Metrics, p.Manual = []Metric{errorRate()}, Manual{}
		s, now, exposed := State{}, start, time.Time{}
		for range 4*p.Threshold + 4 {
			o := good(p, s, now)
			measured(1 + rapid.Float64Range(0.001, 1e9).Draw(t, "too much"))(&o)
			s, _ = Step(p, s, o, now)
			if s.Weight > p.Steps[0].Weight || s.Step > 1 {
				t.Fatalf("a failing candidate got %s", s.Weight)
			}
			if s.Exposed() && exposed.IsZero() {
				exposed = now
			}
			if s.Phase.Ended() {
				break
			}
			now = Next(s, p, now)
		}
		if most := time.Duration(2*p.Threshold) * p.CheckEvery; s.Phase != RolledBack || now.Sub(exposed) > most {
			t.Fatalf("%s after %s, want rolled back within %s", s.Phase, now.Sub(exposed), most)
		}
	})
}

// While the catalog may lie and nothing else speaks, no weight moves.
func TestAnUntrustedViewMovesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlan(t)
		w, now := State{}, start
		for range rapid.IntRange(1, 30).Draw(t, "good calls") {
			w, _ = Step(p, w, good(p, w, now), now)
			if next := Next(w, p, now); !next.IsZero() {
				now = next
			}
		}
		before := Weights(w)
		for range rapid.IntRange(1, 50).Draw(t, "doubted calls") {
			o := good(p, w, now)
			o.Candidate = Instances{Total: rapid.IntRange(0, 3).Draw(t, "total")}
			o.Stable.Trusted = rapid.Bool().Draw(t, "stable is trusted")
			if rapid.Bool().Draw(t, "no metrics") {
				unreadable(&o)
			}
			w, _ = Step(p, w, o, now)
			if !maps.Equal(before, Weights(w)) {
				t.Fatalf("weights went from %v to %v on doubt: %+v", before, Weights(w), w.Change)
			}
			now = now.Add(time.Duration(rapid.IntRange(0, 1000).Draw(t, "seconds")) * time.Second)
		}
	})
}

// Whatever happens, a person can read why, in bounded words.
func TestEveryEventHasEvidence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, s, now := drawPlan(t), State{}, start
		for range 40 {
			next, events := Step(p, s, drawObservations(t, p, s, now), now)
			for _, e := range events {
				if len(e.Evidence) == 0 {
					t.Fatalf("event %s has no evidence", e.Kind)
				}
				if !e.At.Equal(now) {
					t.Fatalf("event %s is of %s, want %s", e.Kind, e.At, now)
				}
				if text := fmt.Sprint(e.Evidence); len(text) > 4000 {
					t.Fatalf("event %s has %d bytes of evidence", e.Kind, len(text))
				}
			}
			s = next
			if at := Next(s, p, now); !at.IsZero() {
				now = at
			}
		}
	})
}

// A damaged state may cost the canary its place, never the sum of the weights, and
// a call after it finds it whole.
func TestAnyStoredStateComesToOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlan(t)
		name := rapid.SampledFrom([]string{"", "v1", "v2", "other"})
		at := rapid.Custom(func(t *rapid.T) time.Time {
			return start.Add(time.Duration(rapid.Int64().Draw(t, "nanoseconds")))
		})
		s := State{
			Phase: rapid.SampledFrom([]Phase{"", Waiting, Progressing, Paused, Succeeded, RolledBack, Aborted, "odd"}).Draw(t, "phase"),
			Step:  rapid.Int().Draw(t, "step"), Weight: Share(rapid.Uint32().Draw(t, "weight")),
			Stable: Subset{Name: name.Draw(t, "stable name")}, Candidate: Subset{Name: name.Draw(t, "candidate name")},
			Since: at.Draw(t, "since"), Moved: at.Draw(t, "moved"), Settled: at.Draw(t, "settled"), StuckSince: at.Draw(t, "stuck"), Judged: at.Draw(t, "judged"),
			Failures: rapid.Int().Draw(t, "failures"), Handled: rapid.Uint64().Draw(t, "handled"),
			Last: Judgement{Result: rapid.SampledFrom([]Result{"", Passed, Failed, "odd"}).Draw(t, "result"), Evidence: []string{"a fact"}},
		}
		if rapid.Bool().Draw(t, "same plan") {
			s.Plan = p.Digest()
		}
		if rapid.Bool().Draw(t, "refused") {
			s.Refused = definition("some plan")
		}
		after, _ := Step(p, s, drawObservations(t, p, s, start), start)
		checkSums(t, after)
		checkNext(t, p, after, start)
		if !after.Phase.known() || after.Step < 0 || after.Step > len(p.Steps) || after.Failures < 0 {
			t.Fatalf("the state is not in order: %+v", after)
		}
		if after.Weight > min(s.Weight, Whole) && (after.Change == nil || after.Change.Kind != Stepped) {
			t.Fatalf("order alone took the weight from %s to %s", s.Weight, after.Weight)
		}
	})
}
