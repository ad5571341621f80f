package consul

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"patchbay/tasks"

	"github.com/hashicorp/consul/api"
)

// MayWrite asks Consul whether a token, which is somebody else's, may write a service:
// who may is one of the service. A token that Consul does not know may not. judged is
// false when Consul has no ACLs, so that a token proves nothing. An error means that
// Consul did not say.
//
// The certificate of a service is no proof in place of this: Consul's agent gives one
// that it has to any caller.
func (c *Client) MayWrite(ctx context.Context, token tasks.Secret, service string) (allowed, judged bool, err error) {
	var list []bool
	err = c.local(ctx, func(ctx context.Context) (err error) {
		list, err = c.authorize(ctx, c.as(token), []right{{"service", "write", service}})
		return err
	})
	var status api.StatusError
	switch {
	case errors.As(err, &status) && status.Code == http.StatusUnauthorized:
		return false, false, nil
	case errors.As(err, &status) && status.Code == http.StatusForbidden:
		return false, true, nil
	case err != nil:
		return false, false, fmt.Errorf("ask for the rights of a client's token: %w", err)
	}
	return list[0], true, nil
}

// as makes requests by another token, over the same connections.
func (c *Client) as(token tasks.Secret) *http.Client {
	transport := c.conns.Transport
	if g, ok := transport.(guard); ok {
		transport = g.next
	}
	return newHTTP(func() tasks.Secret { return token }, transport)
}

// authorize asks which of the rights the token behind conns has, in their order.
func (c *Client) authorize(ctx context.Context, conns *http.Client, rights []right) ([]bool, error) {
	body, err := json.Marshal(rights)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/v1/internal/acl/authorize", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	resp, err := conns.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, api.StatusError{Code: resp.StatusCode, Body: fmt.Sprintf("consul answered %d", resp.StatusCode)}
	}
	var judged []struct {
		right
		Allow bool
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&judged); err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	out := make([]bool, len(rights))
	if len(judged) != len(rights) {
		return nil, fmt.Errorf("the answer tells of %d rights, not of %d", len(judged), len(rights))
	}
	for n, j := range judged {
		if j.right != rights[n] {
			return nil, fmt.Errorf("the answer tells of %s, not of %s", j.right, rights[n])
		}
		out[n] = j.Allow
	}
	return out, nil
}
