package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"patchbay/tasks"

	"golang.org/x/sync/errgroup"
)

// leaderWait is how long -once and -inspect wait for a Consul that has a leader;
// CTS gives up after about a minute, and as soon as a connection is refused. Of the
// latter it takes refusedWait to be sure.
const (
	leaderWait  = time.Minute
	refusedWait = time.Second
)

// ErrConsul is returned by Once, Inspect and, with Options.Legacy, Run when Consul
// cannot be used.
var ErrConsul = errors.New("consul is not to be reached")

// awaitLeader gives up after leaderWait, or at once when a stop is asked for.
func awaitLeader(ctx context.Context, stop <-chan struct{}, wait func(context.Context) error) error {
	return untilStopped(ctx, stop, func(ctx context.Context) error {
		limited, cancel := context.WithTimeout(ctx, leaderWait)
		defer cancel()
		if err := wait(limited); err != nil {
			return fmt.Errorf("%w: %w", ErrConsul, err)
		}
		return nil
	})
}

// unlessRefused makes a wait for a leader end early where nobody listens.
func unlessRefused(wait func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		first, cancel := context.WithTimeout(ctx, refusedWait)
		defer cancel()
		if err := wait(first); err == nil || errors.Is(err, syscall.ECONNREFUSED) {
			return err
		}
		return wait(ctx)
	}
}

// untilStopped works before there is anything that a stop could wait for: it ends
// the work and gives [tasks.ErrStopping] when one is asked for.
func untilStopped(ctx context.Context, stop <-chan struct{}, work func(context.Context) error) error {
	limited, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- work(limited) }()
	select {
	case err := <-done:
		return err
	case <-stop:
		cancel()
		<-done
		return tasks.ErrStopping
	}
}

// Inspection is what a task would do.
type Inspection struct {
	Task     string
	Disabled bool
	Plan     tasks.Plan
	// Devices tell the plan in the words of the devices; MoreDevices counts those
	// that are not listed.
	Devices     []tasks.DeviceChange
	MoreDevices int
	Findings    []tasks.Finding
	// Err is why there is no plan.
	Err error
}

// Once runs every enabled task once, max_parallel_tasks at a time, and returns
// all their failures. A plan that the guard holds is a failure here: the devices
// are not as wanted.
func Once(ctx context.Context, opts Options) error {
	key := "task"
	if opts.Legacy {
		key = "task_name" // scripts of its users look for the line
	}
	return oneShot(ctx, opts, tasks.Once, opts.Config.Tasks, func(r *runner, res result) error {
		switch {
		case res.err != nil:
			return fmt.Errorf("run task %s: %w", res.run.Task, res.err)
		case res.run.Phase == tasks.Held:
			return fmt.Errorf("run task %s: the plan is held: %s; see patchbay task show %s", res.run.Task, note(res.run, res.record), res.run.Task)
		}
		opts.Log.Info("task completed", key, res.run.Task)
		return nil
	})
}

// Inspect plans every enabled task that names lists, or all, and applies
// nothing. The error is of what concerns all tasks.
func Inspect(ctx context.Context, opts Options, names []string) ([]Inspection, error) {
	var chosen []tasks.Task
	for _, t := range opts.Config.Tasks {
		if len(names) == 0 || slices.Contains(names, t.Name) {
			chosen = append(chosen, t)
		}
	}
	for _, name := range names {
		if !slices.ContainsFunc(chosen, func(t tasks.Task) bool { return t.Name == name }) {
			return nil, fmt.Errorf("inspect task %q: %w", name, tasks.ErrUnknownTask)
		}
	}
	out := make([]Inspection, len(chosen))
	for n, t := range chosen {
		out[n] = Inspection{Task: t.Name, Disabled: !t.Enabled}
	}
	err := oneShot(ctx, opts, tasks.Inspect, chosen, func(r *runner, res result) error {
		n := slices.IndexFunc(chosen, func(t tasks.Task) bool { return t.Name == res.run.Task })
		out[n].Plan, out[n].Findings, out[n].Err = res.run.Plan, res.run.Findings, res.err
		out[n].Devices, out[n].MoreDevices = res.run.Devices, res.run.MoreDevices
		return nil
	})
	return out, err
}

// oneShot makes one attempt of each enabled task, without buffer or retry.
func oneShot(ctx context.Context, opts Options, trigger tasks.Trigger, chosen []tasks.Task, done func(*runner, result) error) error {
	p, err := open(ctx, opts)
	if err != nil {
		return err
	}
	defer p.close()
	if err := p.lock(opts.Config); err != nil {
		return err
	}
	if err := awaitLeader(ctx, opts.Stop, p.consul.WaitLeader); err != nil {
		return err
	}
	if err := p.lookAtCanaries(opts.Config); err != nil {
		return err
	}
	opts.Config.Tasks = chosen
	e, err := p.engine(opts)
	if err != nil {
		return err
	}
	hard, interrupt := context.WithCancel(ctx)
	soft, drain := context.WithCancel(hard)
	var consul, ladderGroup, group errgroup.Group
	consul.Go(func() error { return p.consul.Run(soft) })
	ended := make(chan struct{})
	ladderGroup.Go(func() error {
		return ladder{soft: drain, hard: interrupt, grace: opts.Config.ShutdownGrace, log: opts.Log}.follow(opts.Stop, ended)
	})
	group.SetLimit(opts.Config.MaxParallelTasks)
	failures := make([]error, len(e.runners))
	for n, r := range e.runners {
		if !r.work.task.Enabled || !slices.ContainsFunc(chosen, func(t tasks.Task) bool { return t.Name == r.name }) {
			continue
		}
		group.Go(func() error {
			failures[n] = r.single(soft, hard, trigger, done)
			return nil
		})
	}
	err = group.Wait()
	close(ended)
	drain()
	interrupt()
	return errors.Join(append(failures, err, ladderGroup.Wait(), consul.Wait())...)
}

// single makes the one attempt of a task.
func (r *runner) single(soft, hard context.Context, trigger tasks.Trigger, done func(*runner, result) error) error {
	watch, cancel := context.WithCancel(soft)
	defer cancel()
	s, err := r.work.read(watch, r.source)
	if errors.Is(err, tasks.ErrStopping) {
		return fmt.Errorf("run task %s: %w", r.work.task.Name, err)
	}
	if err != nil {
		return done(r, result{run: *r.work.newRun(trigger, nil), err: err})
	}
	r.snapshot, r.input, r.seen = &s, r.work.project(s), r.seen.See(s, r.now())
	run := r.work.newRun(trigger, r.causes(s))
	run.Input = r.input.Digest
	res := r.work.attempt(soft, hard, job{run: *run, snapshot: s, input: r.input, record: r.record, seen: r.seen, inspect: trigger == tasks.Inspect})
	if res.err != nil && trigger != tasks.Inspect {
		res.run.Phase = tasks.Failed
		r.save(res.run)
	}
	return done(r, res)
}
