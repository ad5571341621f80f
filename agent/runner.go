package agent

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"patchbay/tasks"
	"patchbay/tasks/catalog"
	"patchbay/tasks/diff/reason"

	"github.com/hashicorp/go-hclog"
)

// recentRuns is how many runs a status looks back; held ones do not count.
const recentRuns = 4 * tasks.EventRuns

// runner owns one task. All fields below the line are touched by its own
// goroutine only; state is how everybody else sees it.
type runner struct {
	name   string
	source catalog.Source
	slots  *slots
	feed   *feed        // nil before the task is there for others to see
	failed chan<- error // gets the failure of the first pass, when there is room
	now    func() time.Time
	log    hclog.Logger

	commands chan command
	reports  chan tasks.Run // progress of the attempt under way
	done     chan struct{}  // closed when loop has ended
	state    atomic.Pointer[tasks.State]
	tried    atomic.Bool // an attempt has ended in this process
	answered atomic.Bool // Consul has answered all queries of the task
	nudges   chan struct{}
	weighing atomic.Pointer[weighing]

	// ---
	work      *worker
	snapshots <-chan catalog.Snapshot
	leave     context.CancelFunc // ends the watch that fills snapshots
	snapshot  *catalog.Snapshot  // newest; nil before the first
	seen      reason.Seen        // since when instances are as they are
	input     tasks.Input        // projection of snapshot
	ran       ran                // what the newest run was started with
	applied   weights            // of the newest run that succeeded
	record    tasks.Record
	run       *tasks.Run  // newest run; nil before the first
	recent    []tasks.Run // the newest runs that count for the status, newest first
	pending   *pending    // work that waits for its time
	slot      chan error  // not nil while waiting for a slot
	busy      chan result
	retry     *retry
	tick      time.Time // of a scheduled task; zero for never
	removal   *removal
	successor *succession // takes over once the task is idle
}

// ran is what the newest run of this process was started with.
type ran struct {
	snapshot  catalog.Snapshot
	input     tasks.Input
	condition catalog.Digest
	weights   weights
	once      bool
}

// pending is work that is wanted and waits for its buffer.
type pending struct {
	trigger     tasks.Trigger
	first, last time.Time
	at          time.Time
}

func newRunner(w *worker, source catalog.Source, record tasks.Record, recent []tasks.Run) *runner {
	r := &runner{name: w.task.Name, work: w, source: source, now: w.now, log: w.log, commands: make(chan command),
		nudges: make(chan struct{}, 1), reports: make(chan tasks.Run), done: make(chan struct{}), record: record, recent: recent, leave: func() {}}
	if len(recent) > 0 {
		newest := recent[0]
		r.run = &newest
	}
	r.publish()
	return r
}

// loop follows the task until soft ends or the task is removed, and its run under
// way has ended. hard interrupts that run.
func (r *runner) loop(soft, hard context.Context) error {
	defer close(r.done)
	r.follow(soft)
	defer func() { r.leave() }()
	timer := time.NewTimer(0)
	defer timer.Stop()
	stop := soft.Done()
	for {
		r.publish()
		if r.idle() && (stop == nil || r.removal != nil && r.removal.complete()) {
			return r.end()
		}
		if r.idle() && r.successor != nil && r.removal == nil {
			r.succeed(soft)
		}
		r.arm(timer)
		select {
		case s, ok := <-r.snapshots:
			if !ok {
				r.snapshots = nil
				continue
			}
			r.observe(s)
		case c := <-r.commands:
			r.obey(soft, hard, c, stop == nil)
		case <-timer.C:
			r.due(soft)
		case err := <-r.slot:
			r.slot = nil
			if err == nil {
				r.start(soft, hard)
			}
		case <-r.nudges:
			r.reweigh()
		case run := <-r.reports:
			r.run = &run
		case res := <-r.busy:
			r.busy = nil
			if !res.unslotted {
				r.slots.release()
			}
			r.finish(soft, res, stop == nil)
		case <-stop:
			stop, r.pending, r.retry = nil, nil, nil
		}
	}
}

func (r *runner) idle() bool { return r.busy == nil && r.slot == nil }

// follow watches what the task wants, from the beginning.
func (r *runner) follow(ctx context.Context) {
	r.leave()
	r.snapshot, r.snapshots, r.leave, r.pending, r.retry = nil, nil, func() {}, nil, nil
	r.tick = r.work.next(r.now())
	if !r.work.task.Enabled {
		return
	}
	watch, cancel := context.WithCancel(ctx)
	r.leave = cancel
	r.snapshots = r.source.Watch(watch, r.work.task.Wants())
}

// arm sets the timer to the next thing that time alone starts.
func (r *runner) arm(timer *time.Timer) {
	timer.Stop()
	if !r.idle() || r.snapshot == nil && r.removal == nil {
		return
	}
	if at := r.nextAt(); !at.IsZero() {
		timer.Reset(max(0, at.Sub(r.now())))
	}
}

// nextAt is when time alone starts something; zero for never. A change waits
// while a newer answer of Consul is being confirmed: what came just before a
// mass failure is its first part.
func (r *runner) nextAt() (at time.Time) {
	switch {
	case r.pending != nil && r.pending.trigger == tasks.Changed && r.doubtful():
	case r.pending != nil:
		at = r.pending.at
	case r.retry != nil:
		at = r.retry.at
	}
	if !r.tick.IsZero() && (at.IsZero() || r.tick.Before(at)) {
		at = r.tick
	}
	return at
}

// doubtful tells whether an answer to one of the task's queries is being confirmed.
func (r *runner) doubtful() bool {
	return r.snapshot != nil && slices.ContainsFunc(r.snapshot.Views(), func(v *catalog.View) bool {
		return v.Verdict.Trust == catalog.Suspicious
	})
}

