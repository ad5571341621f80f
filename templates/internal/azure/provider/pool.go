package provider

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"patchbay/templates/internal/azure"
	"patchbay/templates/internal/azure/rules"
	"patchbay/templates/internal/standin"
)

// The provider waits for the load balancer to be seen ten times as done before it takes
// an entry out (5 s apart) or changes one (10 s apart).
const (
	sightings   = 10
	beforeTaken = 5 * time.Second
	beforeMoved = 10 * time.Second
)

// addressCall is an entry of a backend pool: each change reads and writes the whole pool,
// one after the other.
func (c *client) addressCall() standin.Call {
	read := func(ctx context.Context, state standin.Object) (standin.Object, error) {
		pool, entries, err := c.pool(ctx, state)
		if err != nil {
			return nil, err
		}
		for _, x := range entries {
			entry, _ := x.(azure.Body)
			p, _ := entry["properties"].(azure.Body)
			network, _ := p["virtualNetwork"].(azure.Body)
			if rules.Text(entry, "name") == state.String("name") {
				return state.With(standin.Object{
					"id":         pool["id"].(string) + "/addresses/" + rules.Text(entry, "name"),
					"ip_address": p["ipAddress"], "virtual_network_id": network["id"], "inbound_nat_rule_port_mapping": []any{},
				}), nil
			}
		}
		return nil, nil
	}
	write := func(ctx context.Context, o standin.Object, change func([]any) ([]any, error)) error {
		c.pools.Lock() // the provider's own lock, one for each name of a pool
		defer c.pools.Unlock()
		pool, entries, err := c.pool(ctx, o)
		if err != nil {
			return err
		}
		if entries, err = change(entries); err != nil {
			return err
		}
		p, _ := pool["properties"].(azure.Body)
		p["loadBalancerBackendAddresses"] = entries
		_, err = c.put(ctx, o.String("backend_address_pool_id"), pool)
		return err
	}
	named := func(o standin.Object, entry any) bool {
		e, _ := entry.(azure.Body)
		return rules.Text(e, "name") == o.String("name")
	}
	return standin.Call{
		Read: read,
		Create: func(ctx context.Context, planned standin.Object) (standin.Object, error) {
			err := write(ctx, planned, func(entries []any) ([]any, error) {
				for _, e := range entries {
					if named(planned, e) {
						return nil, exists(planned.String("backend_address_pool_id")+"/addresses/"+planned.String("name"), nil)
					}
				}
				return append(entries, entryOf(planned)), nil
			})
			if err != nil {
				return nil, err
			}
			return read(ctx, planned)
		},
		Update: func(ctx context.Context, _, planned standin.Object) (standin.Object, error) {
			err := write(ctx, planned, func(entries []any) ([]any, error) {
				for n, e := range entries {
					if named(planned, e) {
						entries[n] = entryOf(planned)
						return entries, c.sight(ctx, planned, beforeMoved)
					}
				}
				return nil, fmt.Errorf("%s was not found", planned.String("id"))
			})
			if err != nil {
				return nil, err
			}
			return read(ctx, planned)
		},
		Delete: func(ctx context.Context, state standin.Object) error {
			return write(ctx, state, func(entries []any) ([]any, error) {
				left := []any{}
				for _, e := range entries {
					if !named(state, e) {
						left = append(left, e)
					}
				}
				return left, c.sight(ctx, state, beforeTaken)
			})
		},
	}
}

func entryOf(o standin.Object) azure.Body {
	return azure.Body{"name": o["name"], "properties": azure.Body{"ipAddress": o["ip_address"], "virtualNetwork": azure.Body{"id": o["virtual_network_id"]}}}
}

// pool reads a load balancer and one of its pools, with the pool's entries.
func (c *client) pool(ctx context.Context, o standin.Object) (pool azure.Body, entries []any, err error) {
	id := o.String("backend_address_pool_id")
	balancer, err := c.get(ctx, balancerOf(id))
	if err == nil {
		pool, err = c.get(ctx, id)
	}
	if err == nil && (pool == nil || balancer == nil) {
		err = fmt.Errorf("retrieving %s: it was not found", id)
	}
	if err != nil {
		return nil, nil, err
	}
	if sku, _ := balancer["sku"].(azure.Body); rules.Text(sku, "name") == "Basic" {
		return nil, nil, errors.New("backend addresses are not supported on Basic SKU Load Balancers")
	}
	p, _ := pool["properties"].(azure.Body)
	return pool, rules.List(p, "loadBalancerBackendAddresses"), nil
}

func balancerOf(pool string) string {
	before, _, _ := strings.Cut(pool, "/backendAddressPools/")
	return before
}

// sight looks at the load balancer until it was seen often enough.
func (c *client) sight(ctx context.Context, o standin.Object, every time.Duration) error {
	for range sightings {
		if _, err := c.get(ctx, balancerOf(o.String("backend_address_pool_id"))); err != nil {
			return err
		}
	}
	c.server.Pass((sightings - 1) * every)
	return nil
}

func (c *client) readPool(ctx context.Context, config standin.Object) (standin.Object, error) {
	id := config.String("loadbalancer_id") + "/backendAddressPools/" + config.String("name")
	document, err := c.get(ctx, id)
	if err == nil && document == nil {
		err = fmt.Errorf("%s was not found", id)
	}
	if err != nil {
		return nil, err
	}
	p, _ := document["properties"].(azure.Body)
	addresses := []any{}
	for _, x := range rules.List(p, "loadBalancerBackendAddresses") {
		entry, _ := x.(azure.Body)
		inner, _ := entry["properties"].(azure.Body)
		network, _ := inner["virtualNetwork"].(azure.Body)
		addresses = append(addresses, map[string]any{"name": entry["name"], "ip_address": inner["ipAddress"], "virtual_network_id": network["id"], "inbound_nat_rule_port_mapping": []any{}})
	}
	return config.With(standin.Object{"id": id, "backend_address": addresses}), nil
}
