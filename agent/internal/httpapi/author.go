package httpapi

import (
	"context"
	"encoding/json"

	"patchbay/tasks"
)

// Author makes, changes and removes tasks; a context ends when who asked has gone,
// which is no reason to break off an apply. Its errors may wrap
// [tasks.ErrTaskExists], [tasks.ErrUnknownTask], [tasks.ErrTaskBusy] or
// [tasks.ErrStopping]; any other is told with its text.
type Author interface {
	// Create sets a task up; with [tasks.RunNow] it also applies it, and when that
	// fails there is no task. With [tasks.RunInspect] nothing stays.
	Create(ctx context.Context, t tasks.Task, mode tasks.RunMode) (tasks.Operation, error)
	// Replace changes the task of t.Name, all of it or nothing.
	Replace(ctx context.Context, t tasks.Task, mode tasks.RunMode) (tasks.Operation, error)
	// Remove forgets a task: at once when it is idle, else when its run has ended.
	// With destroy, what it made is destroyed first, and its files and state go.
	Remove(ctx context.Context, name string, destroy bool) error
}

// Reloader puts the configuration in force as its files are now.
type Reloader interface {
	// Reload tells what that changed. A [*config.Error] has every mistake of the
	// files, and then nothing was changed; so too with [tasks.ErrStopping]. Of any
	// other error a part may be in force.
	Reload(ctx context.Context) (Reload, error)
}

// Feed tells of changes.
type Feed interface {
	// Events sends every change of any task's state, the first state of a new task
	// and the last one of a task that is gone, of which the Reader knows then
	// already. A receiver that does not keep
	// up gets the newest state of each task only. The channel is closed when ctx ends.
	Events(ctx context.Context) <-chan tasks.State
}

// Decode reads the contract's task object, {"name": …, "module": …}, fills in
// defaults and reports all problems in one error.
type Decode func(task json.RawMessage) (tasks.Task, error)

// Remote says who may write from another host. Its zero value lets nobody.
type Remote struct {
	// Token lets in a request that brings it as "Authorization: Bearer"; "" is none.
	Token tasks.Secret
	// Allow lets every request in.
	Allow bool
	// MTLS tells that the listener lets only verified client certificates connect;
	// such a client may write.
	MTLS bool
}
