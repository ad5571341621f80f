package terraform

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"patchbay/tasks"
)

// ErrNoState tells that the backend has no workspace of the task.
var ErrNoState = errors.New("the backend has no state of the task")

// statesName is where a local backend keeps the states of workspaces.
const statesName = "terraform.tfstate.d"

// ReadOnly plans in directories of its own beside another tool that owns the
// state. It has no way to apply: it takes no lock, makes no workspace and writes
// no state. It may be used like a [Runner].
type ReadOnly struct{ runner *Runner }

// NewReadOnly makes a ReadOnly of an executable that [Find] gave.
func NewReadOnly(b Binary, o Options) *ReadOnly { return &ReadOnly{runner: New(b, o)} }

// Copied is what a plan takes over from the directory that it is compared with.
type Copied struct {
	// Lock is the lock file of the providers; nil is none.
	Lock []byte
	// Local tells that the state is State, nil for none, whatever the backend
	// says: files have no backend block then.
	Local bool
	State []byte
}

// Plan plans files in files.Dir, which is empty or was planned in before, must not be
// the task's directory, and is the caller's to remove: it holds secrets. Without a state in the backend
// the error is [ErrNoState]. Some backends lock whatever the command says, consul
// among them: files must turn that off.
func (r *ReadOnly) Plan(ctx context.Context, files tasks.Files, copied Copied) (p tasks.Plan, err error) {
	out := tasks.Outcome{Took: map[tasks.Stage]time.Duration{}}
	if err := checkFiles(files); err != nil {
		return p, err
	}
	j, err := r.runner.open(ctx, files, &out)
	if err != nil {
		return p, err
	}
	defer func() {
		r.runner.mu.Lock()
		delete(r.runner.commands, files.Dir)
		r.runner.mu.Unlock()
		err = errors.Join(err, j.close())
	}()
	// An init that planning asks for would make a workspace.
	j.unlocked, j.initialised = true, true
	if err := j.settle(copied); err != nil {
		return p, fmt.Errorf("write files in %s: %w", files.Dir, err)
	}
	if err := j.connect(ctx); err != nil {
		return p, err
	}
	if err := j.plan(ctx); err != nil {
		return p, err
	}
	return out.Plan, nil
}

// settle writes the files, what was copied, and which workspace to use: so
// Terraform never looks at another one's state.
func (j *job) settle(copied Copied) error {
	if err := writeFiles(j.root, j.files.Root); err != nil {
		return err
	}
	if err := putFile(j.root, environmentName, []byte(j.files.Workspace), fileMode); err != nil {
		return err
	}
	if copied.Lock != nil {
		if err := putFile(j.root, lockName, copied.Lock, fileMode); err != nil {
			return err
		}
	}
	if !copied.Local || j.files.Workspace == "default" {
		return nil
	}
	own := filepath.Join(statesName, j.files.Workspace)
	if copied.State == nil {
		return j.root.MkdirAll(own, 0o700) // a directory is a workspace
	}
	return putFile(j.root, filepath.Join(own, "terraform.tfstate"), copied.State, secretMode)
}

// connect runs init, which chooses another workspace or fails when the task's is
// not there.
func (j *job) connect(ctx context.Context) error {
	if err := j.options.CPU.Acquire(ctx, 1); err != nil {
		return j.failed(ctx, tasks.StageInit, err, nil)
	}
	defer j.options.CPU.Release(1)
	if j.oneInit != nil {
		if err := j.oneInit.Acquire(ctx, 1); err != nil {
			return j.failed(ctx, tasks.StageInit, err, nil)
		}
		defer j.oneInit.Release(1)
	}
	j.tf.SetStdout(&lines{job: j})
	err := j.tf.Init(ctx)
	if !finished(err) {
		if !isStop(err) && strings.Contains(err.Error(), "Currently selected workspace") {
			return ErrNoState
		}
		return j.failed(ctx, tasks.StageInit, err, nil)
	}
	if remembered(j.root) != j.files.Workspace {
		return ErrNoState
	}
	if err := j.tf.SetEnv(j.environ()); err != nil { // providers may be there now
		return fmt.Errorf("set environment: %w", err)
	}
	return nil
}
