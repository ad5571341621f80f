package httpapi

import (
	"time"

	"patchbay/tasks"
	"patchbay/tasks/catalog"
)

// ApproveRequest is the body of POST /v1/tasks/{name}/approve: a person's word for
// a held plan.
type ApproveRequest struct {
	// By names the person: one line of at most [MaxBy] bytes, "" when unknown.
	By string `json:"by,omitempty"`
	// Reason is free text of at most [MaxReason] bytes.
	Reason string `json:"reason,omitempty"`
	// Changes names the plan that was looked at, as [tasks.HeldPlan] has it;
	// zero means whatever is held now.
	Changes catalog.Digest `json:"changes,omitzero"`
}

// Bounds of an [ApproveRequest], in bytes.
const (
	MaxBy     = 256
	MaxReason = 4096
)

// The number of runs that GET /v1/tasks/{name}/runs lists: by default and at most.
const (
	DefaultRuns = 20
	MaxRuns     = 1000
)

// Failure is the body of every answer that is not a success, but for unknown
// paths, which answer plain text.
type Failure struct {
	Error     Message `json:"error"`
	RequestID string  `json:"request_id,omitempty"`
}

// Message is the text of an error.
type Message struct {
	Message string `json:"message"`
}

// Readiness answers GET /v1/health/ready: with 200 when ready, else with 503.
type Readiness struct {
	Ready bool `json:"ready"`
	// Reasons are plain sentences; none when ready.
	Reasons []string `json:"reasons,omitempty"`
}

// Summary answers GET /v1/status.
type Summary struct {
	Tasks TaskSummary `json:"task_summary"`
}

// TaskSummary counts tasks.
type TaskSummary struct {
	Status  StatusCount  `json:"status"`
	Enabled EnabledCount `json:"enabled"`
}

// StatusCount counts tasks by [tasks.Status].
type StatusCount struct {
	Successful int `json:"successful"`
	Errored    int `json:"errored"`
	Critical   int `json:"critical"`
	Unknown    int `json:"unknown"`
}

// EnabledCount counts enabled and disabled tasks.
type EnabledCount struct {
	True  int `json:"true"`
	False int `json:"false"`
}

// TaskStatus is one entry of GET /v1/status/tasks[/{name}], which answers a
// map[string]TaskStatus by task name.
type TaskStatus struct {
	TaskName string       `json:"task_name"`
	Status   tasks.Status `json:"status"`
	Enabled  bool         `json:"enabled"`
	// EventsURL is "" when there are no events.
	EventsURL string `json:"events_url"`
	// Events are the newest [tasks.EventRuns], newest first; only when asked for
	// by ?include=events.
	Events    []Event  `json:"events,omitempty"`
	Providers []string `json:"providers"`
	// Services are the names of CTS's old services list; empty for tasks without.
	Services []string `json:"services"`
}

// Event is a run as CTS tells it: one that succeeded or failed. A held run makes
// no event.
type Event struct {
	ID        string    `json:"id"`
	Success   bool      `json:"success"`
	StartTime time.Time `json:"start_time"`
	EndTime   time.Time `json:"end_time"`
	TaskName  string    `json:"task_name"`
	// Error is null on success.
	Error  *Message    `json:"error"`
	Config EventConfig `json:"config"`
}

// EventConfig is what of the task's configuration an event keeps.
type EventConfig struct {
	Providers []string `json:"providers"`
	Services  []string `json:"services"`
	// Source is the resolved module.
	Source string `json:"source"`
}

// TaskList answers GET /v1/tasks, in the order of the configuration.
type TaskList struct {
	RequestID string `json:"request_id"`
	Tasks     []Task `json:"tasks"`
}

// OneTask answers GET /v1/tasks/{name} and, with 201, POST /v1/tasks.
type OneTask struct {
	RequestID string `json:"request_id"`
	Task      Task   `json:"task"`
}

// Inspected is what an inspection found.
type Inspected struct {
	ChangesPresent bool `json:"changes_present"`
	// Plan is Terraform's text; "" when nothing would change.
	Plan string `json:"plan"`
}

// InspectedTask answers POST /v1/tasks?run=inspect.
type InspectedTask struct {
	RequestID string `json:"request_id"`
	// Task is what was sent, with the condition's defaults.
	Task map[string]any `json:"task"`
	Run  Inspected      `json:"run"`
}

// Inspection answers PATCH /v1/tasks/{name}?run=inspect.
type Inspection struct {
	Inspect Inspected `json:"inspect"`
}

// StateList answers GET /v1/state, in the order of the configuration.
type StateList struct {
	RequestID string  `json:"request_id"`
	Tasks     []State `json:"tasks"`
}

// OneState answers GET /v1/tasks/{name}/state.
type OneState struct {
	RequestID string `json:"request_id"`
	State     State  `json:"state"`
}

// RunList answers GET /v1/tasks/{name}/runs, newest first.
type RunList struct {
	RequestID string      `json:"request_id"`
	Runs      []tasks.Run `json:"runs"`
}

// OneRun answers GET /v1/tasks/{name}/runs/{id}.
type OneRun struct {
	RequestID string    `json:"request_id"`
	Run       tasks.Run `json:"run"`
}

// ApproveAnswer answers POST /v1/tasks/{name}/approve with 200: what was approved.
type ApproveAnswer struct {
	RequestID string         `json:"request_id"`
	Approved  tasks.HeldPlan `json:"approved"`
}

// Reload answers POST /v1/reload. Its lists are empty rather than null.
type Reload struct {
	RequestID string `json:"request_id"`
	// Changes are plain sentences without secrets; none when the files say what
	// they said before.
	Changes []string `json:"changes"`
	// Restart names the settings whose values only a restart takes over, those of
	// earlier reloads too.
	Restart []string `json:"restart"`
	// Warnings are notes on accepted but doubtful settings, with file and line.
	Warnings []string `json:"warnings"`
}

// Accepted answers with 202: POST /v1/tasks/{name}/run, the run will start, and
// DELETE /v1/tasks/{name}, the task will go.
type Accepted struct {
	RequestID string `json:"request_id"`
}
