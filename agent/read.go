package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"patchbay/tasks"
	"patchbay/tasks/catalog"
)

// consulWait is how long one run or operation waits for Consul to answer all
// queries of its task. A daemon's own runs wait for ever.
const consulWait = time.Minute

// read gives the task's data as Consul has it now. An error tells what Consul said
// of the answers that are missing, or is [tasks.ErrStopping].
func (w *worker) read(ctx context.Context, source catalog.Source) (catalog.Snapshot, error) {
	wait, cancel := context.WithTimeout(ctx, consulWait)
	defer cancel()
	snapshot, ok := <-source.Watch(wait, w.task.Wants())
	switch {
	case ok:
		return snapshot, nil
	case ctx.Err() != nil:
		return snapshot, tasks.ErrStopping
	}
	return snapshot, unanswered(w.missing)
}

// unanswered is the error of a task whose queries are not all answered; missing
// tells what Consul said, if it is known.
func unanswered(missing func() error) error {
	err := errors.New("it did not answer every query of the task")
	if missing != nil {
		err = errors.Join(err, missing())
	}
	return fmt.Errorf("unable to retrieve data from Consul: %w; nothing was planned: correct the task or what Consul complains of", err)
}

// firstFailure waits until a task has failed in its first pass or, after a minute,
// still has no data to be run with; nil when ctx ends first.
func (e *engine) firstFailure(ctx context.Context) error {
	late := time.NewTimer(consulWait)
	defer late.Stop()
	for {
		select {
		case err := <-e.failed:
			return err
		case <-late.C:
			for _, r := range e.all() {
				if r.state.Load().Task.Enabled && !r.answered.Load() {
					return fmt.Errorf("run task %s: %w", r.name, unanswered(e.missing))
				}
			}
		case <-ctx.Done():
			return nil
		}
	}
}
