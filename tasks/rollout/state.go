package rollout

import (
	"slices"
	"time"

	"patchbay/tasks/catalog"
)

// Phase is where a canary is or how it ended.
type Phase string

// The phases. Waiting to Paused are under way, the rest are ends: only a command
// or another plan leaves them.
const (
	// Waiting: the candidate has no traffic yet.
	Waiting Phase = "waiting"
	// Progressing: the candidate has the weight of a step.
	Progressing Phase = "progressing"
	// Paused: a person stopped the steps. The candidate is still judged and rolls
	// back when it fails; the deadline does not run.
	Paused Phase = "paused"
	// Succeeded: the last step was held; its weight stays.
	Succeeded Phase = "succeeded"
	// RolledBack: Patchbay took all traffic back.
	RolledBack Phase = "rolled back"
	// Aborted: a person took all traffic back.
	Aborted Phase = "aborted"
)

// Ended tells whether the canary moves no more by itself.
func (p Phase) Ended() bool { return p == Succeeded || p == RolledBack || p == Aborted }

func (p Phase) known() bool { return p == Waiting || p == Progressing || p == Paused || p.Ended() }

// MaxEvents is how many events a state keeps: the newest.
const MaxEvents = 50

// State is all that a canary remembers. The zero State has not begun. Store it
// before its weights are published.
//
// A state that was made for another plan begins anew with these rules:
//   - The same candidate under way keeps its weight, so that an edited limit moves
//     no traffic. It stands at the highest new step that it has reached and is held
//     and judged there anew. Above the new plan's last step it goes down to that.
//   - The same candidate that succeeded stays so: to do it again, abort and restart.
//   - One that was rolled back or aborted waits for its first step again.
//   - Another candidate begins at 0, also under the same name with another
//     definition. What the former one had under way goes back to stable, as in a
//     rollback.
//   - A pause outlives the change; a promotion that was not used yet does not.
//   - A change that would move traffic onto a stable subset that does not have it,
//     such as a new candidate while the former one has 100 % and is not declared
//     stable, is not taken over: the weights stay, unjudged, as what is observed is of
//     the new plan's subsets, and [State.Holds] says what to do. It is taken over at once where keeping the weight would expose another
//     version under the former candidate's name.
type State struct {
	Phase Phase `json:"phase"`
	// Step is the step that the candidate stands at, counted from 1; 0 before the
	// first. After a changed plan the weight may be above the step's.
	Step int `json:"step"`
	// Weight is the candidate's share now; stable has the rest.
	Weight Share `json:"weight"`
	// Plan is the one that the state was made for, Stable and Candidate its subsets.
	Plan      catalog.Digest `json:"plan,omitzero"`
	Stable    Subset         `json:"stable"`
	Candidate Subset         `json:"candidate"`
	// Refused is a changed plan that was not taken over; zero when none was.
	Refused catalog.Digest `json:"refused,omitzero"`
	// Since is when the step began, Moved when the weights last changed, Settled
	// when every task had applied them: the hold counts from there.
	Since   time.Time `json:"since,omitzero"`
	Moved   time.Time `json:"moved,omitzero"`
	Settled time.Time `json:"settled,omitzero"`
	// StuckSince is since when the step cannot go on for a reason that counts
	// towards the deadline; zero when it can.
	StuckSince time.Time `json:"stuck_since,omitzero"`
	// Judged is when the step was last judged, or began; Last is what came out.
	Judged time.Time `json:"judged,omitzero"`
	Last   Judgement `json:"last,omitzero"`
	// Failures counts the failed judgements in a row.
	Failures int `json:"failures,omitempty"`
	// Promoted is who promoted the next step; "" when nobody did.
	Promoted string `json:"promoted,omitempty"`
	// Handled is the highest number of a command that was obeyed or refused.
	Handled uint64 `json:"handled,omitempty"`
	// Holds say why nothing moves now and what would change that; empty when the
	// canary has ended.
	Holds []Hold `json:"holds,omitempty"`
	// Change is the last event that changed phase, step or weight, nil before the
	// first; Events are the newest of all, the oldest of them first.
	Change *Event  `json:"change,omitempty"`
	Events []Event `json:"events,omitempty"`
}

// Exposed tells whether the candidate may get any request: by weight, or as the
// cohort's subset at a step of 0. Else cohort and sticky callers go to stable too.
func (s State) Exposed() bool { return s.Weight > 0 || s.Step > 0 }

func (s State) underWay() bool { return s.Phase != "" && !s.Phase.Ended() }

// Weights are the shares of both subsets by name, in hundredths of a percent; their
// sum is 10000. nil before the first Step. The names are those of the former plan
// while a change is held: a data plane keeps such a subset as it was last declared.
func Weights(s State) map[string]uint32 {
	if s.Stable.Name == "" || s.Stable.Name == s.Candidate.Name {
		return nil
	}
	w := min(s.Weight, Whole)
	return map[string]uint32{s.Stable.Name: uint32(Whole - w), s.Candidate.Name: uint32(w)}
}

// Kind is what an event tells of.
type Kind string

// The kinds of events.
const (
	Began       Kind = "began"
	PlanChanged Kind = "plan changed"
	PlanRefused Kind = "plan refused"
	Repaired    Kind = "repaired"

	Stepped    Kind = "stepped"
	Lowered    Kind = "lowered"
	Finished   Kind = "succeeded"
	TakenBack  Kind = "rolled back"
	JudgedBad  Kind = "judgement failed"
	CmdPromote Kind = "promoted"
	CmdPause   Kind = "paused"
	CmdResume  Kind = "resumed"
	CmdAbort   Kind = "aborted"
	CmdRestart Kind = "restarted"
	CmdRefused Kind = "command refused"
)

// Event is one thing that happened to a canary. Phase, Step and To are those after
// it, From is the candidate's weight before.
type Event struct {
	At    time.Time `json:"at"`
	Kind  Kind      `json:"kind"`
	Phase Phase     `json:"phase"`
	Step  int       `json:"step"`
	From  Share     `json:"from"`
	To    Share     `json:"to"`
	// By is the person who caused it; "" for Patchbay itself.
	By string `json:"by,omitempty"`
	// Evidence is one plain sentence per fact.
	Evidence []string `json:"evidence,omitempty"`
}

// keep adds an event and forgets the oldest.
func (s *State) keep(e Event, changed bool) {
	if changed {
		s.Change = &e
	}
	if over := len(s.Events) + 1 - MaxEvents; over > 0 {
		s.Events = s.Events[over:]
	}
	s.Events = append(slices.Clip(s.Events), e)
}
