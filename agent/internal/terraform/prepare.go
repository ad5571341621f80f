package terraform

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"patchbay/tasks"
	"patchbay/tasks/catalog"

	"github.com/hashicorp/terraform-exec/tfexec"
)

// prepare writes the files and runs init when something that it depends on changed.
func (j *job) prepare(ctx context.Context) error {
	if err := writeFiles(j.root, j.files.Root); err != nil {
		return fmt.Errorf("write files in %s: %w", j.files.Dir, err)
	}
	have, want := readInitKey(j.root), newInitKey(j.root, j.files, j.binary)
	if have.same(want) && remembered(j.root) == j.files.Workspace {
		return nil
	}
	if have.Backend != (catalog.Digest{}) && have.Backend != want.Backend {
		j.options.Log.Warn("found another backend, left the state where it was",
			"task", j.files.Workspace, "dir", j.files.Dir,
			"hint", "move the state yourself if the new backend shall know the objects")
	}
	return j.initialise(ctx)
}

// took adds the time since start to a stage.
func (j *job) took(stage tasks.Stage, start time.Time) { j.out.Took[stage] += time.Since(start) }

// initialise runs init, chooses the workspace and remembers what it depended on.
func (j *job) initialise(ctx context.Context) error {
	defer j.took(tasks.StageInit, time.Now())
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
	have, want := readInitKey(j.root), newInitKey(j.root, j.files, j.binary)
	// Without a key an init that fails halfway is done again.
	if err := j.root.Remove(initKeyName); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove key of init: %w", err)
	}
	j.initialised = true
	j.tf.SetStdout(&lines{job: j})
	if err := j.init(ctx, have.Backend != want.Backend, want.backend); err != nil {
		return err
	}
	if err := j.choose(ctx); err != nil {
		return err
	}
	if err := j.tf.SetEnv(j.environ()); err != nil { // providers may be there now
		return fmt.Errorf("set environment: %w", err)
	}
	// Terraform keeps the backend's credentials there too.
	if err := j.root.Chmod(memoryName, secretMode); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("protect memory of backend: %w", err)
	}
	if err := writeInitKey(j.root, newInitKey(j.root, j.files, j.binary)); err != nil {
		return fmt.Errorf("write key of init: %w", err)
	}
	return nil
}

// init makes Terraform know modules, providers and the backend. A backend that
// changed is taken as it is: state is never moved by itself.
func (j *job) init(ctx context.Context, reconfigure bool, backend string) error {
	err := j.tf.Init(ctx, tfexec.Reconfigure(reconfigure))
	if !finished(err) && !isStop(err) && strings.Contains(err.Error(), "state migration") {
		if !strings.HasPrefix(backend, `backend "local"`) {
			return fmt.Errorf("%w\nNothing was changed. The directory has local state that the backend does not know, so all objects would be made again. "+
				"Move the state by terraform init -migrate-state in %s, or take terraform.tfstate and terraform.tfstate.d out of it",
				j.failed(ctx, tasks.StageInit, err, nil), j.files.Dir)
		}
		if err := j.remember(ctx, backend); err != nil {
			return err
		}
		err = j.tf.Init(ctx)
	}
	if !finished(err) && !isStop(err) && remembered(j.root) != defaultWorkspace && strings.Contains(err.Error(), "orkspace") {
		// The remembered workspace has no state any more and Terraform does not know
		// which one to take instead. It is made again afterwards.
		if rerr := j.root.Remove(environmentName); rerr != nil {
			return fmt.Errorf("forget workspace: %w", rerr)
		}
		err = j.tf.Init(ctx, tfexec.Reconfigure(reconfigure))
	}
	if !finished(err) {
		return j.failed(ctx, tasks.StageInit, err, nil)
	}
	return nil
}

// remember makes Terraform take the state of a local backend where it is. When
// .terraform was lost, init finds state in the directory and wants to move it to
// the same place, which it cannot without asking. What it lacks is only its
// memory of the backend, which an init in an empty directory makes.
func (j *job) remember(ctx context.Context, backend string) error {
	dir := filepath.Join(j.sockets, "backend")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("make directory: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "main.tf"), []byte("terraform {\n"+backend+"\n}\n"), secretMode); err != nil {
		return fmt.Errorf("write backend: %w", err)
	}
	tf, err := tfexec.NewTerraform(dir, j.binary.Path)
	if err != nil {
		return fmt.Errorf("prepare init: %w", err)
	}
	if err := errors.Join(tf.SetEnv(j.environ()), tf.SetWaitDelay(j.options.KillAfter)); err != nil {
		return fmt.Errorf("prepare init: %w", err)
	}
	if err := tf.Init(ctx); !finished(err) {
		return j.failed(ctx, tasks.StageInit, err, nil)
	}
	memory, err := os.ReadFile(filepath.Join(dir, memoryName))
	if err != nil {
		return fmt.Errorf("read memory of backend: %w", err)
	}
	if err := putFile(j.root, memoryName, memory, secretMode); err != nil {
		return fmt.Errorf("write memory of backend: %w", err)
	}
	return nil
}

// choose makes the task's workspace the remembered one, and makes it if it is not
// there.
func (j *job) choose(ctx context.Context) error {
	if remembered(j.root) == j.files.Workspace {
		return nil
	}
	err := j.tf.WorkspaceSelect(ctx, j.files.Workspace)
	if finished(err) {
		return nil
	}
	if isStop(err) || !strings.Contains(err.Error(), "doesn't exist") {
		return j.failed(ctx, tasks.StageInit, err, nil)
	}
	if err := j.tf.WorkspaceNew(ctx, j.files.Workspace, tfexec.LockTimeout(j.options.LockTimeout.String())); !finished(err) {
		return j.failed(ctx, tasks.StageInit, err, nil)
	}
	return nil
}
