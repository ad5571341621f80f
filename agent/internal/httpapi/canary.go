package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"patchbay/tasks"
	"patchbay/tasks/rollout"
)

// Errors of [Canaries].
var (
	// ErrNoCanary means that no canary of the service is declared.
	ErrNoCanary = errors.New("no canary of the service is declared")
	// ErrCanaryRefused means that the canary is where the command makes no sense.
	ErrCanaryRefused = errors.New("the canary refused the command")
)

// CanaryState is a canary as it stands.
type CanaryState struct {
	Plan  rollout.Plan
	State rollout.State
}

// Canaries tells how canaries stand and obeys people.
type Canaries interface {
	// Canaries lists all by service.
	Canaries() []CanaryState
	// Command obeys and gives the canary after it. Its errors wrap [ErrNoCanary],
	// [ErrCanaryRefused] or [tasks.ErrStopping]; any other is a fault of the agent.
	Command(ctx context.Context, service string, c rollout.Command) (CanaryState, error)
	// Shifts sends every change until ctx ends; then it closes the channel.
	Shifts(ctx context.Context) <-chan CanaryState
}

// Canary is a [CanaryState] on the wire. Shares are in percent.
type Canary struct {
	Service   string        `json:"service"`
	Stable    string        `json:"stable"`
	Candidate string        `json:"candidate"`
	Phase     rollout.Phase `json:"phase"`
	// Step is the one of Steps that the candidate stands at, counted from 1; 0 before
	// the first.
	Step  int       `json:"step"`
	Steps []float64 `json:"steps"`
	// Weights are the shares of both subsets now.
	Weights map[string]float64 `json:"weights"`
	// Since is when the step began.
	Since time.Time `json:"since"`
	// Promoted is who promoted the next step; "" when nobody did.
	Promoted string `json:"promoted"`
	// Failures of Threshold judgements in a row have failed.
	Failures  int `json:"failures"`
	Threshold int `json:"threshold"`
	// Last is null before the first judgement of the step.
	Last *CanaryJudgement `json:"last"`
	// Holds say why nothing moves now.
	Holds []CanaryHold `json:"holds"`
	// Events are the newest, the oldest of them first.
	Events []CanaryEvent `json:"events"`
}

// CanaryJudgement is what was found when a step was judged.
type CanaryJudgement struct {
	At       time.Time      `json:"at"`
	Result   rollout.Result `json:"result"`
	Evidence []string       `json:"evidence"`
}

// CanaryHold is one reason why nothing moves, and what would change that.
type CanaryHold struct {
	Rule     rollout.Rule `json:"rule"`
	Evidence []string     `json:"evidence"`
	Release  string       `json:"release"`
}

// CanaryEvent is one thing that happened to a canary; From and To are percentages of
// the candidate.
type CanaryEvent struct {
	At       time.Time     `json:"at"`
	Kind     rollout.Kind  `json:"kind"`
	Phase    rollout.Phase `json:"phase"`
	Step     int           `json:"step"`
	From     float64       `json:"from"`
	To       float64       `json:"to"`
	By       string        `json:"by"`
	Evidence []string      `json:"evidence"`
}

// CanaryList answers GET /v1/canaries, by service.
type CanaryList struct {
	RequestID string   `json:"request_id"`
	Canaries  []Canary `json:"canaries"`
}

// OneCanary answers GET /v1/canaries/{name} and a command.
type OneCanary struct {
	RequestID string `json:"request_id"`
	Canary    Canary `json:"canary"`
}

// CanaryRequest is the body of POST /v1/canaries/{name}/{command}, which may be absent.
type CanaryRequest struct {
	// By names the person: one line of at most [MaxBy] bytes, "" when unknown.
	By string `json:"by,omitempty"`
	// Reason is free text of at most [MaxReason] bytes.
	Reason string `json:"reason,omitempty"`
}

func percent(s rollout.Share) float64 { return float64(s) / 100 }

