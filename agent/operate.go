package agent

import (
	"context"
	"fmt"

	"patchbay/agent/internal/httpapi"
	"patchbay/tasks"
	"patchbay/tasks/catalog"
	"patchbay/tasks/diff/reason"
)

// command is an operator's request; answer gets exactly one value. None of the
// pointers set asks for a run.
type command struct {
	approve *httpapi.ApproveRequest
	change  *change
	remove  *removal
	swap    *succession
	answer  chan<- reply
}

type reply struct {
	held      tasks.HeldPlan
	operation tasks.Operation
	err       error
}

// change puts another worker, and with it another definition, in a task's place.
type change struct {
	work *worker
	mode tasks.RunMode
	// keep makes the change durable; it is called once the change holds.
	keep func() error
}

// succession is a task as a changed configuration has it; without task it is the
// present one that begins anew.
type succession struct {
	task *tasks.Task
	hire func(tasks.Task) (*worker, error)
}

// after gives the succession that counts when this one follows another.
func (s succession) after(earlier *succession) *succession {
	if s.task == nil && earlier != nil {
		s.task = earlier.task
	}
	return &s
}

// removal ends a task; with destroy what it made goes first.
type removal struct {
	destroy, destroyed bool
	keep               func() error
}

func (d removal) complete() bool { return !d.destroy || d.destroyed }

// operation is a change under way.
type operation struct {
	change
	answer   chan<- reply
	snapshot catalog.Snapshot
	input    tasks.Input
	seen     reason.Seen
}

func (r *runner) obey(soft, hard context.Context, c command, stopping bool) {
	var out reply
	switch {
	case stopping || r.removal != nil && c.remove == nil:
		out.err = tasks.ErrStopping
	case c.remove != nil:
		out.err = r.remove(*c.remove)
	case c.swap != nil:
		r.successor = c.swap.after(r.successor)
	case c.change != nil:
		if r.idle() {
			r.begin(soft, hard, *c.change, c.answer)
			return
		}
		out.err = fmt.Errorf("task '%s' is active and cannot be updated at this time: %w", r.name, tasks.ErrTaskBusy)
	case !r.work.task.Enabled:
		out.err = fmt.Errorf("run task %s: %w", r.name, tasks.ErrDisabledTask)
	case c.approve == nil:
		r.want(tasks.Asked)
	default:
		out.held, out.err = r.approve(*c.approve)
	}
	c.answer <- out
}

func (r *runner) approve(req httpapi.ApproveRequest) (tasks.HeldPlan, error) {
	held := r.record.Held
	switch {
	case held == nil:
		return tasks.HeldPlan{}, tasks.ErrNothingHeld
	case req.Changes != (catalog.Digest{}) && req.Changes != held.Changes:
		return tasks.HeldPlan{}, tasks.ErrOtherPlan
	}
	record := r.record
	approval := held.Approval(req.By, req.Reason)
	record.Approval = &approval
	if err := r.work.store.SaveRecord(r.name, record); err != nil {
		return tasks.HeldPlan{}, fmt.Errorf("save approval: %w", err)
	}
	r.record = record
	r.log.Info("held plan was approved", "task", r.name, "run", held.Run, "by", req.By, "reason", req.Reason)
	r.want(tasks.Approved)
	return *held, nil
}

// remove begins the end of the task. Without destroy a run under way may finish.
func (r *runner) remove(d removal) error {
	if r.removal != nil {
		return nil
	}
	if err := d.keep(); err != nil {
		return err
	}
	r.removal, r.pending, r.retry = &d, nil, nil
	if d.destroy {
		r.want(tasks.Destroyed)
	}
	return nil
}

// begin makes the change beside the loop; conclude takes its result.
func (r *runner) begin(soft, hard context.Context, c change, answer chan<- reply) {
	busy := make(chan result, 1)
	r.busy = busy
	op := &operation{change: c, answer: answer, seen: r.seen}
	record := r.record
	r.slots.group.Go(func() error {
		if err := r.slots.sem.Acquire(soft, 1); err != nil {
			busy <- result{operation: op, err: tasks.ErrStopping, unslotted: true}
			return nil
		}
		busy <- op.make(soft, hard, r.source, record)
		return nil
	})
}

// make sets the changed task up: its data is read, its module planned, and with
// RunNow applied. Disabling needs none of it.
func (op *operation) make(soft, hard context.Context, source catalog.Source, record tasks.Record) result {
	w := op.work
	if !w.task.Enabled {
		return result{operation: op, record: record}
	}
	snapshot, err := w.read(soft, source)
	if err != nil {
		return result{operation: op, err: err}
	}
	op.snapshot, op.input = snapshot, w.project(snapshot)
	run := w.newRun(tasks.Asked, nil)
	run.Input = op.input.Digest
	res := w.attempt(soft, hard, job{run: *run, snapshot: snapshot, input: op.input, record: record, seen: op.seen.See(snapshot, w.now()), inspect: op.mode != tasks.RunNow, text: true})
	res.operation = op
	return res
}

// conclude puts the change in force, or leaves everything as it was.
func (r *runner) conclude(soft context.Context, res result) {
	op := res.operation
	if res.saved { // an inspection that finds a baseline keeps it too
		r.record = res.record
	}
	out := reply{err: res.err, operation: tasks.Operation{Task: op.work.task, Plan: res.run.Plan, Findings: res.run.Findings, Text: res.text}}
	switch {
	case res.err != nil && op.mode == tasks.RunNow && res.run.ID != "":
		res.run.Phase = tasks.Failed
		r.took(res)
		r.remember(res.run)
		r.save(res.run)
	case res.err == nil && op.mode != tasks.RunInspect:
		if out.err = op.keep(); out.err == nil {
			r.adopt(soft, res)
		}
	}
	r.publish() // a read right after the answer must see the change
	op.answer <- out
}

// adopt goes on with the changed task. What was set up is not run by itself: the
// next change of its data starts it.
func (r *runner) adopt(soft context.Context, res result) {
	op := res.operation
	r.work = op.work
	if res.saved {
		r.record = res.record
	}
	if op.work.task.Enabled {
		r.ran = ran{snapshot: op.snapshot, input: op.input, condition: op.input.Condition, weights: op.work.weights(), once: true}
	}
	if op.mode == tasks.RunNow && res.run.ID != "" {
		r.took(res)
		r.remember(res.run)
		r.work.metrics.ended(res.run)
	}
	r.tried.Store(true)
	r.follow(soft)
}

// succeed goes on with the task as a changed configuration has it, from a first
// pass, as after a restart.
func (r *runner) succeed(soft context.Context) {
	next, t := r.successor, r.work.task
	r.successor = nil
	if next.task != nil {
		t = *next.task
	}
	w, err := next.hire(t)
	if err != nil {
		r.log.Error("changed task was not taken over", "task", r.name, "err", err)
		return
	}
	r.supersede()
	r.work, r.ran = w, ran{}
	r.tried.Store(false)
	r.follow(soft)
	r.publish()
}
