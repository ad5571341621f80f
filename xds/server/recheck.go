package server

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// Recheck is how often it is looked at whether clients may stay.
	Recheck = time.Minute
	// recheckLimit bounds one look at one client, recheckAtOnce how many there are at
	// once.
	recheckLimit  = 10 * time.Second
	recheckAtOnce = 8
)

// recheck ends the streams of those who may not stay, until ctx ends.
func (s *Server) recheck(ctx context.Context) {
	tick := time.NewTicker(Recheck)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.expel(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// expel looks at every stream once.
func (s *Server) expel(ctx context.Context) {
	s.mu.Lock()
	ends := make(map[*stream]context.CancelFunc, len(s.streams))
	for st, end := range s.streams {
		ends[st] = end
	}
	s.mu.Unlock()
	var group errgroup.Group
	group.SetLimit(recheckAtOnce)
	for st, end := range ends {
		renew := st.renewal()
		if renew == nil {
			continue
		}
		group.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, recheckLimit)
			defer cancel()
			if err := renew(ctx); err != nil {
				st.verdict.set(err)
				end()
			}
			return nil
		})
	}
	_ = group.Wait() // nothing in it fails
}

func (s *stream) renewal() func(context.Context) error {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	return s.client.peer.Renew
}

// verdict is why a stream was ended.
type verdict struct {
	mu  sync.Mutex
	err error
}

func (v *verdict) set(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.err = err
}

// or gives the verdict, or err where there is none.
func (v *verdict) or(err error) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.err != nil {
		return v.err
	}
	return err
}
