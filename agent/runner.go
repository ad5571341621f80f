package agent

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"patchbay/agent/internal/httpapi"
	"patchbay/tasks"
	"patchbay/tasks/catalog"

	"github.com/hashicorp/go-hclog"
)

// recentRuns is how many runs a status looks back; held ones do not count.
const recentRuns = 4 * tasks.EventRuns

// runner owns one task. All fields below the line are touched by its own
// goroutine only; state is how everybody else sees it.
type runner struct {
	work   *worker
	source catalog.Source
	slots  *slots
	now    func() time.Time
	log    hclog.Logger

	commands chan command
	reports  chan tasks.Run // progress of the attempt under way
	done     chan struct{}  // closed when loop has ended
	state    atomic.Pointer[tasks.State]
	tried    atomic.Bool // an attempt has ended in this process

	// ---
	snapshot *catalog.Snapshot // newest; nil before the first
	input    tasks.Input       // projection of snapshot
	ran      ran               // what the newest run was started with
	record   tasks.Record
	run      *tasks.Run  // newest run; nil before the first
	recent   []tasks.Run // the newest runs that count for the status, newest first
	pending  *pending    // work that waits for its time
	slot     chan error  // not nil while waiting for a slot
	busy     chan result
	retry    *retry
}

// ran is what the newest run of this process was started with.
type ran struct {
	snapshot  catalog.Snapshot
	input     tasks.Input
	condition catalog.Digest
	once      bool
}

// pending is work that is wanted and waits for its buffer.
type pending struct {
	trigger     tasks.Trigger
	first, last time.Time
	at          time.Time
}

// command is an operator's request; answer gets exactly one value.
type command struct {
	approve *httpapi.ApproveRequest // nil asks for a run
	answer  chan<- reply
}

type reply struct {
	held tasks.HeldPlan
	err  error
}

// loop follows the task until soft ends and its run under way has ended. hard
// interrupts that run.
func (r *runner) loop(soft, hard context.Context) error {
	defer close(r.done)
	if !r.work.task.Enabled {
		<-soft.Done()
		return nil
	}
	snapshots := r.source.Watch(soft, r.work.task.Wants())
	timer := time.NewTimer(0)
	defer timer.Stop()
	stop := soft.Done()
	for {
		r.publish()
		if stop == nil && r.busy == nil && r.slot == nil {
			return r.end()
		}
		r.arm(timer)
		select {
		case s, ok := <-snapshots:
			if !ok {
				snapshots = nil
				continue
			}
			r.observe(s)
		case c := <-r.commands:
			r.obey(c, stop == nil)
		case <-timer.C:
			r.ask(soft)
		case err := <-r.slot:
			r.slot = nil
			if err == nil {
				r.start(soft, hard)
			}
		case run := <-r.reports:
			r.run = &run
		case res := <-r.busy:
			r.busy = nil
			r.slots.release()
			r.finish(res, stop == nil)
		case <-stop:
			stop, r.pending, r.retry = nil, nil, nil
		}
	}
}

// arm sets the timer to the next thing that time alone starts.
func (r *runner) arm(timer *time.Timer) {
	timer.Stop()
	if r.busy != nil || r.slot != nil || r.snapshot == nil {
		return
	}
	switch {
	case r.pending != nil:
		timer.Reset(max(0, r.pending.at.Sub(r.now())))
	case r.retry != nil:
		timer.Reset(max(0, r.retry.at.Sub(r.now())))
	}
}

// observe takes the newest snapshot and decides whether a run is wanted.
func (r *runner) observe(s catalog.Snapshot) {
	if r.snapshot != nil && r.snapshot.Same(s) {
		return
	}
	first := r.snapshot == nil
	r.snapshot = &s
	r.input = r.work.project(s)
	switch {
	case first:
		r.want(tasks.FirstPass)
	case r.input.Condition != r.ran.condition || !r.ran.once:
		r.want(tasks.Changed)
	case r.record.Held != nil:
		// What holds a plan may be evidence that this snapshot brings.
		r.want(tasks.Changed)
	case r.pending != nil && r.pending.trigger == tasks.Changed && r.settled():
		r.log.Debug("change was taken back before its run", "task", r.work.task.Name)
		r.pending = nil
	}
}

// settled tells whether the newest run left the devices as its input wanted.
func (r *runner) settled() bool { return r.run != nil && r.run.Phase.Success() && r.busy == nil }

// want asks for a run. Only a change waits for the buffer; what was asked for
// without one is not delayed by a change.
func (r *runner) want(trigger tasks.Trigger) {
	now := r.now()
	if trigger != tasks.Changed {
		if r.pending == nil || r.pending.trigger == tasks.Changed {
			r.pending = &pending{trigger: trigger, first: now, last: now, at: now}
		}
		return
	}
	if r.pending == nil {
		r.pending = &pending{trigger: trigger, first: now}
	}
	if r.pending.trigger == tasks.Changed {
		r.pending.last = now
		r.pending.at = r.work.task.Buffer.Due(r.pending.first, now)
	}
}

