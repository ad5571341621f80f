package client

import (
	"context"

	"patchbay/agent/internal/httpapi"
)

// The bodies of the API on canaries.
type (
	// Canary is a canary as it stands.
	Canary = httpapi.Canary
	// CanaryEvent is one thing that happened to it.
	CanaryEvent = httpapi.CanaryEvent
	// CanaryHold is one reason why it does not move.
	CanaryHold = httpapi.CanaryHold
	// CanaryRequest tells who commands and why.
	CanaryRequest = httpapi.CanaryRequest
)

// Canaries lists the canaries by service.
func (c *Client) Canaries(ctx context.Context) ([]Canary, error) {
	var out httpapi.CanaryList
	err := c.get(ctx, &out, nil, "v1", "canaries")
	return out.Canaries, err
}

// Canary gives the canary of a service. An unknown one is an [*Error] with status 404.
func (c *Client) Canary(ctx context.Context, service string) (Canary, error) {
	var out httpapi.OneCanary
	err := c.get(ctx, &out, nil, "v1", "canaries", service)
	return out.Canary, err
}

// CommandCanary does promote, pause, resume, abort or restart and gives the canary
// after it. What makes no sense now is an [*Error] with status 409.
func (c *Client) CommandCanary(ctx context.Context, service, command string, r CanaryRequest) (Canary, error) {
	var out httpapi.OneCanary
	err := c.post(ctx, r, &out, "v1", "canaries", service, command)
	return out.Canary, err
}
