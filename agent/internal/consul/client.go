package consul

import (
	"context"
	"net/http"
	"time"

	"patchbay/agent/config"
	"patchbay/tasks/catalog"

	"github.com/hashicorp/consul/api"
	"github.com/hashicorp/go-hclog"
	"golang.org/x/sync/errgroup"
)

// Client reads Consul for all tasks. It implements [catalog.Source].
type Client struct {
	api *api.Client
	log hclog.Logger
	hub *hub
	// seats are for long polls, rules for those of rules, see reserve; lane is for
	// everything short.
	seats  *seats
	rules  *seats
	lane   chan struct{}
	pulse  pulse
	tokens *tokens
	conns  *http.Client
	// base is for what the library has no call for.
	base string
}

var _ catalog.Source = (*Client)(nil)

// New makes a client; nothing is read before [Client.Run]. Consul's environment
// variables change nothing: cfg has them resolved.
func New(cfg config.Consul, log hclog.Logger) (*Client, error) {
	transport, err := newTransport(cfg)
	if err != nil {
		return nil, err
	}
	return newClient(cfg, log, transport)
}

func newClient(cfg config.Consul, log hclog.Logger, transport http.RoundTripper) (*Client, error) {
	tokens := newTokens(cfg, log)
	conns := newHTTP(tokens.current, transport)
	client, err := newAPI(cfg, conns)
	if err != nil {
		return nil, err
	}
	long, short := split(cfg.MaxPolls)
	all := &seats{free: long}
	return &Client{
		api: client, log: log, hub: newHub(), seats: all, rules: all, lane: make(chan struct{}, short),
		tokens: tokens, conns: conns, base: baseURL(cfg),
	}, nil
}

// Run reads what the watchers need until ctx ends, and then waits for its reads
// to end. It returns nil and must run once.
func (c *Client) Run(ctx context.Context) error {
	defer c.conns.CloseIdleConnections()
	var group errgroup.Group
	group.Go(func() error { c.beat(ctx); return nil })
	running := map[*entry]context.CancelFunc{}
	for ctx.Err() == nil {
		wanted := c.hub.wanted()
		for e, cancel := range running {
			if !wanted[e] {
				cancel()
				delete(running, e)
			}
		}
		for e := range wanted {
			if running[e] != nil {
				continue
			}
			ctx, cancel := context.WithCancel(ctx)
			running[e] = cancel
			group.Go(func() error { newPoll(c, e).run(ctx); return nil })
		}
		select {
		case <-ctx.Done():
		case <-c.hub.wake:
		}
	}
	for _, cancel := range running {
		cancel()
	}
	return group.Wait()
}

// Watch implements [catalog.Source]. Snapshots come while [Client.Run] runs.
func (c *Client) Watch(ctx context.Context, wants []catalog.Want) <-chan catalog.Snapshot {
	w := c.hub.join(wants)
	context.AfterFunc(ctx, func() { c.hub.part(w) })
	return w.out
}

// State is how one query stands.
type State struct {
	Query catalog.Query
	// View is nil before the first answer; its Answered is fresh whether or not
	// the content changed.
	View *catalog.View
	// Err is what was wrong with the newest read; nil when it succeeded.
	Err error
	// Since is when the query was first asked for.
	Since time.Time
}

// Queries lists the state of every query that is watched, sorted.
func (c *Client) Queries() []State { return c.hub.states() }