// NewCanary puts a canary on the wire.
func NewCanary(c CanaryState) Canary {
	s := c.State
	out := Canary{Service: c.Plan.Service, Stable: s.Stable.Name, Candidate: s.Candidate.Name, Phase: s.Phase, Step: s.Step, Steps: []float64{},
		Weights: map[string]float64{}, Since: s.Since, Promoted: s.Promoted, Failures: s.Failures, Threshold: c.Plan.Threshold,
		Holds: []CanaryHold{}, Events: []CanaryEvent{}}
	for _, step := range c.Plan.Steps {
		out.Steps = append(out.Steps, percent(step.Weight))
	}
	for name, share := range rollout.Weights(s) {
		out.Weights[name] = percent(rollout.Share(share))
	}
	if s.Last.Result != "" {
		out.Last = &CanaryJudgement{s.Last.At, s.Last.Result, list(s.Last.Evidence)}
	}
	for _, h := range s.Holds {
		out.Holds = append(out.Holds, CanaryHold{h.Rule, list(h.Evidence), h.Release})
	}
	for _, e := range s.Events {
		out.Events = append(out.Events, CanaryEvent{At: e.At, Kind: e.Kind, Phase: e.Phase, Step: e.Step, From: percent(e.From), To: percent(e.To),
			By: e.By, Evidence: list(e.Evidence)})
	}
	return out
}

func (a *api) canaryStates() []CanaryState {
	if a.Canaries == nil {
		return nil
	}
	return a.Canaries.Canaries()
}

func (a *api) canaries(x exchange) {
	out := CanaryList{RequestID: x.id(), Canaries: []Canary{}}
	for _, c := range a.canaryStates() {
		out.Canaries = append(out.Canaries, NewCanary(c))
	}
	x.answer(http.StatusOK, out)
}

func (a *api) canary(x exchange) {
	states := a.canaryStates()
	n := slices.IndexFunc(states, func(c CanaryState) bool { return c.Plan.Service == x.name() })
	if n < 0 {
		x.unknownCanary()
		return
	}
	x.answer(http.StatusOK, OneCanary{RequestID: x.id(), Canary: NewCanary(states[n])})
}

func (x exchange) unknownCanary() {
	x.fail(http.StatusNotFound, "a canary of service '%s' is not declared; GET /v1/canaries lists those that are", clip(x.name()))
}

// canaryVerbs are the commands that people have.
var canaryVerbs = []string{string(rollout.Promote), string(rollout.Pause), string(rollout.Resume), string(rollout.Abort), string(rollout.Restart)}

func (a *api) commandCanary(x exchange) {
	verb := x.r.PathValue("command")
	if !slices.Contains(canaryVerbs, verb) {
		x.fail(http.StatusNotFound, "'%s' is no command of a canary: use %s", clip(verb), strings.Join(canaryVerbs, ", "))
		return
	}
	body, ok := x.readBody(false)
	if !ok {
		return
	}
	var want CanaryRequest
	if len(body) > 0 {
		var err error
		if want, err = parseCanary(body); err != nil {
			x.fail(http.StatusBadRequest, "request body has an error: %s", err)
			return
		}
	}
	if a.Canaries == nil {
		x.unknownCanary()
		return
	}
	c, err := a.Canaries.Command(x.r.Context(), x.name(), rollout.Command{Do: rollout.Verb(verb), By: want.By, Reason: want.Reason})
	switch {
	case errors.Is(err, ErrNoCanary):
		x.unknownCanary()
	case errors.Is(err, ErrCanaryRefused):
		x.fail(http.StatusConflict, "%s; nothing was changed", err)
	case errors.Is(err, tasks.ErrStopping):
		x.refused(err)
	case err != nil:
		x.fail(http.StatusInternalServerError, "%s", err)
	default:
		x.answer(http.StatusOK, OneCanary{RequestID: x.id(), Canary: NewCanary(c)})
	}
}

// parseCanary reads the body of a command.
func parseCanary(body []byte) (CanaryRequest, error) {
	var r CanaryRequest
	if err := parseObject(body, &r); err != nil {
		return CanaryRequest{}, err
	}
	if err := checkPerson(r.By, r.Reason); err != nil {
		return CanaryRequest{}, fmt.Errorf("property %w", err)
	}
	return r, nil
}
