package agent

import (
	"context"
	"fmt"
	"slices"
	"time"

	"patchbay/agent/internal/afterapply"
	"patchbay/tasks"
)

// stageAfterApply is the time of what the task's providers need after an apply.
const stageAfterApply tasks.Stage = "after-apply"

// Some devices take over what Terraform wrote only once it is committed. Until then
// a commit is owed: the record's applied input has no run, as that of an earlier
// tool has none, for no run of Patchbay is known to have reached the devices wholly.
// That is on disk before the first apply begins and goes only when a commit
// succeeded, so that neither a failure nor a kill can lose it; at worst there is one
// commit too many, which changes nothing.

// owes tells whether a commit is owed.
func (a *attempt) owes() bool { return a.record.Applied == nil || a.record.Applied.Run == "" }

// owe notes that a commit is owed, for a task whose devices need one.
func (a *attempt) owe() error {
	if a.owes() || !slices.ContainsFunc(a.providers, afterapply.Commits) {
		return nil
	}
	applied := *a.record.Applied // the runner holds it too
	applied.Run = ""
	a.record.Applied = &applied
	if err := a.store.SaveRecord(a.task.Name, a.record); err != nil {
		return fmt.Errorf("record that a commit is owed: %w", err)
	}
	a.recorded = true
	return nil
}

// takeOver makes the devices take over what Terraform wrote, where its providers
// leave that to the agent. Nothing is committed while a plan is held: the device may
// hold half of it.
func (a *attempt) takeOver(ctx context.Context, outcome tasks.Outcome) error {
	if a.inspect || a.reviewed && !outcome.Applied || !slices.ContainsFunc(a.providers, afterapply.Has) {
		return nil
	}
	if !a.reviewed && !a.commit() {
		return tasks.ErrStopping
	}
	started := a.now()
	err := a.steps.Run(ctx, a.log, afterapply.Request{Task: a.task.Name, Providers: a.providers, Commit: outcome.Applied || a.owes()})
	if a.run.Took == nil {
		a.run.Took = map[tasks.Stage]time.Duration{}
	}
	a.run.Took[stageAfterApply] = a.now().Sub(started)
	return err
}
