package terraform

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"patchbay/tasks"
	"patchbay/tasks/catalog"
)

// FilesOnly is a [tasks.Workspace] that writes a task's files and starts no process:
// init, plan and apply succeed at once, and a plan always has changes though it names
// none. It is what Consul-Terraform-Sync calls the client type development, for
// trying a configuration where there is no Terraform. The zero FilesOnly is ready.
type FilesOnly struct{}

var _ tasks.Workspace = FilesOnly{}

// Run implements [tasks.Workspace]. A changed root output stands for all changes,
// because it is the one that names no object.
func (FilesOnly) Run(ctx context.Context, files tasks.Files, review func(tasks.Plan) bool) (out tasks.Outcome, err error) {
	out.Took = map[tasks.Stage]time.Duration{}
	if err := checkFiles(files); err != nil {
		return out, err
	}
	root, err := openDir(files.Dir)
	if err != nil {
		return out, fmt.Errorf("open task directory: %w; make it writable for Patchbay or set another working_dir", err)
	}
	defer func() {
		err = errors.Join(err, blankSecrets(root, files.Root), root.RemoveAll(runDir), root.Close())
	}()
	if err := root.MkdirAll(runDir, 0o700); err != nil {
		return out, fmt.Errorf("make temporary directory: %w", err)
	}
	if err := writeFiles(root, files.Root); err != nil {
		return out, fmt.Errorf("write files in %s: %w", files.Dir, err)
	}
	if err := ctx.Err(); err != nil {
		return out, fmt.Errorf("plan: %w", err)
	}
	out.Plan = tasks.Plan{Outputs: true, Digest: catalog.NewHasher().String(files.Workspace).Sum()}
	out.Applied = review(out.Plan)
	return out, nil
}

// Remove implements [tasks.Workspace] for what Run made. What a Terraform left in the
// directory stays, and with it the directory.
func (FilesOnly) Remove(_ context.Context, files tasks.Files) error {
	root, err := os.OpenRoot(files.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open task directory: %w", err)
	}
	var errs []error
	for _, name := range slices.Concat(readManifest(root), []string{runDir, manifestName, tfvarsName}) {
		errs = append(errs, root.RemoveAll(name))
	}
	if err := errors.Join(append(errs, root.Close())...); err != nil {
		return fmt.Errorf("remove files of task %s: %w", files.Workspace, err)
	}
	_ = os.Remove(files.Dir) // it stays when others have files in it
	return nil
}
