package agent

import (
	"fmt"
	"time"

	"patchbay/tasks"

	"github.com/hashicorp/cronexpr"
)

// compileSchedule reads a task's cron expression; nil for a task without.
func compileSchedule(t tasks.Task) (*cronexpr.Expression, error) {
	if t.Condition.Schedule == nil {
		return nil, nil
	}
	e, err := cronexpr.Parse(t.Condition.Schedule.Cron)
	if err != nil {
		return nil, fmt.Errorf("read schedule of task %s: %w", t.Name, err)
	}
	return e, nil
}

// next is the task's next scheduled time; zero when there is none, as for a
// cron expression that names a day that never comes.
func (w *worker) next(after time.Time) time.Time {
	if w.schedule == nil {
		return time.Time{}
	}
	return w.schedule.Next(after)
}