// due does what the timer was set for.
func (r *runner) due(ctx context.Context) {
	now := r.now()
	if !r.tick.IsZero() && !now.Before(r.tick) {
		r.tick = r.work.next(now)
		r.ticked(now)
	}
	if at := r.nextAt(); (r.pending != nil || r.retry != nil) && !at.IsZero() && !now.Before(at) {
		r.ask(ctx)
	}
}

// ticked starts a scheduled run if an input changed since the last one that
// reached the devices.
func (r *runner) ticked(now time.Time) {
	if a := r.record.Applied; a == nil || a.Run == "" || a.Input != r.input.Digest || r.retry != nil {
		r.want(tasks.Scheduled)
		return
	}
	r.log.Info("scheduled task triggered but had no changes", "task", r.name)
	run := r.work.newRun(tasks.Scheduled, nil)
	run.Phase, run.Input, run.Tries = tasks.Unchanged, r.input.Digest, 1
	r.run = run
	r.remember(*run)
	r.save(*run)
}

// observe takes the newest snapshot and decides whether a run is wanted.
func (r *runner) observe(s catalog.Snapshot) {
	if r.snapshot != nil && r.snapshot.Same(s) {
		return
	}
	first := r.snapshot == nil
	r.answered.Store(true)
	r.snapshot, r.seen = &s, r.seen.See(s, r.now())
	r.input = r.work.project(s)
	switch {
	case r.removal != nil:
	case first && !r.ran.once:
		r.want(tasks.FirstPass)
	case r.input.Condition != r.ran.condition || !r.ran.once:
		r.want(tasks.Changed)
	case r.record.Held != nil:
		// What holds a plan may be evidence that this snapshot brings.
		r.want(tasks.Changed)
	case r.pending != nil && r.pending.trigger == tasks.Changed && r.settled():
		r.log.Debug("change was taken back before its run", "task", r.name)
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

// ask waits for a slot beside the loop, so that newer snapshots go on arriving.
func (r *runner) ask(ctx context.Context) {
	slot := make(chan error, 1)
	r.slot = slot
	r.slots.request(ctx, slot)
}

// start begins the work that is due with the newest snapshot.
func (r *runner) start(soft, hard context.Context) {
	if soft.Err() != nil || r.pending == nil && r.retry == nil {
		r.slots.release()
		return
	}
	var snapshot catalog.Snapshot
	if r.snapshot != nil {
		snapshot = *r.snapshot
	}
	if p := r.pending; p != nil {
		r.supersede()
		r.run = r.work.newRun(p.trigger, r.causes(snapshot))
		r.pending, r.retry = nil, nil
	}
	r.ran = ran{snapshot: snapshot, input: r.input, condition: r.input.Condition, weights: r.work.weights(), once: true}
	r.run.Input = r.input.Digest
	busy := make(chan result, 1)
	r.busy = busy
	j := job{run: *r.run, snapshot: snapshot, input: r.input, record: r.record, seen: r.seen, report: r.reports, destroy: r.removal != nil}
	work := r.work
	work.legacy.began(r.name)
	r.slots.group.Go(func() error {
		busy <- work.attempt(soft, hard, j)
		return nil
	})
}

// finish takes the result of an attempt.
func (r *runner) finish(soft context.Context, res result, stopping bool) {
	if res.operation != nil {
		r.conclude(soft, res)
		return
	}
	r.took(res)
	r.work.legacy.ended(res.run, res.err)
	switch {
	case res.err == nil:
		r.retry = nil
		if r.removal != nil {
			r.removal.destroyed = true
		}
	case stopping:
		r.run.Phase = tasks.Interrupted
		r.save(*r.run)
	default:
		if r.retry == nil {
			r.retry = newRetry()
		}
		r.retry.next(r.now())
		r.tell(res.err)
		r.log.Error("run failed", "task", r.run.Task, "run", r.run.ID, "tries", r.run.Tries,
			"next_try", r.retry.wait.Round(time.Millisecond).String(), "err", res.err)
	}
	r.remember(*r.run)
	r.work.metrics.ended(*r.run)
	r.overtaken()
	r.work.takes = res.takes
	r.reweigh()
}

// took keeps what an attempt made of the run and the record.
func (r *runner) took(res result) {
	r.run = &res.run
	if res.err == nil && res.run.Phase.Success() {
		r.applied = res.weights
	}
	if res.saved {
		r.record = res.record
	}
	r.tried.Store(true)
}

// overtaken wants another run when a newer snapshot came during the one that
// just ended. Its buffer counts from now: the changes were merged already. A tick
// that came meanwhile is dropped, as in CTS.
func (r *runner) overtaken() {
	if r.removal == nil && r.pending == nil && r.input.Condition != r.ran.condition {
		r.want(tasks.Changed)
	}
	if now := r.now(); !r.tick.IsZero() && !now.Before(r.tick) {
		r.log.Info("scheduled trigger was dropped: the task was running", "task", r.name)
		r.tick = r.work.next(now)
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
	case r.removal != nil:
		s.Note = "is being deleted"
	case !r.work.task.Enabled:
		s.Note = "disabled"
	case r.snapshot == nil:
		s.Note = "waits for Consul to answer every query of the task"
	case r.slot != nil:
		s.Note = "waits for other tasks to end: max_parallel_tasks run already"
	case r.pending != nil && r.doubtful():
		s.Note = "waits: a newer answer of Consul is being confirmed"
	case r.pending != nil:
		s.Note = fmt.Sprintf("runs in %s at most, more changes may come", max(0, r.pending.at.Sub(r.now())).Round(100*time.Millisecond))
	}
	r.state.Store(&s)
	r.feed.publish(s)
	r.showWeighing()
}
