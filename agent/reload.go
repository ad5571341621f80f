package agent

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"patchbay/agent/config"
	"patchbay/tasks"
	"patchbay/tasks/catalog"
)

// reloading is a changed configuration to take over; answer gets exactly one value.
type reloading struct {
	Options
	answer chan<- error
}

// take hands a changed configuration to the loop that owns the tasks and waits
// until it is taken over. It gives [tasks.ErrStopping] when that loop has ended.
func (e *engine) take(opts Options) error {
	answer := make(chan error, 1)
	select {
	case e.reloads <- reloading{Options: opts, answer: answer}:
		return <-answer
	case <-e.ended:
		return tasks.ErrStopping
	}
}

// reload takes a changed configuration over: new tasks begin, changed ones begin
// anew, also those of which only the providers or the backend changed, and tasks
// whose block is gone end; what they made stays. It can be repeated after a failure.
func (e *engine) reload(soft, hard context.Context, opts Options) error {
	before := e.inForce()
	e.rehire(opts.Config)
	kept, err := e.definitions.Definitions()
	if err != nil {
		return err
	}
	var failures []error
	begun := map[string]bool{}
	for _, t := range opts.Config.Tasks {
		began, err := e.reloadTask(soft, hard, opts, t, kept[t.Name])
		begun[t.Name] = began
		failures = append(failures, err)
	}
	for _, r := range e.all() {
		gone := !slices.ContainsFunc(opts.Config.Tasks, func(t tasks.Task) bool { return t.Name == r.name })
		switch {
		case gone && e.fileDigest(r.name) != (catalog.Digest{}):
			opts.Log.Info("task is not in the configuration any more, what it made stays", "task", r.name)
			e.setFile(r.name, catalog.Digest{}) // first: its end looks whether a block is left
			_, err := e.command(soft, r.name, command{remove: &removal{keep: func() error { return nil }}})
			failures = append(failures, err)
		case begun[r.name]:
		case e.fileDigest(r.name) == (catalog.Digest{}) && inheritanceDiffers(before, opts.Config, r.state.Load().Task),
			surroundingsDiffer(before, opts.Config, r.state.Load().Task):
			failures = append(failures, e.renew(soft, before, opts, r))
		}
	}
	return errors.Join(failures...)
}

// surroundingsDiffer tells whether a task that did not change itself is rendered
// from something that did.
func surroundingsDiffer(before, after config.Config, t tasks.Task) bool {
	return !reflect.DeepEqual(providersOf(t, before.Providers), providersOf(t, after.Providers)) ||
		!reflect.DeepEqual(before.Driver.Backend, after.Driver.Backend) ||
		!reflect.DeepEqual(before.Driver.RequiredProviders, after.Driver.RequiredProviders)
}

// inheritanceDiffers tells whether a task that no block defines takes over something
// else than before.
func inheritanceDiffers(before, after config.Config, t tasks.Task) bool {
	heir := inheriting(t, before, after)
	return heir.Buffer != t.Buffer || heir.Guard != t.Guard
}

// inheriting gives a task what it takes over from a changed configuration.
func inheriting(t tasks.Task, before, after config.Config) tasks.Task {
	if !t.OwnBuffer && t.Buffer == before.Buffer {
		t.Buffer = after.Buffer
	}
	if t.Guard == before.Guard {
		t.Guard = after.Guard
	}
	return t
}

// renew lets an unchanged task begin anew under a changed configuration. One that
// is being deleted is left alone.
func (e *engine) renew(soft context.Context, before config.Config, opts Options, r *runner) error {
	hire := e.hire
	if e.fileDigest(r.name) == (catalog.Digest{}) {
		hire = func(t tasks.Task) (*worker, error) { return e.hire(inheriting(t, before, opts.Config)) }
	}
	_, err := e.command(soft, r.name, command{swap: &succession{hire: hire}})
	if errors.Is(err, tasks.ErrStopping) && soft.Err() == nil {
		return nil
	}
	if err == nil {
		opts.Log.Info("task begins anew: what it takes over from the configuration was changed", "task", r.name)
	}
	return err
}

// reloadTask begins a task whose block is new or changed; began is false for others.
func (e *engine) reloadTask(soft, hard context.Context, opts Options, t tasks.Task, kept tasks.Definition) (began bool, err error) {
	file, err := identify(t, opts.Config.Buffer)
	if err != nil || file == e.fileDigest(t.Name) {
		return false, err
	}
	if kept.File != file {
		kept = tasks.Definition{File: file}
		if err := e.definitions.SaveDefinition(t.Name, &kept); err != nil {
			return false, err
		}
	}
	if err := e.beginTask(soft, hard, opts, t, kept); err != nil {
		return false, err
	}
	e.setFile(t.Name, file) // last: what failed is tried again by the next reload
	return true, nil
}

// beginTask begins a task as its block says, unless the definition kept says
// otherwise.
func (e *engine) beginTask(soft, hard context.Context, opts Options, t tasks.Task, kept tasks.Definition) error {
	if _, ok := e.find(t.Name); ok {
		if _, err := e.hire(t); err != nil { // told now, not when the task is idle
			return err
		}
		opts.Log.Info("task was changed in the configuration", "task", t.Name, "block", t.Position)
		_, err := e.command(soft, t.Name, command{swap: &succession{task: &t, hire: e.hire}})
		if errors.Is(err, tasks.ErrStopping) && soft.Err() == nil {
			return fmt.Errorf("change task %s: it is being deleted: %w", t.Name, tasks.ErrTaskBusy)
		}
		return err
	}
	if !e.reserve(t.Name) {
		return fmt.Errorf("begin task %s: it is being created by the API: %w", t.Name, tasks.ErrTaskBusy)
	}
	defer e.release(t.Name)
	if err := e.restore(opts, t, kept, kept.Said()); err != nil {
		return err
	}
	if r, ok := e.find(t.Name); ok {
		opts.Log.Info("task is new in the configuration", "task", t.Name, "block", t.Position)
		r.slots = e.slots
		e.launch(soft, hard, r)
	}
	return nil
}

func (e *engine) setFile(name string, file catalog.Digest) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if file == (catalog.Digest{}) {
		delete(e.files, name)
		return
	}
	e.files[name] = file
}

// inForce gives the configuration that workers are hired under.
func (e *engine) inForce() config.Config {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.config
}
