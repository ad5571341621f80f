package terraform

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"patchbay/tasks"

	tfjson "github.com/hashicorp/terraform-json"
)

// ownDirs are what Terraform and Patchbay make in a task's directory besides the
// generated files. States of other workspaces stay.
var ownDirs = []string{".terraform", ".terraform.lock.hcl", runDir, manifestName, tfvarsName, logName, "modules"}

// Remove implements [tasks.Workspace]. Files that Patchbay did not make stay, and
// with them the directory.
func (r *Runner) Remove(ctx context.Context, files tasks.Files) error {
	if _, err := os.Stat(files.Dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	out := tasks.Outcome{Took: map[tasks.Stage]time.Duration{}}
	j, err := r.open(ctx, files, &out)
	if err != nil {
		return err
	}
	err = j.forget(ctx)
	if err == nil {
		j.files.Root = nil // nothing of it is to be blanked at the end
		err = j.clear()
	}
	if cerr := j.close(); cerr != nil {
		err = errors.Join(err, cerr)
	}
	if err != nil {
		return fmt.Errorf("remove workspace %s: %w", files.Workspace, err)
	}
	r.mu.Lock()
	delete(r.commands, files.Dir)
	r.mu.Unlock()
	if err := os.Remove(files.Dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.options.Log.Info("left the task's directory, it has files of others", "dir", files.Dir)
	}
	return nil
}

// forget deletes the workspace and its state; it is refused while the state holds
// objects. The files are written again, because a run leaves no backend in main.tf
// when that holds a credential.
func (j *job) forget(ctx context.Context) error {
	if _, err := j.root.Stat(".terraform"); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := writeFiles(j.root, j.files.Root); err != nil {
		return fmt.Errorf("write files: %w", err)
	}
	if j.files.Workspace == defaultWorkspace {
		return j.refuseObjects(ctx)
	}
	if err := j.tf.WorkspaceSelect(ctx, defaultWorkspace); !finished(err) {
		return j.failed(ctx, tasks.StageInit, err, nil)
	}
	err := j.tf.WorkspaceDelete(ctx, j.files.Workspace)
	if finished(err) || !isStop(err) && strings.Contains(err.Error(), "doesn't exist") {
		return nil
	}
	// The next run must find its workspace again.
	if serr := j.tf.WorkspaceSelect(ctx, j.files.Workspace); !finished(serr) {
		j.options.Log.Warn("workspace was not chosen again", "task", j.files.Workspace)
	}
	return j.failed(ctx, tasks.StageInit, err, nil)
}

// refuseObjects is for the workspace that Terraform cannot delete: that of a
// backend without workspaces. Its state may stay when nothing is in it.
func (j *job) refuseObjects(ctx context.Context) error {
	state, err := j.tf.Show(ctx)
	if !finished(err) {
		return j.failed(ctx, tasks.StageInit, err, nil)
	}
	if state.Values == nil {
		return nil
	}
	if n := objects(state.Values.RootModule); n > 0 {
		return fmt.Errorf("check state: it still holds objects (%d); nothing was removed", n)
	}
	return nil
}

func objects(m *tfjson.StateModule) (n int) {
	if m == nil {
		return 0
	}
	for _, r := range m.Resources {
		if r.Mode == tfjson.ManagedResourceMode {
			n++
		}
	}
	for _, child := range m.ChildModules {
		n += objects(child)
	}
	return n
}

func (j *job) clear() error {
	for _, name := range slices.Concat(readManifest(j.root), ownDirs) {
		if err := j.root.RemoveAll(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove %s: %w", name, err)
		}
	}
	// Empty once no workspace has a state in it.
	if err := j.root.Remove("terraform.tfstate.d"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		j.options.Log.Debug("left states of other workspaces", "dir", j.files.Dir)
	}
	return nil
}
