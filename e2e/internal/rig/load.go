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
	// began tells when the newest request began that each answered.
	began map[string]time.Time
}

// window is how many answers tell who answers now.
const window = 120

// maxFailures bounds the failures that are kept in words.
const maxFailures = 20

// StartLoad asks a site from several clients, each one request after the other on a new
// connection and without any retry.
func StartLoad(n *NGINX, upstream string, clients int) *Load {
	return StartLoadOf(func() (string, error) { return n.Ask(upstream) }, clients)
}

// StartLoadOf asks by a function that gives who answered, from several clients, each
// one request after the other.
func StartLoadOf(ask func() (id string, err error), clients int) *Load {
	l := &Load{stop: make(chan struct{}), began: map[string]time.Time{}}
	for range clients {
		l.workers.Go(func() { l.work(ask) })
	}
	return l
}

func (l *Load) work(ask func() (string, error)) {
	pause := time.NewTicker(3 * time.Millisecond)
	defer pause.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-pause.C:
		}
		began := time.Now()
		id, err := ask()
		l.record(began, id, err)
	}
}

func (l *Load) record(began time.Time, id string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests++
	if err != nil {
		if len(l.failures) < maxFailures {
			l.failures = append(l.failures, fmt.Sprintf("request %d: %v", l.requests, err))
		}
		return
	}
	if began.After(l.began[id]) {
		l.began[id] = began
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

// Began tells when the newest request began that one answered; zero when none did.
func (l *Load) Began(id string) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.began[id]
}

// Stop ends the load and tells how many requests were made and which failed.
func (l *Load) Stop() (requests int, failures []string) {
	close(l.stop)
	l.workers.Wait()
	return l.requests, l.failures
}
