package agent

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"patchbay/agent/internal/httpapi"
	"patchbay/tasks"
	"patchbay/tasks/catalog"
)

// load makes the runners: of the configuration's tasks in their order, as the API
// changed them, then of the tasks that the API made.
func (e *engine) load(opts Options) error {
	kept, err := e.definitions.Definitions()
	if err != nil {
		return err
	}
	for _, t := range opts.Config.Tasks {
		file, err := identify(t, opts.Config.Buffer)
		if err != nil {
			return err
		}
		e.files[t.Name] = file
		d, ok := kept[t.Name]
		delete(kept, t.Name)
		if ok && d.File != file {
			if d.Said() {
				opts.Log.Info("task was changed in the configuration, which wins over the API", "task", t.Name, "block", t.Position)
			}
			ok = false
		}
		if !ok {
			// It is remembered, so that the end of its block can be told.
			d = tasks.Definition{File: file}
			if err := e.definitions.SaveDefinition(t.Name, &d); err != nil {
				return err
			}
		}
		if err := e.restore(opts, t, d, d.Said()); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(kept)) {
		d := kept[name]
		if d.File != (catalog.Digest{}) && !d.Destroy {
			opts.Log.Info("task is not in the configuration any more, what it made stays", "task", name)
			if err := e.definitions.SaveDefinition(name, nil); err != nil {
				return err
			}
			continue
		}
		if err := e.restore(opts, tasks.Task{Name: name}, d, true); err != nil {
			return err
		}
	}
	return nil
}

// identify gives the identity of a task's block in the configuration.
func identify(t tasks.Task, inherited tasks.Buffer) (catalog.Digest, error) {
	text, err := json.Marshal(httpapi.NewTask(t, &httpapi.Inherited{Buffer: inherited, Guard: t.Guard}))
	if err != nil {
		return catalog.Digest{}, fmt.Errorf("encode task %s: %w", t.Name, err)
	}
	if len(t.OldServices) > 0 {
		text = fmt.Append(text, t.OldServices)
	}
	return catalog.NewHasher().String(string(text), t.WorkingDir, fmt.Sprint(t.Guard, t.Buffer)).Sum(), nil
}

// saysGuard tells whether a kept definition has a guard.
func saysGuard(task json.RawMessage) bool {
	var said struct{ Guard *httpapi.Guard }
	return json.Unmarshal(task, &said) == nil && said.Guard != nil
}

// restore makes the runner of one task; over tells that the API's definition d
// counts instead of the block t.
func (e *engine) restore(opts Options, t tasks.Task, d tasks.Definition, over bool) error {
	if over && d.Removed && !d.Destroy {
		opts.Log.Info("task was deleted by the API, its block is ignored until it changes", "task", t.Name, "block", t.Position)
		return nil
	}
	if over {
		made, err := opts.Decode(opts.Config, d.Task)
		if err != nil {
			// Its definition is kept: the next start may be able to read it.
			opts.Log.Error("task made by the API cannot be read and does not run", "task", t.Name, "err", err)
			return nil
		}
		if t.Module != "" {
			made = inherit(made, t)
			if !saysGuard(d.Task) {
				made.Guard = t.Guard
			}
		}
		t = made
	}
	w, err := e.hire(t)
	if err != nil {
		return err
	}
	record, recent, err := e.past(t.Name)
	if err != nil {
		return err
	}
	r := newRunner(w, e.source, record, recent)
	if over && d.Destroy {
		r.removal = &removal{destroy: true}
		r.want(tasks.Destroyed)
	}
	e.add(r)
	return nil
}
