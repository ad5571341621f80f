package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"

	"patchbay/agent/config"
	"patchbay/agent/internal/httpapi"
	"patchbay/tasks"
	"patchbay/tasks/catalog"
	"patchbay/templates"
)

// creation is a task that is being set up; answer gets exactly one value.
type creation struct {
	change
	answer chan<- reply
}

// Create sets a task up; see [httpapi.Author].
func (e *engine) Create(ctx context.Context, t tasks.Task, mode tasks.RunMode) (tasks.Operation, error) {
	if !e.reserve(t.Name) {
		return tasks.Operation{}, fmt.Errorf("task with name %s already exists: %w", t.Name, tasks.ErrTaskExists)
	}
	c, err := e.change(t, mode, catalog.Digest{})
	if err != nil {
		e.release(t.Name)
		return tasks.Operation{}, err
	}
	answer := make(chan reply, 1)
	select {
	case e.creations <- creation{change: c, answer: answer}:
	case <-e.ended:
		e.release(t.Name)
		return tasks.Operation{}, tasks.ErrStopping
	}
	select {
	case out := <-answer:
		return out.operation, out.err
	case <-ctx.Done(): // the work goes on: an apply is not given up for a lost caller
		return tasks.Operation{}, ctx.Err()
	}
}

// change makes the worker of a new definition and how to keep it.
func (e *engine) change(t tasks.Task, mode tasks.RunMode, file catalog.Digest) (change, error) {
	if err := config.CheckCommits(e.inForce(), t, e.defined()); err != nil {
		return change{}, err
	}
	w, err := e.hire(t)
	if err != nil {
		return change{}, err
	}
	return change{work: w, mode: mode, keep: func() error {
		text, err := encode(t, file, e.inherited())
		if err != nil {
			return err
		}
		return e.definitions.SaveDefinition(t.Name, &tasks.Definition{Task: text, File: file})
	}}, nil
}

// defined lists the tasks that there are.
func (e *engine) defined() (out []tasks.Task) {
	for _, s := range e.States() {
		out = append(out, s.Task)
	}
	return out
}

// create makes a task's runner once its set-up succeeded. What an inspection or a
// failed set-up of a new task left is cleaned up; a state that holds objects stays.
func (e *engine) create(soft, hard context.Context, c creation) {
	defer e.release(c.work.task.Name)
	_, err := os.Stat(c.work.task.WorkingDir)
	fresh := errors.Is(err, os.ErrNotExist)
	record, recent, err := e.past(c.work.task.Name)
	if err != nil {
		c.answer <- reply{err: err}
		return
	}
	r := newRunner(c.work, e.source, record, recent)
	r.slots = e.slots
	op := &operation{change: c.change, answer: c.answer}
	if err := e.slots.sem.Acquire(soft, 1); err != nil {
		c.answer <- reply{err: tasks.ErrStopping}
		return
	}
	res := op.make(soft, hard, e.source, record)
	e.slots.release()
	out := reply{err: res.err, operation: tasks.Operation{Task: c.work.task, Plan: res.run.Plan, Findings: res.run.Findings, Text: res.text}}
	if res.err == nil && c.mode != tasks.RunInspect {
		if out.err = c.keep(); out.err == nil {
			r.adopt(soft, res)
			r.publish() // a read right after the answer must see what ran
			e.add(r)
			e.launch(soft, hard, r)
		}
	}
	if (out.err != nil || c.mode == tasks.RunInspect) && fresh {
		out.err = errors.Join(out.err, e.sweep(hard, c.work))
	}
	c.answer <- out
}

// sweep removes what a set-up made. It refuses where objects were made. What
// cannot be rendered was not written either.
func (e *engine) sweep(ctx context.Context, w *worker) error {
	if _, err := os.Stat(w.task.WorkingDir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	in, err := w.inputs(ctx, w.task, tasks.Input{})
	if err != nil {
		return fmt.Errorf("clean up after task %s: %w", w.task.Name, err)
	}
	files, err := templates.Render(w.task, in)
	if err == nil {
		err = w.workspace.Remove(ctx, files)
	}
	if err != nil {
		return fmt.Errorf("clean up after task %s: %w", w.task.Name, err)
	}
	return nil
}

// Replace changes a task; see [httpapi.Author].
func (e *engine) Replace(ctx context.Context, t tasks.Task, mode tasks.RunMode) (tasks.Operation, error) {
	r, ok := e.find(t.Name)
	if !ok {
		return tasks.Operation{}, fmt.Errorf("find task %q: %w", t.Name, tasks.ErrUnknownTask)
	}
	t = inherit(t, r.state.Load().Task)
	c, err := e.change(t, mode, e.fileDigest(t.Name))
	if err != nil {
		return tasks.Operation{}, err
	}
	out, err := e.command(ctx, t.Name, command{change: &c})
	return out.operation, err
}

// inherit takes over what the API cannot say from the task's present definition. An
// old list of services goes on to name them as long as they are selected as before.
func inherit(t, from tasks.Task) tasks.Task {
	t.WorkingDir, t.VariableFiles, t.Position = from.WorkingDir, from.VariableFiles, from.Position
	t.OldServices = nil
	if reflect.DeepEqual(selections(t), selections(from)) {
		t.OldServices = from.OldServices
	}
	return t
}

// selections gives the selections of instances in the API's form, in which nothing
// and an empty map are the same.
func selections(t tasks.Task) (out []httpapi.Services) {
	wire := httpapi.NewTask(t, nil)
	if s := wire.Condition.Services; s != nil {
		out = append(out, s.Services)
	}
	if s := wire.ModuleInput.Services; s != nil {
		out = append(out, *s)
	}
	return out
}

// Remove ends a task; see [httpapi.Author]. A block of the configuration stays
// ignored until it changes.
func (e *engine) Remove(ctx context.Context, name string, destroy bool) error {
	d := removal{destroy: destroy, keep: func() error {
		text, err := e.wire(name)
		if err != nil {
			return err
		}
		return e.definitions.SaveDefinition(name, &tasks.Definition{Task: text, File: e.fileDigest(name), Removed: true, Destroy: destroy})
	}}
	_, err := e.command(ctx, name, command{remove: &d})
	return err
}

// wire gives a task's present definition in the API's form.
func (e *engine) wire(name string) (json.RawMessage, error) {
	r, ok := e.find(name)
	if !ok {
		return nil, fmt.Errorf("find task %q: %w", name, tasks.ErrUnknownTask)
	}
	return encode(r.state.Load().Task, e.fileDigest(name), e.inherited())
}

// encode gives a task in the API's form, to be kept. Over a block of the
// configuration it always says the guard: without one the block's counts.
func encode(t tasks.Task, file catalog.Digest, inherited httpapi.Inherited) (json.RawMessage, error) {
	wire := httpapi.NewTask(t, &inherited)
	if file != (catalog.Digest{}) {
		wire.Guard = httpapi.NewGuard(t.Guard)
	}
	text, err := json.Marshal(wire)
	if err != nil {
		return nil, fmt.Errorf("encode task %s: %w", t.Name, err)
	}
	return text, nil
}

// removed ends what the API still knew of a task.
func (e *engine) removed(r *runner) error {
	e.drop(r)
	e.feed.vanish(*r.state.Load())
	file := e.fileDigest(r.name)
	if file == (catalog.Digest{}) {
		return e.definitions.SaveDefinition(r.name, nil)
	}
	return e.definitions.SaveDefinition(r.name, &tasks.Definition{File: file, Removed: true})
}
