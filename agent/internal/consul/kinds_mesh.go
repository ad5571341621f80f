package consul

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"

	"patchbay/tasks/catalog"

	"github.com/hashicorp/consul/api"
)

// maxChain bounds one compiled chain, in bytes.
const maxChain = 4 << 20

// fetchChain reads what Consul compiled of a service's configuration entries. Its
// text is kept: patchbay/xds/chain reads it.
func (c *Client) fetchChain(q catalog.Query, opts *api.QueryOptions) (*catalog.View, *api.QueryMeta, error) {
	if !readable(q.Name) {
		return nil, nil, errors.New("no request to Consul can carry this name; rename the service")
	}
	var text json.RawMessage
	meta, err := c.api.Raw().Query("/v1/discovery-chain/"+url.PathEscape(q.Name), &text, opts)
	if withoutConnect(err) {
		c.pulse.heard(opts.Context(), nil)
		return unruled(q, opts)
	}
	return decoded(c, opts, meta, err, func() (*catalog.View, error) {
		if len(text) > maxChain {
			return nil, errors.New("the discovery chain is larger than 4 MiB")
		}
		return catalog.NewPairsView(q, map[string]string{q.Name: string(text)}), nil
	})
}

// withoutConnect tells whether Consul compiles no chains because Connect is off.
func withoutConnect(err error) bool {
	var status api.StatusError
	return errors.As(err, &status) && strings.Contains(status.Body, "Connect must be enabled")
}

// unruled is the answer for a service of a Consul without Connect: no entry holds. It
// comes as late as that of a blocking query without a change.
func unruled(q catalog.Query, opts *api.QueryOptions) (*catalog.View, *api.QueryMeta, error) {
	if opts.WaitIndex > 0 {
		if err := sleep(opts.Context(), opts.WaitTime); err != nil {
			return nil, nil, err
		}
	}
	return catalog.NewPairsView(q, map[string]string{q.Name: ""}), &api.QueryMeta{LastIndex: 1}, nil
}
