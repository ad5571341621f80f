package tasks

// Status is how a task does, folded from its newest runs as CTS folds its events.
type Status string

// The states that the API knows.
const (
	// StatusUnknown: no run yet.
	StatusUnknown Status = "unknown"
	// StatusSuccessful: the newest run succeeded.
	StatusSuccessful Status = "successful"
	// StatusErrored: the newest run failed, the ones before did not.
	StatusErrored Status = "errored"
	// StatusCritical: the newest run failed and another one too.
	StatusCritical Status = "critical"
)

// EventRuns is how many of the newest runs make the status (CTS keeps 5 events).
const EventRuns = 5

// Counts tells whether a run is one of those that make the status: not one that
// only inspected, waits for its first attempt or was stopped on request.
func (r Run) Counts() bool {
	return r.Phase.Success() || r.Phase == Failed || r.Phase == Held || r.Phase == Retrying
}

// Fold makes the status of runs, newest first. A held run is neither success nor
// failure: the devices are as they were before it.
func Fold(runs []Run) Status {
	failed, seen, newestFailed := 0, 0, false
	for _, r := range runs {
		if !r.Counts() || r.Phase == Held {
			continue
		}
		if seen++; seen > EventRuns {
			break
		}
		if r.Phase.Success() {
			continue
		}
		failed++
		newestFailed = newestFailed || seen == 1
	}
	switch {
	case seen == 0:
		return StatusUnknown
	case !newestFailed:
		return StatusSuccessful
	case failed > 1:
		return StatusCritical
	}
	return StatusErrored
}

// State is a task as it stands: what the API and the CLI show.
type State struct {
	Task   Task
	Status Status
	// Newest is the newest run, under way or ended; nil before the first.
	Newest *Run
	Record Record
	// Note is one plain sentence of what the task waits for; "" when for nothing
	// but a change.
	Note string
}
