package agent

import (
	"context"
	"errors"
	"slices"

	"patchbay/agent/config"
	"patchbay/tasks"
	"patchbay/tasks/catalog"
)

// reload takes a changed configuration over: new tasks begin, changed ones begin
// anew, and tasks whose block is gone end; what they made stays. Everything else
// needs a restart.
func (e *engine) reload(soft, hard context.Context, opts Options) error {
	e.rehire(opts.Config)
	kept, err := e.definitions.Definitions()
	if err != nil {
		return err
	}
	var failures []error
	for _, t := range opts.Config.Tasks {
		failures = append(failures, e.reloadTask(soft, hard, opts, t, kept[t.Name]))
	}
	for _, r := range e.all() {
		gone := !slices.ContainsFunc(opts.Config.Tasks, func(t tasks.Task) bool { return t.Name == r.name })
		if gone && e.fileDigest(r.name) != (catalog.Digest{}) {
			opts.Log.Info("task is not in the configuration any more, what it made stays", "task", r.name)
			e.setFile(r.name, catalog.Digest{}) // first: its end looks whether a block is left
			_, err := e.command(soft, r.name, command{remove: &removal{keep: func() error { return nil }}})
			failures = append(failures, err)
		}
	}
	return errors.Join(failures...)
}

// reloadTask begins a task whose block is new or changed.
func (e *engine) reloadTask(soft, hard context.Context, opts Options, t tasks.Task, kept tasks.Definition) error {
	file, err := identify(t, opts.Config.Buffer)
	if err != nil || file == e.fileDigest(t.Name) {
		return err
	}
	e.setFile(t.Name, file)
	if kept.File != file {
		kept = tasks.Definition{File: file}
		if err := e.definitions.SaveDefinition(t.Name, &kept); err != nil {
			return err
		}
	}
	if _, ok := e.find(t.Name); ok {
		w, err := e.hire(t)
		if err != nil {
			return err
		}
		opts.Log.Info("task was changed in the configuration", "task", t.Name, "block", t.Position)
		_, err = e.command(soft, t.Name, command{swap: w})
		return err
	}
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

// restarts tells what of a changed configuration only a restart takes over.
func restarts(before, after config.Config) bool {
	same := before.Consul == after.Consul && before.WorkingDir == after.WorkingDir && before.ID == after.ID &&
		before.Port == after.Port && before.API == after.API && before.MaxParallelTasks == after.MaxParallelTasks &&
		before.ShutdownGrace == after.ShutdownGrace && before.History == after.History && before.Vault == after.Vault &&
		before.Driver.Binary == after.Driver.Binary && before.Driver.Version == after.Driver.Version && before.Driver.Path == after.Driver.Path &&
		before.Driver.Log == after.Driver.Log && before.Driver.PersistLog == after.Driver.PersistLog &&
		before.LogLevel == after.LogLevel && before.LogFormat == after.LogFormat
	return !same
}
