package rollout

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAStateSurvivesARestart(t *testing.T) {
	for name, bring := range reach {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, webPlan())
			bring(w)
			text, err := json.Marshal(w.state)
			if err != nil {
				t.Fatal(err)
			}
			var back State
			if err := json.Unmarshal(text, &back); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(w.state, back, sameState); diff != "" {
				t.Errorf("state (-stored +read):\n%s", diff)
			}
			now := w.now.Add(time.Minute)
			went, _ := Step(w.plan, w.state, good(w.plan, w.state, now), now)
			goes, _ := Step(w.plan, back, good(w.plan, back, now), now)
			if diff := cmp.Diff(went, goes, sameState); diff != "" {
				t.Errorf("next state (-without +with a restart):\n%s", diff)
			}
		})
	}
}

// The file is a state as the first version stored it; it is never rewritten.
func TestAStoredStateOfTheFirstVersionGoesOn(t *testing.T) {
	text, err := os.ReadFile("testdata/state-1.json")
	if err != nil {
		t.Fatal(err)
	}
	var s State
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, webPlan())
	w.state, w.now = s, start.Add(91*time.Second)
	w.look()
	w.want(Progressing, 2, 2500)
	if len(w.events) > 0 {
		t.Errorf("an upgrade alone caused %+v", w.events)
	}
	w.now = start.Add(3 * time.Minute)
	w.look()
	w.want(Progressing, 3, 5000)
}

func TestAStateThatLacksOrExceedsFieldsGoesOnSafely(t *testing.T) {
	plan := webPlan().Digest().String()
	tests := map[string]struct {
		text  string
		phase Phase
		step  int
		share Share
	}{
		"nothing is stored":                         {`{}`, Progressing, 1, 500},
		"fields of a later version are there":       {`{"phase":"progressing","step":2,"weight":2500,"plan":"` + plan + `","later":{"x":[1]},"last":{"y":1}}`, Progressing, 2, 2500},
		"times, subsets and holds are missing":      {`{"phase":"progressing","step":2,"weight":2500,"plan":"` + plan + `"}`, Progressing, 2, 2500},
		"the plan is missing":                       {`{"phase":"progressing","step":2,"weight":2500}`, Progressing, 2, 2500},
		"the phase is of a later version":           {`{"phase":"analysing","step":2,"weight":2500,"plan":"` + plan + `"}`, Paused, 2, 2500},
		"the phase is missing with a weight":        {`{"step":2,"weight":2500,"plan":"` + plan + `"}`, Paused, 2, 2500},
		"rolled back with a weight by mistake":      {`{"phase":"rolled back","step":3,"weight":5000,"plan":"` + plan + `"}`, RolledBack, 0, 0},
		"a weight above all and a step that is not": {`{"phase":"succeeded","step":99,"weight":20000,"plan":"` + plan + `"}`, Succeeded, 4, Whole},
		"a step below zero":                         {`{"phase":"waiting","step":-3,"failures":-9,"plan":"` + plan + `"}`, Progressing, 1, 500},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var s State
			if err := json.Unmarshal([]byte(tc.text), &s); err != nil {
				t.Fatal(err)
			}
			w := newWorld(t, webPlan())
			w.state = s
			w.look()
			w.look() // the tasks have applied what the first call gave
			w.want(tc.phase, tc.step, tc.share)
			if sum := Weights(w.state)["v1"] + Weights(w.state)["v2"]; sum != uint32(Whole) {
				t.Errorf("weights sum to %d", sum)
			}
		})
	}
}

func TestAStateIsBoundedAndKeepsTheLastChange(t *testing.T) {
	w := newWorld(t, webPlan())
	w.look()
	for range 4 * MaxEvents {
		w.say(Resume) // refused each time
	}
	if len(w.state.Events) != MaxEvents {
		t.Errorf("%d events are kept, want %d", len(w.state.Events), MaxEvents)
	}
	if c := w.state.Change; c == nil || c.Kind != Stepped || c.To != 500 {
		t.Errorf("the last change is %+v, want the first step", c)
	}
}

func TestAStateWithoutAPlanHasNoWeights(t *testing.T) {
	if w := Weights(State{}); w != nil {
		t.Errorf("weights = %v, want none", w)
	}
	if at := Next(State{}, webPlan(), start); !at.Equal(start) {
		t.Errorf("next = %s, want at once", at)
	}
}

func TestAPlanWithoutStepsMovesNothing(t *testing.T) {
	p := with(webPlan(), func(p *Plan) { p.Steps = nil })
	s, now := State{}, start
	for range 10 {
		s, _ = Step(p, s, good(p, s, now), now)
		now = now.Add(time.Hour)
	}
	if s.Phase != Waiting || s.Weight != 0 {
		t.Errorf("the canary is %s with %s, want waiting with 0%%", s.Phase, s.Weight)
	}
}
