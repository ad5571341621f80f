package agent

import (
	"context"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
)

// slots bounds how many tasks run at once. Its group waits for everything that
// runners start beside their loops.
type slots struct {
	sem   *semaphore.Weighted
	group *errgroup.Group
}

func newSlots(n int, group *errgroup.Group) *slots {
	return &slots{sem: semaphore.NewWeighted(int64(n)), group: group}
}

// request sends nil on got once a slot is the caller's, or ctx's error. got must
// have room for one value.
func (s *slots) request(ctx context.Context, got chan<- error) {
	s.group.Go(func() error {
		got <- s.sem.Acquire(ctx, 1)
		return nil
	})
}

func (s *slots) release() { s.sem.Release(1) }
