package agent

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"patchbay/agent/config"
	"patchbay/agent/internal/httpapi"
	"patchbay/tasks"
	"patchbay/tasks/catalog"

	"golang.org/x/sync/errgroup"
)

// definitionStore keeps tasks that the API made or changed.
type definitionStore interface {
	Definitions() (map[string]tasks.Definition, error)
	SaveDefinition(task string, d *tasks.Definition) error
}

// engine is all runners together: what the HTTP API reads and commands.
type engine struct {
	source      catalog.Source
	feed        *feed
	slots       *slots
	definitions definitionStore
	runs        func(task string, limit int) ([]tasks.Run, error)
	// hirer gives what makes the workers of definitions under a configuration;
	// past is what an earlier process knew of a task.
	hirer func(config.Config) func(tasks.Task) (*worker, error)
	past  func(task string) (tasks.Record, []tasks.Run, error)
	// answering tells whether Consul answers and, if not, the newest error.
	answering func() (ok bool, reason string)
	// missing tells what Consul said of answers that are missing; nil knows nothing.
	missing   func() error
	creations chan creation
	reloads   chan reloading
	failed    chan error    // gets the failures of first passes, when there is room
	ended     chan struct{} // closed when no more creations are taken

	mu       sync.RWMutex // guards what follows
	runners  []*runner
	reserved map[string]bool           // names of tasks that are being created
	files    map[string]catalog.Digest // blocks of the configuration by task
	config   config.Config             // in force
	make     func(tasks.Task) (*worker, error)
}

// rehire makes workers under another configuration from now on.
func (e *engine) rehire(cfg config.Config) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.config, e.make = cfg, e.hirer(cfg)
}

// inherited gives what tasks take over that set none of their own.
func (e *engine) inherited() httpapi.Inherited {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return httpapi.Inherited{Buffer: e.config.Buffer, Guard: e.config.Guard}
}

// hire makes the worker of a definition.
func (e *engine) hire(t tasks.Task) (*worker, error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.make(t)
}

// runAll runs all tasks until soft ends and everything they started has ended.
func (e *engine) runAll(soft, hard context.Context, parallel int) error {
	var group errgroup.Group
	e.slots = newSlots(parallel, &group)
	for _, r := range e.all() {
		r.slots, r.failed = e.slots, e.failed
		e.launch(soft, hard, r)
	}
	group.Go(func() error {
		defer close(e.ended)
		for {
			select {
			case c := <-e.creations:
				group.Go(func() error {
					e.create(soft, hard, c)
					return nil
				})
			case r := <-e.reloads:
				r.answer <- e.reload(soft, hard, r.Options)
			case <-soft.Done():
				return nil
			}
		}
	})
	return group.Wait()
}

// launch runs a task until it ends, and takes it away when that is for good.
func (e *engine) launch(soft, hard context.Context, r *runner) {
	e.slots.group.Go(func() error {
		if err := r.loop(soft, hard); err != nil {
			return err
		}
		if r.removal == nil || !r.removal.complete() {
			return nil
		}
		return e.removed(r)
	})
}

func (e *engine) all() []*runner {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return slices.Clone(e.runners)
}

func (e *engine) find(name string) (*runner, bool) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	n := slices.IndexFunc(e.runners, func(r *runner) bool { return r.name == name })
	if n < 0 {
		return nil, false
	}
	return e.runners[n], true
}

// reserve takes a name for a task that is being created; false when it is taken.
func (e *engine) reserve(name string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.reserved[name] || slices.ContainsFunc(e.runners, func(r *runner) bool { return r.name == name }) {
		return false
	}
	e.reserved[name] = true
	return true
}

func (e *engine) release(name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.reserved, name)
}

// add makes a task one that others see. Only then is it told of: a listener that
// heard of it before could not find it.
func (e *engine) add(r *runner) {
	r.feed = e.feed
	e.mu.Lock()
	e.runners = append(e.runners, r)
	e.mu.Unlock()
	e.feed.appear(*r.state.Load())
}

func (e *engine) drop(r *runner) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.runners = slices.DeleteFunc(e.runners, func(x *runner) bool { return x == r })
}

func (e *engine) fileDigest(name string) catalog.Digest {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.files[name]
}

// States lists all tasks in the order of the configuration, then of creation.
func (e *engine) States() []tasks.State {
	runners := e.all()
	out := make([]tasks.State, 0, len(runners))
	for _, r := range runners {
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

// Events sends every change of any task's state until ctx ends.
func (e *engine) Events(ctx context.Context) <-chan tasks.State { return e.feed.listen(ctx) }

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
	if !ok {
		return reply{}, fmt.Errorf("find task %q: %w", name, tasks.ErrUnknownTask)
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
	select {
	case out := <-answer:
		return out, out.err
	case <-ctx.Done(): // an operation under way goes on without its caller
		return reply{}, ctx.Err()
	}
}

// Ready tells whether every enabled task was tried once and Consul answers.
func (e *engine) Ready() (ok bool, reasons []string) {
	if ok, reason := e.answering(); !ok {
		reasons = append(reasons, reason)
	}
	for _, r := range e.all() {
		if r.state.Load().Task.Enabled && !r.tried.Load() {
			reasons = append(reasons, fmt.Sprintf("task %s has not been run since the start", r.name))
		}
	}
	return len(reasons) == 0, reasons
}
