package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"patchbay/agent/internal/httpapi"
	"patchbay/tasks"
)

type failure = httpapi.Failure

// Health asks whether the agent lives; nil means yes.
func (c *Client) Health(ctx context.Context) error {
	return c.get(ctx, &struct{}{}, nil, "v1", "health")
}

// Ready asks whether the agent did its first pass and Consul answers. Not being
// ready is an answer and no error.
func (c *Client) Ready(ctx context.Context) (Readiness, error) {
	status, answer, err := c.send(ctx, http.MethodGet, nil, nil, "v1", "health", "ready")
	if err != nil {
		return Readiness{}, err
	}
	var r Readiness
	if status != http.StatusOK && status != http.StatusServiceUnavailable {
		return r, refusal(status, answer)
	}
	if err := decode(answer, &r); err != nil {
		return r, err
	}
	if !r.Ready && len(r.Reasons) == 0 {
		return r, refusal(status, answer)
	}
	return r, nil
}

// Status counts the tasks by status.
func (c *Client) Status(ctx context.Context) (Summary, error) {
	var s Summary
	err := c.get(ctx, &s, nil, "v1", "status")
	return s, err
}

// TaskStatuses gives every task's status by name; with events, the newest runs
// that succeeded or failed too.
func (c *Client) TaskStatuses(ctx context.Context, events bool) (map[string]TaskStatus, error) {
	query := url.Values{}
	if events {
		query.Set("include", "events")
	}
	var s map[string]TaskStatus
	err := c.get(ctx, &s, query, "v1", "status", "tasks")
	return s, err
}

// Tasks lists the tasks as configured, in the order of the configuration.
func (c *Client) Tasks(ctx context.Context) ([]Task, error) {
	var out httpapi.TaskList
	err := c.get(ctx, &out, nil, "v1", "tasks")
	return out.Tasks, err
}

// States lists the tasks as they stand, in the order of the configuration.
func (c *Client) States(ctx context.Context) ([]State, error) {
	var out httpapi.StateList
	err := c.get(ctx, &out, nil, "v1", "state")
	return out.Tasks, err
}

// State gives one task as it stands. An unknown task is an [*Error] with status 404.
func (c *Client) State(ctx context.Context, task string) (State, error) {
	var out httpapi.OneState
	err := c.get(ctx, &out, nil, "v1", "tasks", task, "state")
	return out.State, err
}

// Runs lists the newest runs of a task, newest first: at most limit, which is 1
// to [MaxRuns].
func (c *Client) Runs(ctx context.Context, task string, limit int) ([]tasks.Run, error) {
	var out httpapi.RunList
	err := c.get(ctx, &out, url.Values{"limit": {strconv.Itoa(limit)}}, "v1", "tasks", task, "runs")
	return out.Runs, err
}

// Run gives one run of a task. An unknown one is an [*Error] with status 404.
func (c *Client) Run(ctx context.Context, task, id string) (tasks.Run, error) {
	var out httpapi.OneRun
	err := c.get(ctx, &out, nil, "v1", "tasks", task, "runs", id)
	return out.Run, err
}

// Approve lets a held plan through and gives what was approved. When another
// plan than r.Changes is held now, it is an [*Error] with status 409.
func (c *Client) Approve(ctx context.Context, task string, r ApproveRequest) (tasks.HeldPlan, error) {
	var out httpapi.ApproveAnswer
	err := c.post(ctx, r, &out, "v1", "tasks", task, "approve")
	return out.Approved, err
}

// RunNow asks for a run and returns when it is accepted, not when it has ended.
func (c *Client) RunNow(ctx context.Context, task string) error {
	return c.post(ctx, nil, &httpapi.Accepted{}, "v1", "tasks", task, "run")
}

// Reload lets the agent read its configuration anew and tells what that changed.
// Files with mistakes are an [*Error] with status 400 and a line for each; then
// nothing was changed.
func (c *Client) Reload(ctx context.Context) (Reload, error) {
	var out Reload
	err := c.post(ctx, nil, &out, "v1", "reload")
	return out, err
}
