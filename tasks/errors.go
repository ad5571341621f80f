package tasks

import "errors"

// Errors that an operator's request can meet; the API tells them apart.
var (
	ErrUnknownTask  = errors.New("no such task")
	ErrDisabledTask = errors.New("the task is disabled")
	ErrNothingHeld  = errors.New("no plan of the task is held")
	ErrOtherPlan    = errors.New("another plan is held now")
	ErrTaskExists   = errors.New("a task of that name exists")
	ErrTaskBusy     = errors.New("the task is active")
	ErrHeld         = errors.New("the plan is held")
	ErrStopping     = errors.New("the agent is stopping")
)
