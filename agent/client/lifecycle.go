package client

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"patchbay/tasks"
)

// Fields are a task's fields as the API names them, such as "module" or
// "condition". Only those that are there are sent.
type Fields map[string]any

// Inspection is what a request would change, or changed, on the devices.
type Inspection struct {
	ChangesPresent bool `json:"changes_present"`
	// Plan is Terraform's text: not trusted, escape it before a terminal.
	Plan string `json:"plan"`
	// RemoteURL shows a run in Terraform Cloud; "" for a local one.
	RemoteURL string `json:"tfc_run_url,omitempty"`
}

// Created answers [Client.CreateTask].
type Created struct {
	RequestID string `json:"request_id"`
	Task      Task   `json:"task"`
	// Run is nil unless the run was asked for with [tasks.RunInspect].
	Run *Inspection `json:"run,omitempty"`
}

// createRequest is the body of POST /v1/tasks.
type createRequest struct {
	Task Fields `json:"task"`
}

// CreateTask makes a task. With [tasks.RunNow] it returns when the task was
// applied, with [tasks.RunInspect] it makes none and tells what one would do.
func (c *Client) CreateTask(ctx context.Context, task Fields, run tasks.RunMode) (Created, error) {
	var out Created
	err := c.do(ctx, http.MethodPost, createRequest{task}, &out, mode(run), "v1", "tasks")
	return out, err
}

// PatchTask changes fields of a task: enabled and any other. With
// [tasks.RunInspect] it changes nothing, and the answer tells what the changed
// task would do; it is nil with another mode. A refusal is told in the short form
// of [Error], as Consul-Terraform-Sync does.
func (c *Client) PatchTask(ctx context.Context, task string, changes Fields, run tasks.RunMode) (*Inspection, error) {
	var out struct {
		Inspect *Inspection `json:"inspect"`
	}
	err := c.do(ctx, http.MethodPatch, changes, &out, mode(run), "v1", "tasks", task)
	if e, ok := errors.AsType[*Error](err); ok {
		e.Short = true
	}
	return out.Inspect, err
}

// DeleteTask removes a task: at once, or when its run has ended. With destroy the
// agent first destroys what the task made, then removes workspace, state and files.
func (c *Client) DeleteTask(ctx context.Context, task string, destroy bool) error {
	query := url.Values{}
	if destroy {
		query.Set("destroy", "true")
	}
	return c.do(ctx, http.MethodDelete, nil, &struct{}{}, query, "v1", "tasks", task)
}

func mode(run tasks.RunMode) url.Values {
	if run == tasks.RunLater {
		return nil
	}
	return url.Values{"run": {string(run)}}
}
