package terraform

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"patchbay/tasks"

	"github.com/hashicorp/terraform-exec/tfexec"
)

const (
	// logName is Terraform's TRACE log in a task's directory.
	logName = "terraform.log"
	// leftState is where Terraform puts a state that it could not save.
	leftState = "errored.tfstate"

	// lightGC lets the heap of a short-lived Terraform grow to five times what is
	// alive before it is collected: a fifth of the time of a small run, for at most
	// about 100 MB more. Larger runs keep Go's default.
	lightGC = "400"
	// maxLight is the most bytes of a root module that counts as small.
	maxLight = 64 << 10
)

// job is one run in one directory.
type job struct {
	*Runner
	files  tasks.Files
	root   *os.Root
	tf     *tfexec.Terraform
	binary Binary
	scrub  scrubber
	out    *tasks.Outcome
	// sockets is the temporary directory of Terraform and its providers.
	sockets string
	// initialised is true when init ran in this job.
	initialised bool
	// unlocked plans without the state's lock; see [ReadOnly].
	unlocked bool
}

func (r *Runner) open(ctx context.Context, files tasks.Files, out *tasks.Outcome) (*job, error) {
	root, err := openDir(files.Dir)
	if err != nil {
		return nil, fmt.Errorf("open task directory: %w; make it writable for Patchbay or set another working_dir", err)
	}
	j := &job{Runner: r, files: files, root: root, scrub: newScrubber(files), out: out}
	if err := j.begin(ctx); err != nil {
		return nil, errors.Join(err, j.close())
	}
	return j, nil
}

// begin makes the temporary directories and the command.
func (j *job) begin(ctx context.Context) error {
	if err := j.refuseLeftState(); err != nil {
		return err
	}
	// A plan that a killed process left holds secrets.
	if err := j.root.RemoveAll(runDir); err != nil {
		return fmt.Errorf("remove old plan: %w", err)
	}
	if err := j.root.Mkdir(runDir, 0o700); err != nil {
		return fmt.Errorf("make directory for the plan: %w; make the task's directory writable for Patchbay", err)
	}
	sockets, err := os.MkdirTemp(shortTemp(), "patchbay-")
	if err != nil {
		return fmt.Errorf("make temporary directory: %w", err)
	}
	j.sockets = sockets
	return j.command(ctx)
}

// refuseLeftState stops before a state that Terraform could not save is forgotten:
// planning without it would make every object of it twice.
func (j *job) refuseLeftState() error {
	if _, err := j.root.Lstat(leftState); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fmt.Errorf("check for a left state: %s is there: an earlier apply could not save its state to the backend; nothing was planned or changed; "+
		"look at it, then run \"terraform state push %s\" in %s and remove the file, or remove it if the backend has a newer state",
		filepath.Join(j.files.Dir, leftState), leftState, j.files.Dir)
}

// shortTemp is a directory for sockets, whose path may have 108 bytes in all: 37
// of them are what go-plugin adds, 20 ours.
func shortTemp() string {
	if dir := os.TempDir(); len(dir) <= 48 {
		return dir
	}
	return "/tmp"
}

// command gives the job the directory's terraform-exec value, set for this run.
func (j *job) command(ctx context.Context) error {
	binary, err := j.current(ctx)
	if err != nil {
		return err
	}
	tf, err := j.reuse(binary, j.files.Dir)
	if err != nil {
		return err
	}
	j.binary, j.tf = binary, tf
	tf.SetStderr(&lines{job: j})
	env := j.environ()
	if j.options.PersistLog {
		f, err := j.openLog(filepath.Join(runDir, logName))
		if err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return fmt.Errorf("prepare Terraform's log: %w", err)
		}
		if err := tf.SetLogPath(filepath.Join(j.files.Dir, runDir, logName)); err != nil {
			return fmt.Errorf("set Terraform's log: %w", err)
		}
	}
	// Without TLS between Terraform and its providers each start of a provider is
	// 12 ms faster. The sockets are in a directory of mode 0700 instead.
	return errors.Join(tf.SetEnv(env), tf.SetDisablePluginTLS(true), tf.SetWaitDelay(j.options.KillAfter))
}

// environ is the process's environment, then the task's, then ours.
func (j *job) environ() map[string]string {
	env := maps.Clone(j.env.vars)
	var pairs []string
	for k, v := range j.files.Env {
		pairs = append(pairs, k+"="+v.Reveal())
	}
	task := newEnvironment(pairs)
	j.warn(task)
	maps.Copy(env, task.vars)
	env[envTmp] = j.sockets
	if j.env.vars[envGC] == "" && j.light() {
		env[envGC] = lightGC
	}
	return env
}

// light tells whether the run is small: little input and no provider process,
// which would inherit the setting.
func (j *job) light() bool {
	size := 0
	for _, f := range j.files.Root {
		size += len(f.Content)
	}
	_, err := j.root.Stat(dataDir + "/providers")
	return size <= maxLight && errors.Is(err, fs.ErrNotExist)
}

// openLog makes the log file before Terraform does, with the mode that its secrets
// ask for.
func (j *job) openLog(name string) (*os.File, error) {
	f, err := j.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, secretMode)
	if err != nil {
		return nil, fmt.Errorf("open Terraform's log: %w", err)
	}
	if err := f.Chmod(secretMode); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare Terraform's log: %w", err), f.Close())
	}
	return f, nil
}

// close removes what only a run may have: the plan, the sockets, secrets in files.
func (j *job) close() error {
	var errs []error
	if j.tf != nil {
		errs = append(errs, blankSecrets(j.root, j.files.Root))
		// The value outlives the run; the run's secrets must not.
		errs = append(errs, j.tf.SetEnv(map[string]string{}))
		j.tf.SetStdout(nil)
		j.tf.SetStderr(nil)
	}
	if j.options.PersistLog {
		errs = append(errs, j.keepLog())
	}
	errs = append(errs, j.root.RemoveAll(runDir))
	if j.sockets != "" {
		errs = append(errs, os.RemoveAll(j.sockets))
	}
	return errors.Join(append(errs, j.root.Close())...)
}

// keepLog appends what Terraform logged, scrubbed, to the log of all runs. Its TRACE
// log shows what providers are given.
func (j *job) keepLog() error {
	from, err := j.root.Open(filepath.Join(runDir, logName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nothing was run
	}
	if err != nil {
		return fmt.Errorf("keep log: %w", err)
	}
	defer from.Close()
	to, err := j.openLog(logName)
	if err != nil {
		return err
	}
	in, out := bufio.NewReader(from), bufio.NewWriter(to)
	for {
		line, err := in.ReadString('\n')
		if _, failed := out.WriteString(j.scrub.text(line)); failed != nil {
			break // Flush gives it
		}
		if err != nil {
			break
		}
	}
	return errors.Join(out.Flush(), to.Close())
}
