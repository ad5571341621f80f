package client

import (
	"context"

	"patchbay/agent/internal/httpapi"
)

// What the agent tells of Envoys.
type (
	XDS       = httpapi.XDS
	XDSTarget = httpapi.XDSTarget
	XDSClient = httpapi.XDSClient
	XDSType   = httpapi.XDSType
)

// XDS tells how Envoys are served.
func (c *Client) XDS(ctx context.Context) (XDS, error) {
	var out XDS
	err := c.get(ctx, &out, nil, "v1", "xds")
	return out, err
}

// XDSClients gives the streams of one node, with every resource that it has.
func (c *Client) XDSClients(ctx context.Context, node string) ([]XDSClient, error) {
	var out httpapi.OneXDSClient
	err := c.get(ctx, &out, nil, "v1", "xds", "clients", node)
	return out.Clients, err
}
