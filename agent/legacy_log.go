package agent

import (
	"fmt"

	"patchbay/tasks"

	"github.com/hashicorp/go-hclog"
)

// legacyLog writes the lines about runs that scripts of Consul-Terraform-Sync's
// users look for, beside those of Patchbay. A nil one writes nothing.
type legacyLog struct{ log hclog.Logger }

func newLegacyLog(opts Options) *legacyLog {
	if !opts.Legacy {
		return nil
	}
	return &legacyLog{log: opts.Log.Named("tasksmanager")}
}

func (l *legacyLog) began(task string) {
	if l != nil {
		l.log.Info("executing task", "task_name", task)
	}
}

// ended tells of an attempt. One whose plan is held has neither completed nor
// failed.
func (l *legacyLog) ended(run tasks.Run, err error) {
	switch {
	case l == nil:
	case err != nil:
		l.log.Error("error running task", "task_name", run.Task, "error", fmt.Errorf("could not apply changes for task %s: %w", run.Task, err))
	case run.Phase.Success():
		l.log.Info("task completed", "task_name", run.Task)
	}
}