func (r *runner) obey(c command, stopping bool) {
	var out reply
	switch {
	case stopping:
		out.err = tasks.ErrStopping
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
	if err := r.work.store.SaveRecord(r.work.task.Name, record); err != nil {
		return tasks.HeldPlan{}, fmt.Errorf("save approval: %w", err)
	}
	r.record = record
	r.log.Info("held plan was approved", "task", r.work.task.Name, "run", held.Run, "by", req.By, "reason", req.Reason)
	r.want(tasks.Approved)
	return *held, nil
}

// ask waits for a slot beside the loop, so that newer snapshots go on arriving.
func (r *runner) ask(ctx context.Context) {
	slot := make(chan error, 1)
	r.slot = slot
	r.slots.request(ctx, slot)
}

// start begins the work that is due with the newest snapshot.
func (r *runner) start(soft, hard context.Context) {
	if soft.Err() != nil {
		r.slots.release()
		return
	}
	if p := r.pending; p != nil {
		r.supersede()
		r.run = r.work.newRun(p.trigger, r.causes())
		r.pending, r.retry = nil, nil
	} else if r.run == nil {
		r.slots.release()
		return
	}
	r.ran = ran{snapshot: *r.snapshot, input: r.input, condition: r.input.Condition, once: true}
	r.run.Input = r.input.Digest
	busy := make(chan result, 1)
	r.busy = busy
	job := job{run: *r.run, snapshot: *r.snapshot, input: r.input, record: r.record, report: r.reports}
	r.slots.group.Go(func() error {
		busy <- r.work.attempt(soft, hard, job)
		return nil
	})
}

// supersede ends a failing run for a newer one.
func (r *runner) supersede() {
	if r.run == nil || r.run.Phase != tasks.Retrying {
		return
	}
	r.run.Phase, r.run.Updated = tasks.Failed, r.now()
	r.remember(*r.run)
	r.save(*r.run)
}

// causes tells what changed since the newest run, in the words of Consul.
func (r *runner) causes() []catalog.Delta {
	if r.ran.once {
		return r.work.causes(r.ran.snapshot, *r.snapshot, r.ran.input, r.input)
	}
	if r.record.Applied != nil {
		return diffMembers(r.record.Applied.Members, r.input.Members())
	}
	return nil
}

// finish takes the result of an attempt.
func (r *runner) finish(res result, stopping bool) {
	r.run = &res.run
	if res.saved {
		r.record = res.record
	}
	switch {
	case res.err == nil:
		r.retry = nil
	case stopping:
		r.run.Phase = tasks.Interrupted
		r.save(*r.run)
	default:
		if r.retry == nil {
			r.retry = newRetry()
		}
		r.retry.next(r.now())
		r.log.Error("run failed", "task", r.run.Task, "run", r.run.ID, "tries", r.run.Tries,
			"next_try", r.retry.wait.Round(time.Millisecond).String(), "err", res.err)
	}
	r.tried.Store(true)
	r.remember(*r.run)
	r.work.metrics.ended(*r.run)
	r.overtaken()
}

// overtaken wants another run when a newer snapshot came during the one that
// just ended. Its buffer counts from now: the changes were merged already.
func (r *runner) overtaken() {
	if r.pending == nil && r.input.Condition != r.ran.condition {
		r.want(tasks.Changed)
	}
}

// status folds the newest runs of this and earlier processes.
func (r *runner) status() tasks.Status { return tasks.Fold(r.recent) }

// remember keeps a run for the status, in place of its earlier self.
func (r *runner) remember(run tasks.Run) {
	if len(r.recent) > 0 && r.recent[0].ID == run.ID {
		r.recent[0] = run
		return
	}
	r.recent = append([]tasks.Run{run}, r.recent[:min(len(r.recent), recentRuns-1)]...)
}

func (r *runner) save(run tasks.Run) {
	if err := r.work.store.SaveRun(run); err != nil {
		r.log.Error("run was not recorded", "task", run.Task, "run", run.ID, "err", err)
	}
}

// end leaves a record of a run that will not be tried again by this process.
func (r *runner) end() error {
	if r.run != nil && !r.run.Phase.Ended() {
		r.run.Phase, r.run.Updated = tasks.Interrupted, r.now()
		r.save(*r.run)
		r.publish()
	}
	return nil
}

// publish makes the state that everybody else sees.
func (r *runner) publish() {
	s := tasks.State{Task: r.work.task, Status: r.status(), Record: r.record}
	if r.run != nil {
		run := *r.run
		s.Newest = &run
		s.Note = note(run, r.record)
	}
	switch {
	case r.busy != nil:
	case !r.work.task.Enabled:
		s.Note = "disabled"
	case r.snapshot == nil:
		s.Note = "waits for Consul to answer every query of the task"
	case r.slot != nil:
		s.Note = "waits for other tasks to end: max_parallel_tasks run already"
	case r.pending != nil:
		s.Note = fmt.Sprintf("runs in %s at most, more changes may come", max(0, r.pending.at.Sub(r.now())).Round(100*time.Millisecond))
	}
	r.state.Store(&s)
}
