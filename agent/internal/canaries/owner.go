package canaries

import (
	"context"
	"fmt"
	"reflect"
	"sync/atomic"
	"time"

	"patchbay/tasks/catalog"
	"patchbay/tasks/rollout"

	"golang.org/x/sync/errgroup"
)

// again is how soon a record is written anew that could not be stored.
const again = time.Second

// owner owns one canary.
type owner struct {
	board    *Board
	service  string
	requests chan request
	nudges   chan struct{}
	measured chan measurement
	left     chan struct{} // closed when the canary is not declared any more
	done     chan struct{} // closed when run has ended
	shown    atomic.Pointer[Record]

	// What follows is run's alone, and hire's before it.
	declared          Canary
	stable, candidate selection
	record            Record
	view              *catalog.View
	newest            measurement
	measuring         bool
	failed            bool // the newest record is not on disk
}

// request is a command or another declaration; answer gets exactly one value.
type request struct {
	command *rollout.Command
	declare *Canary
	answer  chan<- reply
}

type reply struct {
	record Record
	err    error
}

// ask hands a request to the owner.
func (o *owner) ask(ctx context.Context, r request) (Record, error) {
	answer := make(chan reply, 1)
	r.answer = answer
	select {
	case o.requests <- r:
		out := <-answer
		return out.record, out.err
	case <-o.left:
		return Record{}, ErrUnknown
	case <-o.board.ended:
		return Record{}, ErrStopping
	case <-ctx.Done():
		return Record{}, ctx.Err()
	}
}

// leave ends the owner and waits for its end.
func (o *owner) leave() {
	close(o.left)
	select {
	case <-o.done:
	case <-o.board.ended:
	}
}

// declare takes another declaration over; an error changes nothing.
func (o *owner) declare(c Canary) error {
	stable, err := newSelection(c.Stable, o.board.opts.Compile)
	if err != nil {
		return err
	}
	candidate, err := newSelection(c.Candidate, o.board.opts.Compile)
	if err != nil {
		return err
	}
	if c.Plan.Digest() != o.declared.Plan.Digest() {
		o.newest = measurement{} // of other queries
	}
	o.declared, o.stable, o.candidate = c, stable, candidate
	return nil
}

// run moves the canary until ctx ends or it is not declared any more.
func (o *owner) run(ctx context.Context) error {
	defer close(o.done)
	views, end := o.board.opts.Follow()
	defer end()
	views.Need([]catalog.Query{query(o.service)})
	var group errgroup.Group
	ctx, cancel := context.WithCancel(ctx)
	defer func() { _ = group.Wait() }() // it returns no error
	defer cancel()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-o.left:
			return nil
		case r := <-o.requests:
			o.serve(r)
		case <-views.Changed():
			for _, v := range views.Take() {
				o.view = v
			}
			o.step(nil)
		case <-o.nudges:
			o.step(nil)
		case m := <-o.measured:
			o.measuring = false
			if m.of == o.declared.Plan.Digest() {
				o.newest = m
			}
		case <-timer.C:
			if !o.measureDue() {
				o.step(nil)
			}
		}
		if o.measureDue() {
			o.measuring = true
			c := o.declared
			group.Go(func() error {
				o.measured <- o.board.prometheus.measure(ctx, c)
				return nil
			})
		}
		o.arm(timer)
	}
}

// measureAt is when the numbers of the next judgement must be asked for; zero when
// none are needed, or when they are here or under way.
func (o *owner) measureAt(now time.Time) time.Time {
	s, p := o.record.State, o.declared.Plan
	numbers := o.declared.Prometheus != "" && (len(p.Metrics) > 0 || p.MaxEjected < rollout.Whole)
	if o.measuring || !numbers || !s.Exposed() || s.Phase.Ended() {
		return time.Time{}
	}
	if at := rollout.Next(s, p, now).Add(-lead(p)); o.newest.begun.Before(at) {
		return at
	}
	return time.Time{}
}

func (o *owner) measureDue() bool {
	now := o.board.opts.Now()
	at := o.measureAt(now)
	return !at.IsZero() && !now.Before(at)
}

// arm sets the timer to the next thing that time alone starts.
func (o *owner) arm(timer *time.Timer) {
	now := o.board.opts.Now()
	next := rollout.Next(o.record.State, o.declared.Plan, now)
	if at := o.measureAt(now); !at.IsZero() {
		next = at
	}
	if o.failed {
		next = now.Add(again)
	}
	timer.Stop()
	if !next.IsZero() {
		timer.Reset(max(0, next.Sub(now)))
	}
}

func (o *owner) observe(c *rollout.Command) rollout.Observations {
	out := rollout.Observations{Stable: o.stable.count(o.view), Candidate: o.candidate.count(o.view),
		Tasks: o.board.opts.Tasks(o.service), Measurements: o.newest.metrics}
	if o.newest.begun.After(o.record.State.Judged) {
		out.Ejected = o.newest.ejected
	}
	if c != nil {
		out.Commands = []rollout.Command{*c}
	}
	return out
}

// step lets rollout decide, stores what came of it and only then shows it.
func (o *owner) step(c *rollout.Command) ([]rollout.Event, error) {
	opts := o.board.opts
	before := o.record
	now := opts.Now()
	state, events := rollout.Step(o.declared.Plan, before.State, o.observe(c), now)
	after := Record{State: state, Declared: before.Declared}
	if state.Plan == o.declared.Plan.Digest() {
		after.Declared = o.declared
	}
	if reflect.DeepEqual(before, after) {
		return nil, nil
	}
	if err := opts.Store.SaveCanary(o.service, after); err != nil {
		o.failed = true
		if c == nil {
			opts.Log.Error("canary was not stored and stays as it is", "canary", o.service, "err", err)
		}
		return nil, fmt.Errorf("save canary of %s: %w", o.service, err)
	}
	o.failed, o.record = false, after
	o.shown.Store(&after)
	for _, e := range events {
		o.tell(e)
	}
	o.board.published(!same(before, after))
	return events, nil
}

// tell writes an event to the log.
func (o *owner) tell(e rollout.Event) {
	level := o.board.opts.Log.Info
	switch e.Kind {
	case rollout.TakenBack, rollout.JudgedBad, rollout.PlanRefused, rollout.Repaired:
		level = o.board.opts.Log.Warn
	}
	level("canary event", "canary", o.service, "event", string(e.Kind), "phase", string(e.Phase), "step", e.Step,
		"from", e.From.String(), "to", e.To.String(), "by", e.By, "why", e.Evidence)
}

// serve answers a request.
func (o *owner) serve(r request) {
	var out reply
	switch {
	case r.declare != nil:
		if out.err = o.declare(*r.declare); out.err == nil {
			_, out.err = o.step(nil)
		}
	default:
		c := *r.command
		c.Number = o.record.State.Handled + 1
		var events []rollout.Event
		events, out.err = o.step(&c)
		if why := refusal(events); out.err == nil && why != "" {
			out.err = fmt.Errorf("%w: %s", ErrRefused, why)
		}
	}
	out.record = o.record
	r.answer <- out
}

// refusal says why a command was refused; "" when it was obeyed.
func refusal(events []rollout.Event) string {
	for _, e := range events {
		if e.Kind == rollout.CmdRefused && len(e.Evidence) > 0 {
			return e.Evidence[0]
		}
	}
	return ""
}
