package afterapply

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"

	"patchbay/tasks"

	"github.com/hashicorp/go-hclog"
	"github.com/zclconf/go-cty/cty"
)

// The providers that have steps.
const (
	panos    = "panos"
	fakeSync = "fake-sync"
)

// Request is one run of a task whose plan was applied.
type Request struct {
	Task string
	// Providers are the task's blocks with their values filled in.
	Providers []tasks.Provider
	// Commit is false when nothing was applied and nothing waits for a commit.
	Commit bool
}

// Steps are the steps of one task. The zero Steps are ready; one run at a time.
type Steps struct {
	// Getenv gives a variable of the environment, "" when it is not set; nil reads
	// that of the process.
	Getenv func(name string) string

	ran    bool           // fake-sync has run before
	roots  *x509.CertPool // nil: the system's
	wait   time.Duration  // between the first two looks at a job; 0 is firstLook
	commit func(ctx context.Context, d device, description string) (job, error)
}

// Commits tells whether the changes of a block wait on the device for a commit that
// these steps make.
func Commits(p tasks.Provider) bool {
	return p.Name == panos && flag(arguments(p)["auto_commit"])
}

// Has tells whether a block has any step after an apply.
func Has(p tasks.Provider) bool { return p.Name == fakeSync || Commits(p) }

// Run makes the steps of all blocks in their order, whatever becomes of the others,
// and returns all errors. It ends early with the error of ctx; a commit that the
// device has begun goes on there.
func (s *Steps) Run(ctx context.Context, log hclog.Logger, r Request) error {
	var failures []error
	for _, p := range r.Providers {
		switch {
		case p.Name == fakeSync:
			failures = append(failures, s.pretend(p))
		case Commits(p) && r.Commit:
			failures = append(failures, s.publish(ctx, log, r.Task, p))
		}
	}
	return errors.Join(failures...)
}

// pretend is the step of fake-sync: it fails when its block says so, with
// success_first from the second time on. The text is what scripts look for.
func (s *Steps) pretend(p tasks.Provider) error {
	a := arguments(p)
	first := !s.ran
	s.ran = true
	if !flag(a["err"]) || first && flag(a["success_first"]) {
		return nil
	}
	return fmt.Errorf("error %s", text(a["name"]))
}

// publish commits the changes of the block's user.
func (s *Steps) publish(ctx context.Context, log hclog.Logger, task string, p tasks.Provider) error {
	getenv := s.Getenv
	if getenv == nil {
		getenv = os.Getenv
	}
	d, err := newDevice(arguments(p), getenv)
	if err != nil {
		return fmt.Errorf("commit changes for provider %s: %w", p.ID(), err)
	}
	commit := s.commit
	if commit == nil {
		commit = s.commitOn
	}
	started := time.Now()
	done, err := commit(ctx, d, "Patchbay: task "+task)
	if err != nil {
		return fmt.Errorf("commit changes of %s on %s: %w; Terraform has written them, they take effect once a commit succeeds; Patchbay tries again",
			printable(d.username), printable(d.hostname), err)
	}
	if done.ID == "" {
		log.Info("nothing was left to commit", "task", task, "provider", p.ID(), "device", printable(d.hostname), "user", printable(d.username))
		return nil
	}
	log.Info("changes were committed", "task", task, "provider", p.ID(), "device", printable(d.hostname), "user", printable(d.username),
		"job", done.ID, "warnings", len(done.Warnings), "took", time.Since(started).Round(time.Millisecond).String())
	return nil
}

// arguments gives the attributes of a block.
func arguments(p tasks.Provider) map[string]cty.Value {
	v := p.Arguments.Reveal()
	if v == cty.NilVal || v.IsNull() || !v.Type().IsObjectType() {
		return nil
	}
	return v.AsValueMap()
}

// flag is true for the boolean true alone.
func flag(v cty.Value) bool {
	return v != cty.NilVal && v.Type() == cty.Bool && !v.IsNull() && v.IsKnown() && v.True()
}
