package rollout

import (
	"strings"
	"testing"
	"time"

	"patchbay/tasks/catalog"
)

var start = time.Date(2026, 11, 25, 2, 0, 0, 0, time.UTC)

func definition(s string) catalog.Digest { return catalog.NewHasher().String(s).Sum() }

func subset(name, selects string) Subset { return Subset{name, definition(selects)} }

// webPlan goes 5 %, 25 %, 50 %, 100 % and holds the second step longer.
func webPlan() Plan {
	p := DefaultPlan()
	p.Service, p.Stable, p.Candidate = "web", subset("v1", "one"), subset("v2", "two")
	p.Steps = []Stage{{Weight: 500}, {Weight: 2500, Hold: 2 * time.Minute}, {Weight: 5000}, {Weight: Whole}}
	return p
}

func with(p Plan, change func(*Plan)) Plan {
	change(&p)
	return p
}

func to(f float64) *float64 { return &f }

func errorRate() Metric { return Metric{Name: "errors", Query: "x", Max: to(1)} }

// good are observations in which nothing speaks against the next step.
func good(p Plan, s State, now time.Time) Observations {
	ejected := Share(0)
	o := Observations{Stable: Instances{Total: 4, Passing: 4, Trusted: true}, Candidate: Instances{Total: 2, Passing: 2, Trusted: true},
		Ejected: &ejected, Tasks: []Task{{Name: "edge", Applied: Weights(s)}}}
	for _, m := range p.Metrics {
		o.Measurements = append(o.Measurements, Measurement{Metric: m.Name, At: now, Value: within(m)})
	}
	return o
}

func within(m Metric) float64 {
	if m.Min != nil {
		return *m.Min
	}
	return *m.Max
}

// world calls Step as the agent does: when something changed and when Next says so.
type world struct {
	t     *testing.T
	plan  Plan
	state State
	now   time.Time
	// see changes what is observed from now on.
	see    func(*Observations)
	events []Event
	number uint64
}

func newWorld(t *testing.T, p Plan) *world {
	t.Helper()
	if wrong := p.Validate(); wrong != nil {
		t.Fatalf("the plan of the test is wrong: %v", wrong)
	}
	return &world{t: t, plan: p, now: start, see: func(*Observations) {}}
}

// look calls Step until nothing more changes at the present time.
func (w *world) look(commands ...Command) {
	w.t.Helper()
	for range 10 {
		o := good(w.plan, w.state, w.now)
		o.Commands = commands
		w.see(&o)
		before := w.state
		var events []Event
		w.state, events = Step(w.plan, w.state, o, w.now)
		w.events = append(w.events, events...)
		if len(events) == 0 && before.Settled.Equal(w.state.Settled) {
			return
		}
	}
	w.t.Fatalf("step does not come to rest: %+v", w.state)
}

// pass lets time go by.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	end := w.now.Add(d)
	for {
		w.look()
		next := Next(w.state, w.plan, w.now)
		if next.IsZero() || next.After(end) {
			break
		}
		if !next.After(w.now) {
			w.t.Fatalf("next is %s at %s: a busy loop", next, w.now)
		}
		w.now = next
	}
	w.now = end
	w.look()
}

func (w *world) say(verb Verb) {
	w.t.Helper()
	w.number++
	w.look(Command{Number: w.number, Do: verb, By: "ann", Reason: "a test"})
}

// sees changes what is observed besides what was changed before.
func (w *world) sees(change func(*Observations)) {
	was := w.see
	w.see = func(o *Observations) { was(o); change(o) }
}

func (w *world) want(phase Phase, step int, weight Share) {
	w.t.Helper()
	if s := w.state; s.Phase != phase || s.Step != step || s.Weight != weight {
		w.t.Fatalf("at %s the canary is %s at step %d with %s, want %s at step %d with %s\nholds %+v\nchange %+v",
			w.now.Sub(start), s.Phase, s.Step, s.Weight, phase, step, weight, s.Holds, s.Change)
	}
}

// wantHold wants a hold of that rule that says something and names a way out.
func (w *world) wantHold(rule Rule, says string) {
	w.t.Helper()
	for _, h := range w.state.Holds {
		if h.Rule != rule {
			continue
		}
		if text := strings.Join(h.Evidence, "\n"); !strings.Contains(text, says) || h.Release == "" {
			w.t.Errorf("hold %s says %q with the way out %q, want %q and a way out", rule, text, h.Release, says)
		}
		return
	}
	w.t.Errorf("%s does not hold: %+v", rule, w.state.Holds)
}

func (w *world) wantLast(kind Kind, says string) {
	w.t.Helper()
	if len(w.events) == 0 {
		w.t.Fatal("nothing happened")
	}
	e := w.events[len(w.events)-1]
	if text := strings.Join(e.Evidence, "\n"); e.Kind != kind || !strings.Contains(text, says) {
		w.t.Errorf("the last event is %s with %q, want %s with %q", e.Kind, text, kind, says)
	}
}

func untrusted(o *Observations) {
	o.Stable.Trusted, o.Candidate.Trusted = false, false
	o.Candidate.Doubt = "all 2 passing instances vanished at once"
}

func candidate(total, passing int) func(*Observations) {
	return func(o *Observations) { o.Candidate.Total, o.Candidate.Passing = total, passing }
}

func stable(total, passing int) func(*Observations) {
	return func(o *Observations) { o.Stable.Total, o.Stable.Passing = total, passing }
}

func measured(value float64) func(*Observations) {
	return func(o *Observations) {
		for n := range o.Measurements {
			o.Measurements[n].Value = value
		}
	}
}

func unreadable(o *Observations) {
	for n := range o.Measurements {
		o.Measurements[n].Error = "connection refused\nby 127.0.0.1"
	}
}

func tasksBehind(o *Observations) {
	o.Tasks = append(o.Tasks, Task{Name: "f5"})
}

func tasksDone(o *Observations) { o.Tasks = o.Tasks[:1] }
