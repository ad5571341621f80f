package consul

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"patchbay/xds"
	"patchbay/xds/mesh"

	"github.com/hashicorp/consul/api"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"
)

// Connect follows Consul's CA and intentions for the services whose sidecars speak
// mutual TLS. Keys are made by Consul's agent; here they are in memory alone.
type Connect struct {
	client *Client
	always bool          // roots are followed even if nothing is wanted
	wake   chan struct{} // what is wanted changed
	news   chan struct{}

	mu     sync.Mutex
	wanted map[string]bool // services
	known  xds.News        // since the last Take
	trust  mesh.Trust      // as far as it is known
}

// Connect begins to follow; nothing is read before [Connect.Run]. Without roots, nothing
// but [Connect.Want] makes it read.
func (c *Client) Connect(roots bool) *Connect {
	c.reserve()
	return &Connect{client: c, always: roots, wake: make(chan struct{}, 1), news: make(chan struct{}, 1), wanted: map[string]bool{}}
}

// Want makes services all that is followed, and the roots with them.
func (c *Connect) Want(services []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wanted = make(map[string]bool, len(services))
	for _, name := range services {
		c.wanted[name] = true
	}
	signal(c.wake)
}

// Changed is ready when [Connect.Take] has something to give.
func (c *Connect) Changed() <-chan struct{} { return c.news }

// Take gives what became known since the last Take.
func (c *Connect) Take() xds.News {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.known
	c.known = xds.News{}
	if c.trust.Domain != "" && c.trust.Datacenter != "" {
		out.Trust = c.trust
	}
	return out
}

// tell adds news; trust may be known in part.
func (c *Connect) tell(n xds.News, trust mesh.Trust) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if trust.Domain != "" {
		c.trust.Domain = trust.Domain
	}
	if trust.Datacenter != "" {
		c.trust.Datacenter = trust.Datacenter
	}
	c.known = c.known.And(n)
	signal(c.news)
}

func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// Run reads what is wanted until ctx ends, and then waits for its reads to end. It
// returns nil and must run once.
func (c *Connect) Run(ctx context.Context) error {
	var group errgroup.Group
	running := map[string]context.CancelFunc{}
	begin := func(key string, watches ...watch) {
		ctx, cancel := context.WithCancel(ctx)
		running[key] = cancel
		for _, w := range watches {
			group.Go(func() error { c.follow(ctx, w); return nil })
		}
	}
	for ctx.Err() == nil {
		wanted := c.services()
		for key, cancel := range running {
			if !wanted[key] {
				cancel()
				delete(running, key)
			}
		}
		for key := range wanted {
			switch {
			case running[key] != nil:
			case key == "":
				begin(key, watch{"roots of consul connect", "", c.readRoots})
			default:
				begin(key, watch{"certificate of " + key, "service:write on " + key, c.leafReader(key)},
					watch{"intentions for " + key, "intentions:read on " + key, c.intentionReader(key)})
			}
		}
		select {
		case <-ctx.Done():
		case <-c.wake:
		}
	}
	for _, cancel := range running {
		cancel()
	}
	return group.Wait()
}

// services are those that are wanted, and "" for the roots where there are any.
func (c *Connect) services() map[string]bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := maps.Clone(c.wanted)
	if len(out) > 0 || c.always {
		out[""] = true
	}
	return out
}

// watch is one thing that is read again and again. read takes its answer over.
type watch struct {
	what, rights string
	read         func(*api.QueryOptions) (*api.QueryMeta, error)
}

// follow reads until ctx ends. An error is never the end: what was known stays, it is
// told once and tried again.
func (c *Connect) follow(ctx context.Context, w watch) {
	pause, limit := newPause(), rate.NewLimiter(readsPerSecond, readsAtOnce)
	index, failing := uint64(0), false
	for limit.Wait(ctx) == nil {
		meta, err := c.read(ctx, w, index)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			index = 0
			if !failing {
				failing = true
				c.client.log.Warn("consul connect was not read, what is known stays", "what", w.what, "err", err, "next", advice(w))
			}
			if sleep(ctx, pause.NextBackOff()) != nil {
				return
			}
			continue
		case meta.LastIndex < index:
			index = 0 // Consul or its agent began anew
			continue
		}
		if failing {
			failing = false
			c.client.log.Info("consul connect was read again", "what", w.what)
		}
		pause.Reset()
		index = meta.LastIndex
	}
}

func advice(w watch) string {
	if w.rights == "" {
		return "it is tried again"
	}
	return "it is tried again; the token needs " + w.rights
}

// read blocks on index, in a seat of its own; while all seats are taken it reads
// plainly in turn.
func (c *Connect) read(ctx context.Context, w watch, index uint64) (meta *api.QueryMeta, err error) {
	wait := longWait
	if index > 0 {
		seat := c.client.rules.ask()
		defer c.client.rules.leave(seat)
		timer := time.NewTimer(jitter(c.client.rules.turn()))
		defer timer.Stop()
		select {
		case <-seat.ready:
		case <-timer.C:
			index = 0
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if c.client.rules.waiting() > 0 {
			wait = sharedWait
		}
	}
	ask := func(ctx context.Context) (answer, error) {
		opts := &api.QueryOptions{WaitIndex: index, WaitTime: wait}
		meta, err = w.read(opts.WithContext(ctx))
		c.client.pulse.heard(ctx, err)
		return answer{}, err
	}
	if index == 0 {
		_, err = c.client.short(ctx, ask)
		return meta, err
	}
	ctx, cancel := context.WithTimeout(ctx, wait+wait/16+grace)
	defer cancel()
	_, err = ask(ctx)
	return meta, err
}

// refusal makes an answer's fault an error that says what was done.
func refusal(what string, err error) error {
	return fmt.Errorf("read %s: %w; the answer was not taken", what, err)
}
