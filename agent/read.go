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
	err := errors.New("it did not answer every query of the task")
	if w.missing != nil {
		err = errors.Join(err, w.missing())
	}
	return snapshot, fmt.Errorf("unable to retrieve data from Consul: %w; nothing was planned: correct the task or what Consul complains of", err)
}
