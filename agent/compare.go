package agent

import (
	"context"
	"errors"
	"fmt"
	"os"

	"patchbay/agent/internal/terraform"
	"patchbay/tasks"
	"patchbay/tasks/catalog"
	"patchbay/templates"

	"golang.org/x/sync/errgroup"
)

// Comparison is how a task of Patchbay stands to what Consul-Terraform-Sync made
// of it.
type Comparison struct {
	Task     string
	Disabled bool
	// Differences are those of the files, in words; values that may be secret are
	// left out.
	Differences []string
	// NoState tells that nothing was applied so far: Plan makes everything.
	NoState bool
	Plan    tasks.Plan
	// Err is why there is no comparison.
	Err error
}

// Same tells whether Patchbay would write what is there and change nothing.
func (c Comparison) Same() bool { return c.Err == nil && len(c.Differences) == 0 && c.Plan.Empty() }

// Compare renders and plans every enabled task beside a running
// Consul-Terraform-Sync and writes nothing: not in its directories, not in its
// states, not in Consul. The error is of what concerns all tasks.
func Compare(ctx context.Context, opts Options) ([]Comparison, error) {
	p, err := look(ctx, opts)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var around errgroup.Group
	ended := make(chan struct{})
	around.Go(func() error {
		select {
		case <-opts.Stop:
			cancel()
		case <-ended:
		}
		return nil
	})
	out, err := p.compare(ctx, opts)
	if ctx.Err() != nil {
		err = fmt.Errorf("compare tasks: %w", tasks.ErrStopping)
	}
	close(ended)
	return out, errors.Join(err, around.Wait())
}

// compare compares while Consul is read.
func (p *parts) compare(ctx context.Context, opts Options) ([]Comparison, error) {
	wait, leave := context.WithTimeout(ctx, leaderWait)
	defer leave()
	if err := p.consul.WaitLeader(wait); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConsul, err)
	}
	options := terraform.Options{Log: opts.Log.Named("terraform")}
	if opts.Config.Driver.Log {
		options.Output = os.Stderr
	}
	c := comparer{source: p.consul, hire: p.hirer(opts.Config), planner: terraform.NewReadOnly(p.binary, options), failing: p.failing}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var consul errgroup.Group
	consul.Go(func() error { return p.consul.Run(ctx) })
	out := c.all(ctx, opts.Config.Tasks, opts.Config.MaxParallelTasks)
	cancel()
	return out, consul.Wait()
}

// failing tells which of Consul's answers are missing.
func (p *parts) failing() error {
	var errs []error
	for _, q := range p.consul.Queries() {
		if q.Err != nil {
			errs = append(errs, q.Err)
		}
	}
	return errors.Join(errs...)
}

// planner plans without lock and without a way to apply.
type planner interface {
	Plan(ctx context.Context, files tasks.Files, copied terraform.Copied) (tasks.Plan, error)
}

// comparer compares tasks with what lies in their directories.
type comparer struct {
	source  catalog.Source
	hire    func(tasks.Task) (*worker, error)
	planner planner
	failing func() error
}

// all compares every task, in their order.
func (c comparer) all(ctx context.Context, list []tasks.Task, parallel int) []Comparison {
	out := make([]Comparison, len(list))
	var group errgroup.Group
	group.SetLimit(parallel)
	for n, t := range list {
		out[n] = Comparison{Task: t.Name, Disabled: !t.Enabled}
		if t.Enabled {
			group.Go(func() error {
				out[n].Err = c.one(ctx, t, &out[n])
				return nil
			})
		}
	}
	_ = group.Wait() // its functions give nil
	return out
}

func (c comparer) one(ctx context.Context, t tasks.Task, out *Comparison) error {
	there, err := readRoot(t)
	if err != nil {
		return err
	}
	w, err := c.hire(t)
	if err != nil {
		return err
	}
	snapshot, err := c.snapshot(ctx, t)
	if err != nil {
		return err
	}
	in, err := w.inputs(ctx, t, w.project(snapshot))
	if err != nil {
		return fmt.Errorf("render task: %w", err)
	}
	files, err := templates.Render(t, in)
	if err != nil {
		return fmt.Errorf("render task: %w", err)
	}
	if out.Differences, err = there.differences(t, files); err != nil {
		return err
	}
	return c.plan(ctx, t, in, out)
}

// snapshot waits for Consul's first answers.
func (c comparer) snapshot(ctx context.Context, t tasks.Task) (catalog.Snapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, leaderWait)
	defer cancel()
	s, ok := <-c.source.Watch(ctx, t.Wants())
	switch {
	case ok:
		return s, nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return s, errors.Join(fmt.Errorf("read Consul: not all answers came within %s", leaderWait), c.failing())
	}
	return s, tasks.ErrStopping
}

// plan plans the task in a directory of its own against the state that is there.
func (c comparer) plan(ctx context.Context, t tasks.Task, in templates.Inputs, out *Comparison) error {
	backend, copied, err := besideBackend(t, in.Backend)
	if err != nil {
		return err
	}
	out.NoState = copied.Local && copied.State == nil
	in.Backend = backend
	out.Plan, err = c.planIn(ctx, t, in, copied)
	if errors.Is(err, terraform.ErrNoState) {
		copied.Local, out.NoState, in.Backend = true, true, templates.Backend{}
		out.Plan, err = c.planIn(ctx, t, in, copied)
	}
	return err
}

func (c comparer) planIn(ctx context.Context, t tasks.Task, in templates.Inputs, copied terraform.Copied) (p tasks.Plan, err error) {
	scratch, err := os.MkdirTemp("", "patchbay-compare-")
	if err != nil {
		return p, fmt.Errorf("make directory to plan in: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	files, err := templates.Render(t, in)
	if err != nil {
		return p, fmt.Errorf("render task: %w", err)
	}
	files.Dir = scratch
	if err := link(t.WorkingDir, files); err != nil {
		return p, err
	}
	return c.planner.Plan(ctx, files, copied)
}
