package agent

import (
	"context"
	"fmt"
	"slices"

	"patchbay/agent/internal/httpapi"
	"patchbay/tasks"

	"golang.org/x/sync/errgroup"
)

// engine is all runners together: what the HTTP API reads and commands.
type engine struct {
	runners []*runner
	runs    func(task string, limit int) ([]tasks.Run, error)
	// answering tells whether Consul answers and, if not, the newest error.
	answering func() (ok bool, reason string)
}

// run runs every task until soft ends and their runs under way have ended.
func (e *engine) run(soft, hard context.Context, group *errgroup.Group) {
	for _, r := range e.runners {
		r.publish()
		group.Go(func() error { return r.loop(soft, hard) })
	}
}

func (e *engine) find(name string) (*runner, bool) {
	n := slices.IndexFunc(e.runners, func(r *runner) bool { return r.work.task.Name == name })
	if n < 0 {
		return nil, false
	}
	return e.runners[n], true
}

// States lists all tasks in the order of the configuration.
func (e *engine) States() []tasks.State {
	out := make([]tasks.State, 0, len(e.runners))
	for _, r := range e.runners {
		out = append(out, *r.state.Load())
	}
	return out
}

// State gives one task as it stands.
func (e *engine) State(name string) (tasks.State, bool) {
	r, ok := e.find(name)
	if !ok {
		return tasks.State{}, false
	}
	return *r.state.Load(), true
}

// Runs lists a task's newest runs, newest first.
func (e *engine) Runs(name string, limit int) ([]tasks.Run, error) { return e.runs(name, limit) }

// Approve lets a held plan through; see [tasks.Guard.Review] for what it binds.
func (e *engine) Approve(ctx context.Context, name string, want httpapi.ApproveRequest) (tasks.HeldPlan, error) {
	out, err := e.command(ctx, name, command{approve: &want})
	return out.held, err
}

// RunNow asks for a run without buffer.
func (e *engine) RunNow(ctx context.Context, name string) error {
	_, err := e.command(ctx, name, command{})
	return err
}

func (e *engine) command(ctx context.Context, name string, c command) (reply, error) {
	r, ok := e.find(name)
	switch {
	case !ok:
		return reply{}, fmt.Errorf("find task %q: %w", name, tasks.ErrUnknownTask)
	case !r.work.task.Enabled:
		return reply{}, fmt.Errorf("run task %s: %w", name, tasks.ErrDisabledTask)
	}
	answer := make(chan reply, 1)
	c.answer = answer
	select {
	case r.commands <- c:
	case <-r.done:
		return reply{}, tasks.ErrStopping
	case <-ctx.Done():
		return reply{}, ctx.Err()
	}
	out := <-answer
	return out, out.err
}

// Ready tells whether every enabled task was tried once and Consul answers.
func (e *engine) Ready() (ok bool, reasons []string) {
	if ok, reason := e.answering(); !ok {
		reasons = append(reasons, reason)
	}
	for _, r := range e.runners {
		if r.work.task.Enabled && !r.tried.Load() {
			reasons = append(reasons, fmt.Sprintf("task %s has not been run since the start", r.work.task.Name))
		}
	}
	return len(reasons) == 0, reasons
}
