package consul

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"patchbay/tasks/catalog"

	"github.com/hashicorp/consul/api"
)

// maxChain bounds one compiled chain, in bytes.
const maxChain = 4 << 20

// fetchChain reads what Consul compiled of a service's configuration entries. Its
// text is kept: patchbay/xds/chain reads it. The chain of a service in another
// datacenter is compiled here, where the same entries are, so it needs nobody there.
func (c *Client) fetchChain(q catalog.Query, opts *api.QueryOptions) (*catalog.View, *api.QueryMeta, error) {
	if !readable(q.Name) {
		return nil, nil, errors.New("no request to Consul can carry this name; rename the service")
	}
	if q.Datacenter != "" {
		local := *opts.WithContext(context.WithValue(opts.Context(), queryKey{}, url.Values{"compile-dc": {q.Datacenter}}))
		local.Datacenter = ""
		opts = &local
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

// fetchProxies reads how the sidecar proxies of a service are registered, with the
// defaults that configuration entries give them. Their health is left out, and so is
// what tells equal proxies apart.
func (c *Client) fetchProxies(q catalog.Query, opts *api.QueryOptions) (*catalog.View, *api.QueryMeta, error) {
	if !readable(q.Name) {
		return nil, nil, errors.New("no request to Consul can carry this name; rename the service")
	}
	opts.MergeCentralConfig = true
	entries, meta, err := c.api.Health().Connect(url.PathEscape(q.Name), "", false, opts)
	return decoded(c, opts, meta, err, func() (*catalog.View, error) {
		pairs, err := decodeProxies(entries)
		if err != nil {
			return nil, err
		}
		return catalog.NewPairsView(q, pairs), nil
	})
}

// registered is how a proxy is registered, in Consul's names.
type registered struct {
	Datacenter, Namespace, Partition string
	Port                             int
	Proxy                            *api.AgentServiceConnectProxyConfig
}

func decodeProxies(entries []*api.ServiceEntry) (map[string]string, error) {
	if entries == nil {
		return nil, errNoList
	}
	out, size := map[string]string{}, 0
	for n, e := range entries {
		if e == nil || e.Node == nil || e.Service == nil {
			return nil, fmt.Errorf("entry %d has no node or no service", n)
		}
		s := e.Service
		if s.Kind != api.ServiceKindConnectProxy || s.Proxy == nil {
			continue // it speaks Connect by itself
		}
		same := *s.Proxy
		same.DestinationServiceID = ""
		text, err := json.Marshal(registered{Datacenter: e.Node.Datacenter, Namespace: s.Namespace, Partition: s.Partition, Port: s.Port, Proxy: &same})
		if err != nil {
			return nil, fmt.Errorf("proxy %q on node %q: %w", s.ID, e.Node.Node, err)
		}
		key := catalog.ProxyKey(s.ID, e.Node.Node)
		if out[key] != "" {
			return nil, fmt.Errorf("proxy %q on node %q is listed twice", s.ID, e.Node.Node)
		}
		if size += len(key) + len(text); size > maxPairs {
			return nil, fmt.Errorf("the registrations are larger than %d MiB", maxPairs>>20)
		}
		out[key] = string(text)
	}
	return out, nil
}
