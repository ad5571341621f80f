package rig

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Load asks a site all the time and remembers every answer and every failure.
type Load struct {
	stop    chan struct{}
	workers sync.WaitGroup

	mu       sync.Mutex
	requests int
	failures []string
	// newest are the last answers in the order of coming.
	newest []string
}

// window is how many answers tell who answers now.
const window = 120

// maxFailures bounds the failures that are kept in words.
const maxFailures = 20

// StartLoad asks a site from several clients, each one request after the other on a new
// connection and without any retry.
func StartLoad(n *NGINX, upstream string, clients int) *Load {
	l := &Load{stop: make(chan struct{})}
	for range clients {
		l.workers.Go(func() { l.work(n, upstream) })
	}
	return l
}

func (l *Load) work(n *NGINX, upstream string) {
	pause := time.NewTicker(3 * time.Millisecond)
	defer pause.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-pause.C:
		}
		id, err := n.Ask(upstream)
		l.record(id, err)
	}
}

func (l *Load) record(id string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests++
	if err != nil {
		if len(l.failures) < maxFailures {
			l.failures = append(l.failures, fmt.Sprintf("request %d: %v", l.requests, err))
		}
		return
	}
	if l.newest = append(l.newest, id); len(l.newest) > window {
		l.newest = l.newest[1:]
	}
}

// AwaitOnly waits until all of the newest answers came from the given ids, and
// from each of them.
func (l *Load) AwaitOnly(ctx context.Context, limit time.Duration, ids ...string) error {
	slices.Sort(ids)
	return Until(ctx, limit, func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		seen := map[string]bool{}
		for _, id := range l.newest {
			seen[id] = true
		}
		if got := sortedKeys(seen); len(l.newest) < window || !slices.Equal(got, ids) {
			return fmt.Errorf("the last %d answers came from %v, wanted %v", len(l.newest), got, ids)
		}
		return nil
	})
}

// Stop ends the load and tells how many requests were made and which failed.
func (l *Load) Stop() (requests int, failures []string) {
	close(l.stop)
	l.workers.Wait()
	return l.requests, l.failures
}
