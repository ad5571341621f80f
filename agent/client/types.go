package client

import (
	"patchbay/agent/internal/httpapi"
)

// The bodies of the API.
type (
	// State is a task as it stands.
	State = httpapi.State
	// Applied tells what of a task reached the devices last.
	Applied = httpapi.Applied
	// Task is a task as configured.
	Task = httpapi.Task
	// Condition is what starts a run of a task.
	Condition = httpapi.Condition
	// TaskStatus is a task's status with its events.
	TaskStatus = httpapi.TaskStatus
	// Summary counts tasks.
	Summary = httpapi.Summary
	// Readiness tells whether the agent is ready and what is missing.
	Readiness = httpapi.Readiness
	// Reload tells what a reload of the configuration changed.
	Reload = httpapi.Reload
	// ApproveRequest is a person's word for a held plan.
	ApproveRequest = httpapi.ApproveRequest
)

// Bounds of the API.
const (
	// MaxBy and MaxReason bound an [ApproveRequest], in bytes.
	MaxBy     = httpapi.MaxBy
	MaxReason = httpapi.MaxReason
	// DefaultRuns and MaxRuns bound [Client.Runs].
	DefaultRuns = httpapi.DefaultRuns
	MaxRuns     = httpapi.MaxRuns
)
