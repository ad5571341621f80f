package consul

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/hashicorp/consul/api"
)

// pulse remembers whether the newest finished request was answered.
type pulse struct {
	mu    sync.Mutex
	ok    bool
	since time.Time
	last  error
	// listeners are told when an answer comes after a failure.
	listeners map[chan struct{}]bool
}

// notify gives a channel that has a value after Consul answered again.
func (p *pulse) notify() chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listeners == nil {
		p.listeners = map[chan struct{}]bool{}
	}
	ch := make(chan struct{}, 1)
	p.listeners[ch] = true
	return ch
}

func (p *pulse) forget(ch chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.listeners, ch)
}

// heard takes the outcome of a request. A refusal is an answer too; a request
// that the caller gave up tells nothing.
func (p *pulse) heard(ctx context.Context, err error) { p.take(ctx, err, true) }

// take is heard; tell says whether listeners are told of an answer after a failure.
func (p *pulse) take(ctx context.Context, err error, tell bool) {
	if errors.Is(context.Cause(ctx), context.Canceled) {
		return
	}
	ok := err == nil
	if status := (api.StatusError{}); errors.As(err, &status) {
		ok = status.Code < http.StatusInternalServerError && status.Code != http.StatusTooManyRequests
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for ch := range p.listeners {
		if !tell || !ok || p.ok {
			break
		}
		select {
		case ch <- struct{}{}:
		default:
		}
	}
	if ok != p.ok || p.since.IsZero() {
		p.ok, p.since = ok, time.Now()
	}
	if !ok {
		p.last = err
	}
}

// Answering tells whether Consul answered the newest request, since when that is
// so, and the newest failure to get an answer (nil for none ever). Before the
// first request ok is false and since is zero. A refusal, such as 403, is an
// answer; the query's state tells it ([Client.Queries]).
func (c *Client) Answering() (ok bool, since time.Time, lastErr error) {
	c.pulse.mu.Lock()
	defer c.pulse.mu.Unlock()
	return c.pulse.ok, c.pulse.since, c.pulse.last
}

// beatEvery is how often Consul is asked whether it is there while nothing else is
// asked of it.
const beatEvery = 10 * time.Second

// beat keeps the pulse of an agent that watches nothing, until ctx ends.
func (c *Client) beat(ctx context.Context) {
	for {
		if len(c.hub.wanted()) == 0 {
			// A registration that fails has pauses of its own: an answer about the
			// leader must not cut them short.
			err := c.leader(ctx)
			c.pulse.take(ctx, err, false)
		}
		if sleep(ctx, beatEvery) != nil {
			return
		}
	}
}

var errNoLeader = errors.New("consul has no leader")

// WaitLeader returns once Consul names a leader. It asks with growing pauses
// until ctx ends and then returns what was wrong last.
func (c *Client) WaitLeader(ctx context.Context) error {
	pause := newPause()
	for {
		err := c.askLeader(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil {
			c.log.Debug("consul leader not found", "err", err)
		}
		if sleep(ctx, pause.NextBackOff()) != nil {
			return fmt.Errorf("wait for a consul leader: %w", err)
		}
	}
}

func (c *Client) askLeader(ctx context.Context) error {
	err := c.leader(ctx)
	c.pulse.heard(ctx, err)
	return err
}

func (c *Client) leader(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, shortLimit)
	defer cancel()
	leader, err := c.api.Status().LeaderWithQueryOptions((&api.QueryOptions{}).WithContext(ctx))
	if err == nil && leader == "" {
		err = errNoLeader
	}
	return err
}

// newPause gives growing pauses with jitter, without end.
func newPause() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval, b.Multiplier, b.RandomizationFactor = 100*time.Millisecond, 24*time.Second, 2, 0.25
	return b
}

// sleep waits for d or for the end of ctx, whose error it returns.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
