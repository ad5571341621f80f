package consul

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"patchbay/tasks/catalog"

	"github.com/hashicorp/consul/api"
)

const (
	// longWait is how long Consul may hold a blocking query: a restored snapshot
	// goes unnoticed that long. sharedWait holds while other queries wait for a seat.
	longWait   = 60 * time.Second
	sharedWait = 10 * time.Second
	// grace is added to what Consul itself adds to a wait, at most a sixteenth.
	grace = 5 * time.Second
	// shortLimit bounds a read that does not block.
	shortLimit = 30 * time.Second
	// maxQuoted bounds what an error quotes of Consul's text, in bytes.
	maxQuoted = 200
)

// answer is one decoded answer with what its headers tell of it.
type answer struct {
	view *catalog.View
	// hidden: Consul left out results that the token may not see. Blocking reads
	// do not tell.
	hidden bool
	// denied: Consul denies by default, so an anonymous read may hide anything.
	denied bool
}

// plain reads without index; consistent asks the leader to check that it is one.
func (c *Client) plain(ctx context.Context, q catalog.Query, consistent bool) (answer, error) {
	return c.short(ctx, func(ctx context.Context) (answer, error) {
		return c.read(ctx, q, &api.QueryOptions{RequireConsistent: consistent})
	})
}

// blocking waits for an index above index.
func (c *Client) blocking(ctx context.Context, q catalog.Query, index uint64, wait time.Duration) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, wait+wait/16+grace)
	defer cancel()
	return c.read(ctx, q, &api.QueryOptions{WaitIndex: index, WaitTime: wait})
}

// short runs a read in one of the connections kept free for short ones.
func (c *Client) short(ctx context.Context, read func(context.Context) (answer, error)) (answer, error) {
	select {
	case c.lane <- struct{}{}:
		defer func() { <-c.lane }()
	case <-ctx.Done():
		return answer{}, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, shortLimit)
	defer cancel()
	return read(ctx)
}

func (c *Client) read(ctx context.Context, q catalog.Query, opts *api.QueryOptions) (answer, error) {
	opts.Datacenter, opts.Namespace = q.Datacenter, q.Namespace
	view, meta, err := c.fetch(q, opts.WithContext(ctx))
	if err != nil {
		return answer{}, explain(q, err)
	}
	view.Index, view.Answered = meta.LastIndex, time.Now()
	// A single key is refused with 403 and never hidden.
	denied := meta.DefaultACLPolicy == "deny" && c.anonymous() && q.Kind != catalog.KVKey
	return answer{view: view, hidden: meta.ResultsFilteredByACLs, denied: denied}, nil
}

// explain adds to an error what was asked and, where a person must act, what to do.
func explain(q catalog.Query, err error) error {
	var status api.StatusError
	if !errors.As(err, &status) {
		return fmt.Errorf("read %s: %w", q, err)
	}
	text := status.Body[:min(maxQuoted, len(status.Body))]
	if status.Code == http.StatusForbidden {
		return fmt.Errorf("read %s: Consul refused the token (403, %q): it was deleted, expired or lacks rights; "+
			"the last good answer is kept; give a token with %s", q, text, rights(q))
	}
	return fmt.Errorf("read %s: Consul answered %d, %q", q, status.Code, text)
}

// rights names what a token needs for a query.
func rights(q catalog.Query) string {
	switch q.Kind {
	case catalog.KVKey:
		return fmt.Sprintf("key:read on %q", q.Name)
	case catalog.KVPrefix:
		return fmt.Sprintf("key:read (and key:list, where Consul asks for it) on the prefix %q", q.Name)
	case catalog.NodeNames:
		return "node:read on all nodes"
	}
	return "service:read and node:read"
}
