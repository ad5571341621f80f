package consul

import (
	"slices"
	"sync"
	"time"

	"patchbay/tasks/catalog"
)

// seats are the long polls that may be open at once, given first come, first
// served.
type seats struct {
	mu    sync.Mutex
	free  int
	queue []*seat
	// slow is the least time between two plain reads of a query without a seat; 0
	// means turnAtLeast.
	slow time.Duration
}

// seat is the right to one long poll once ready is closed.
type seat struct{ ready chan struct{} }

// ask queues for a seat; give it back with leave, granted or not.
func (s *seats) ask() *seat {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &seat{ready: make(chan struct{})}
	s.queue = append(s.queue, t)
	s.grant()
	return t
}

func (s *seats) leave(t *seat) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := slices.Index(s.queue, t); n >= 0 {
		s.queue = slices.Delete(s.queue, n, n+1)
		return
	}
	s.free++
	s.grant()
}

func (s *seats) grant() {
	for s.free > 0 && len(s.queue) > 0 {
		s.free--
		close(s.queue[0].ready)
		s.queue = slices.Delete(s.queue, 0, 1)
	}
}

// waiting is how many queries have no seat.
func (s *seats) waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queue)
}

const (
	turnAtLeast    = time.Second
	turnsPerSecond = 100
	// rulesAtLeast is for rules: they change seldom, and reading them all the time
	// would cost Consul and the agent more than all changes of health.
	rulesAtLeast = 10 * time.Second
)

// turn is how long a query without a seat waits between two plain reads.
func (s *seats) turn() time.Duration { return max(s.slow, turn(s.waiting())) }

// turn is how long a query without a seat waits between two plain reads, so that
// all of them together make at most turnsPerSecond.
func turn(waiting int) time.Duration {
	return max(turnAtLeast, time.Duration(waiting)*time.Second/turnsPerSecond)
}

// rulesShare is the part of the long polls that follows rules.
const rulesShare = 8

// reserve gives what follows rules (chains, intentions, certificates, registrations of
// proxies) seats of its own, a few that they take turns on: health never waits for them,
// as they change when a person changes them. It is called before anything is read.
func (c *Client) reserve() {
	c.seats.mu.Lock()
	defer c.seats.mu.Unlock()
	if c.rules != c.seats {
		return
	}
	n := max(1, c.seats.free/rulesShare)
	c.seats.free -= n
	c.rules = &seats{free: n, slow: rulesAtLeast}
}

// seatsOf are those that a query's polls take.
func (c *Client) seatsOf(q catalog.Query) *seats {
	if q.Kind == catalog.DiscoveryChain || q.Kind == catalog.ConnectProxies {
		return c.rules
	}
	return c.seats
}

// split divides the connections: short ones for plain reads, long ones for polls.
func split(maxPolls int) (long, short int) {
	maxPolls = max(1, maxPolls)
	short = max(1, maxPolls/10)
	return maxPolls - short, short
}
