package terraform

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"time"

	"patchbay/tasks"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/terraform-exec/tfexec"
	"golang.org/x/sync/semaphore"
)

// The defaults of [Options].
const (
	DefaultKillAfter   = time.Minute
	DefaultLockTimeout = 10 * time.Second
)

// Options tune a [Runner]. The zero Options are usable.
type Options struct {
	// CPU is taken with weight 1 around init, plan and show, not around apply,
	// which mostly waits for devices. nil bounds by the number of CPUs.
	CPU *semaphore.Weighted
	// Log gets one line per thing that a person should know; nil logs nothing.
	Log hclog.Logger
	// Output gets Terraform's readable output, scrubbed, line by line; nil drops it.
	Output io.Writer
	// PersistLog appends Terraform's TRACE log to terraform.log in each directory
	// (0600: it shows secrets).
	PersistLog bool
	// KillAfter is the time between the interrupt and the kill of a cancelled
	// command; 0 is [DefaultKillAfter].
	KillAfter time.Duration
	// LockTimeout is how long to wait for a state lock that another one holds; 0
	// is [DefaultLockTimeout].
	LockTimeout time.Duration
	// Text asks for Terraform's own plan text in every Outcome; one more command.
	Text bool
}

// Runner is the [tasks.Workspace] of this machine. Its methods may be called from
// several goroutines, for one directory from one at a time.
type Runner struct {
	options Options
	env     environment
	// oneInit is held around init when inits share a plugin cache.
	oneInit *semaphore.Weighted
	// alwaysShow closes the fast path; tests compare both.
	alwaysShow bool

	// mu guards what follows.
	mu     sync.Mutex
	binary Binary
	// commands are kept per directory: each asks for the version once.
	commands map[string]*tfexec.Terraform
	// warned are the variables that were told to be left out.
	warned map[string]bool

	// printing keeps lines of several tasks apart.
	printing sync.Mutex
}

var _ tasks.Workspace = (*Runner)(nil)

// New makes a Runner of an executable that [Find] gave. It takes the process's
// environment at this time.
func New(b Binary, o Options) *Runner {
	if o.CPU == nil {
		o.CPU = semaphore.NewWeighted(int64(runtime.NumCPU()))
	}
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if o.Output == nil {
		o.Output = io.Discard
	}
	o.KillAfter = cmp.Or(o.KillAfter, DefaultKillAfter)
	o.LockTimeout = cmp.Or(o.LockTimeout, DefaultLockTimeout)
	r := &Runner{
		options: o, binary: b, env: newEnvironment(os.Environ()),
		commands: map[string]*tfexec.Terraform{}, warned: map[string]bool{},
	}
	if r.env.sharedCache() {
		r.oneInit = semaphore.NewWeighted(1)
	}
	r.warn(r.env)
	return r
}

// warn tells once of every variable that is left out.
func (r *Runner) warn(e environment) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range e.names() {
		if !r.warned[k] {
			r.warned[k] = true
			r.options.Log.Warn("left an environment variable out", "name", k, "cause", e.dropped[k])
		}
	}
}

// Run implements [tasks.Workspace].
func (r *Runner) Run(ctx context.Context, files tasks.Files, review func(tasks.Plan) bool) (out tasks.Outcome, err error) {
	out.Took = map[tasks.Stage]time.Duration{}
	if err := checkFiles(files); err != nil {
		return out, err
	}
	j, err := r.open(ctx, files, &out)
	if err != nil {
		return out, err
	}
	defer func() {
		if cerr := j.close(); cerr != nil {
			r.options.Log.Warn("did not clean up after a run", "dir", files.Dir, "err", cerr)
		}
	}()
	if err := j.prepare(ctx); err != nil {
		return out, err
	}
	if err := j.plan(ctx); err != nil || out.Plan.Empty() {
		return out, err
	}
	if !review(out.Plan) {
		return out, nil
	}
	if err := j.apply(ctx); err != nil {
		return out, err
	}
	out.Applied = true
	return out, nil
}

// current is the executable as it is now; one that was replaced is asked for its
// version again.
func (r *Runner) current(ctx context.Context) (Binary, error) {
	r.mu.Lock()
	b := r.binary
	r.mu.Unlock()
	now, err := stampOf(b.Path)
	if err != nil {
		return b, fmt.Errorf("read executable: %w; install it again or set binary in driver \"terraform\"", err)
	}
	if now == b.stamp {
		return b, nil
	}
	fresh, err := probe(ctx, b.Path)
	if err != nil {
		return b, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.binary.stamp != fresh.stamp {
		r.options.Log.Info("found another executable", "path", fresh.Path, "version", fresh.Version)
		r.binary, r.commands = fresh, map[string]*tfexec.Terraform{}
	}
	return fresh, nil
}

// reuse gives the directory's value of terraform-exec, which knows the version.
func (r *Runner) reuse(b Binary, dir string) (*tfexec.Terraform, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if tf := r.commands[dir]; tf != nil && r.binary.stamp == b.stamp {
		return tf, nil
	}
	tf, err := tfexec.NewTerraform(dir, b.Path)
	if err != nil {
		return nil, fmt.Errorf("prepare commands: %w", err)
	}
	r.commands[dir] = tf
	return tf, nil
}
