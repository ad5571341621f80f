package consul

import (
	"slices"
	"sync"
	"time"
)

// seats are the long polls that may be open at once, given first come, first
// served.
type seats struct {
	mu    sync.Mutex
	free  int
	queue []*seat
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
)

// turn is how long a query without a seat waits between two plain reads, so that
// all of them together make at most turnsPerSecond.
func turn(waiting int) time.Duration {
	return max(turnAtLeast, time.Duration(waiting)*time.Second/turnsPerSecond)
}

// split divides the connections: short ones for plain reads, long ones for polls.
func split(maxPolls int) (long, short int) {
	maxPolls = max(1, maxPolls)
	short = max(1, maxPolls/10)
	return maxPolls - short, short
}
