package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
)

// Limits of a connection. There is no time limit on writing an answer: it may
// wait for a run.
const (
	headerWait = 10 * time.Second
	idleWait   = 2 * time.Minute
	stopWait   = 10 * time.Second
	maxHeader  = 64 << 10
)

// Serve answers requests on a listener until ctx ends. Then it takes no new ones,
// lets those under way finish for at most 10 s, and closes the rest. It closes the
// listener and returns nil after a stop, or why it could not go on.
func Serve(ctx context.Context, l net.Listener, h http.Handler) error {
	s := &http.Server{Handler: h, ReadHeaderTimeout: headerWait, IdleTimeout: idleWait, MaxHeaderBytes: maxHeader}
	serving, ended := context.WithCancel(ctx)
	defer ended()
	var group errgroup.Group
	group.Go(func() error {
		<-serving.Done()
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWait)
		defer cancel()
		if err := s.Shutdown(limit); errors.Is(err, context.DeadlineExceeded) {
			return s.Close()
		}
		return nil
	})
	err := s.Serve(l)
	ended()
	err = errors.Join(err, group.Wait())
	if ctx.Err() != nil && errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve HTTP API on %s: %w", l.Addr(), err)
}
