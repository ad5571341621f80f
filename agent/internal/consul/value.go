package consul

import (
	"context"

	"patchbay/tasks/catalog"
)

// Value reads one key consistently, outside of any watch; ok is false when there
// is no such key.
func (c *Client) Value(ctx context.Context, key, datacenter, namespace string) (value string, ok bool, err error) {
	got, err := c.plain(ctx, catalog.Query{Kind: catalog.KVKey, Name: key, Datacenter: datacenter, Namespace: namespace}, true)
	if err != nil {
		return "", false, err
	}
	value, ok = got.view.Pairs[key]
	return value, ok, nil
}
