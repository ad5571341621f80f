package consul

import (
	"context"
	"net/url"
	"time"

	"patchbay/tasks/catalog"

	"github.com/hashicorp/consul/api"
)

// maxNodes bounds how many nodes are asked about in one doubt; the rest stay
// unknown, which is the careful answer.
const maxNodes = 16

// fatesLimit bounds the time for all of them.
const fatesLimit = 5 * time.Second

// fate is what became of a node. The zero fate is unknown.
type fate uint8

const (
	unknown fate = iota
	alive
	dead
)

func (f fate) cause() catalog.DepartureCause {
	switch f {
	case alive:
		return catalog.Deregistered
	case dead:
		return catalog.NodeGone
	}
	return catalog.Unexplained
}

type fates map[string]fate

// dead lists the nodes that are gone or of which nothing is known.
func (f fates) dead() map[string]bool {
	out := map[string]bool{}
	for node, fate := range f {
		out[node] = fate != alive
	}
	return out
}

// fates asks what became of the nodes whose instances next lost.
func (p *poll) fates(ctx context.Context, next *catalog.View) fates {
	out := fates{}
	registered, passing := catalog.Lost(p.good, next)
	for _, i := range append(registered, passing...) {
		out[i.Node.Name] = unknown
	}
	// What is still registered tells of its node itself: Consul gives the node's
	// checks along.
	for _, i := range next.Instances {
		if _, asked := out[i.Node.Name]; asked {
			out[i.Node.Name] = byChecks(i.Checks)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, fatesLimit)
	defer cancel()
	asked := 0
	for node, known := range out {
		if known != unknown {
			continue
		}
		if asked++; asked > maxNodes {
			break
		}
		out[node] = p.client.fate(ctx, p.query.Datacenter, node)
	}
	return out
}

func byHealth(status string) fate {
	if status == catalog.Critical {
		return dead
	}
	return alive
}

// byChecks judges a node that is known to be registered.
func byChecks(checks []catalog.Check) fate {
	for _, c := range checks {
		if c.ID == catalog.SerfHealth {
			return byHealth(c.Status)
		}
	}
	return alive
}

// fate asks for one node: dead when the catalog has it no more or its agent is
// critical. Anything that could not be read for certain is unknown.
func (c *Client) fate(ctx context.Context, datacenter, node string) fate {
	if !readable(node) {
		return unknown
	}
	out := unknown
	_, err := c.short(ctx, func(ctx context.Context) (answer, error) {
		opts := (&api.QueryOptions{Datacenter: datacenter, RequireConsistent: true}).WithContext(ctx)
		checks, meta, err := c.api.Health().Node(url.PathEscape(node), opts)
		if err != nil || c.mayHide(meta) {
			return answer{}, err
		}
		for _, check := range checks {
			if check != nil && check.CheckID == catalog.SerfHealth {
				out = byHealth(check.Status)
				return answer{}, nil
			}
		}
		// A node registered by hand has no agent whose health could tell.
		found, meta, err := c.api.Catalog().Node(url.PathEscape(node), opts)
		switch {
		case err != nil || c.mayHide(meta):
		case found == nil || found.Node == nil:
			out = dead
		default:
			out = alive
		}
		return answer{}, err
	})
	if err != nil && ctx.Err() == nil {
		c.log.Warn("node could not be read", "node", node, "err", err)
	}
	return out
}

// mayHide tells whether an empty answer may come from a lack of rights.
func (c *Client) mayHide(meta *api.QueryMeta) bool {
	return meta.ResultsFilteredByACLs || meta.DefaultACLPolicy == "deny" && c.anonymous()
}
