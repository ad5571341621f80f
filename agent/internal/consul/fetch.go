package consul

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"patchbay/tasks/catalog"

	"github.com/hashicorp/consul/api"
)

// maxPairs bounds the keys and values of one answer, in bytes: more would make
// no sense as a variable of a module.
const maxPairs = 32 << 20

// fetch asks Consul and decodes its answer.
func (c *Client) fetch(q catalog.Query, opts *api.QueryOptions) (*catalog.View, *api.QueryMeta, error) {
	meta, err := catalog.DecodeMeta(q.NodeMeta)
	if err != nil {
		return nil, nil, err
	}
	opts.NodeMeta = meta
	switch q.Kind {
	case catalog.ServiceHealth, catalog.ServiceConnect:
		return c.fetchHealth(q, opts)
	case catalog.ServiceNames:
		names, meta, err := c.api.Catalog().Services(opts)
		return decoded(c, opts, meta, err, func() (*catalog.View, error) {
			names, err := decodeNames(names)
			return catalog.NewNamesView(q, names), err
		})
	case catalog.NodeNames:
		nodes, meta, err := c.api.Catalog().Nodes(opts)
		return decoded(c, opts, meta, err, func() (*catalog.View, error) {
			nodes, err := decodeNodes(nodes)
			return catalog.NewNodesView(q, nodes), err
		})
	case catalog.KVKey, catalog.KVPrefix:
		return c.fetchPairs(q, opts)
	case catalog.DiscoveryChain:
		return c.fetchChain(q, opts)
	case catalog.ConnectProxies:
		return c.fetchProxies(q, opts)
	}
	return nil, nil, fmt.Errorf("query kind %d is unknown", q.Kind)
}

// decoded hears the outcome of a request and, where there is an answer, decodes it.
func decoded(c *Client, opts *api.QueryOptions, meta *api.QueryMeta, err error, decode func() (*catalog.View, error)) (*catalog.View, *api.QueryMeta, error) {
	c.pulse.heard(opts.Context(), err)
	if err != nil {
		return nil, nil, err
	}
	view, err := decode()
	if err != nil {
		return nil, nil, err
	}
	return view, meta, nil
}

func (c *Client) fetchHealth(q catalog.Query, opts *api.QueryOptions) (*catalog.View, *api.QueryMeta, error) {
	if !readable(q.Name) {
		return nil, nil, errors.New("no request to Consul can carry this name; rename the service")
	}
	read := c.api.Health().Service
	if q.Kind == catalog.ServiceConnect {
		read = c.api.Health().Connect
	}
	entries, meta, err := read(url.PathEscape(q.Name), "", false, opts)
	return decoded(c, opts, meta, err, func() (*catalog.View, error) {
		instances, err := decodeService(entries)
		if err != nil {
			return nil, err
		}
		return catalog.NewServiceView(q, instances), nil
	})
}

// fetchPairs reads one key or a prefix. What is not there is an empty view.
func (c *Client) fetchPairs(q catalog.Query, opts *api.QueryOptions) (*catalog.View, *api.QueryMeta, error) {
	if !readable(q.Name) && (q.Kind == catalog.KVKey || q.Name != "") {
		return nil, nil, errors.New("no request to Consul can carry this path; rename the key")
	}
	var code int
	opts = opts.WithContext(context.WithValue(opts.Context(), codeKey{}, &code))
	pairs, meta, err := c.pairs(q, opts)
	return decoded(c, opts, meta, err, func() (*catalog.View, error) {
		// Consul says "not there" by 404 with an index and never by an empty list;
		// the 404 of a proxy has no index.
		if len(pairs) == 0 && (code != http.StatusNotFound || meta.LastIndex == 0) {
			return nil, fmt.Errorf("the empty answer %d with index %d is not Consul's; check the consul address and what lies between", code, meta.LastIndex)
		}
		found, err := decodePairs(q, pairs)
		return catalog.NewPairsView(q, found), err
	})
}

func (c *Client) pairs(q catalog.Query, opts *api.QueryOptions) (api.KVPairs, *api.QueryMeta, error) {
	if q.Kind == catalog.KVPrefix {
		return c.api.KV().List(url.PathEscape(q.Name), opts)
	}
	pair, meta, err := c.api.KV().Get(url.PathEscape(q.Name), opts)
	if pair == nil {
		return nil, meta, err
	}
	return api.KVPairs{pair}, meta, err
}

// decodePairs makes a map of keys and values; the value of a folder is "". A key
// that was not asked for is an error for the whole answer.
func decodePairs(q catalog.Query, pairs api.KVPairs) (map[string]string, error) {
	out, size := make(map[string]string, len(pairs)), 0
	for n, p := range pairs {
		switch {
		case p == nil:
			return nil, fmt.Errorf("key number %d is null", n)
		case q.Kind == catalog.KVKey && p.Key != q.Name, !strings.HasPrefix(p.Key, q.Name):
			return nil, fmt.Errorf("the answer holds key %q, which was not asked for", p.Key)
		}
		if size += len(p.Key) + len(p.Value); size > maxPairs {
			return nil, fmt.Errorf("the keys and values are larger than %d MiB; name a narrower path", maxPairs>>20)
		}
		out[p.Key] = string(p.Value)
	}
	return out, nil
}

// decodeNodes makes nodes of a list; a node twice is an error for the whole answer.
func decodeNodes(list []*api.Node) ([]catalog.Node, error) {
	if list == nil {
		return nil, errNoList
	}
	seen := make(map[string]bool, len(list))
	out := make([]catalog.Node, 0, len(list))
	for n, node := range list {
		if node == nil || node.Node == "" {
			return nil, fmt.Errorf("node number %d has no name", n)
		}
		if seen[node.Node] {
			return nil, fmt.Errorf("node %q is listed twice", node.Node)
		}
		seen[node.Node] = true
		out = append(out, catalog.Node{ID: node.ID, Name: node.Node, Address: node.Address,
			Datacenter: node.Datacenter, TaggedAddresses: node.TaggedAddresses, Meta: node.Meta})
	}
	return out, nil
}
