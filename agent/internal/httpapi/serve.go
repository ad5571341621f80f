package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
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

// stopKey is where a request's context has the channel that is closed at a stop. A
// request under way may finish then; an event stream, which never would, ends.
type stopKey struct{}

// complaining is a handler that takes what the server has to say of connections.
type complaining interface{ complaints() *log.Logger }

// logging is a handler with the agent's log. Every stranger who breaks off a TLS
// handshake makes a line: it is of debugging.
type logging struct {
	http.Handler
	log hclog.Logger
}

func (l logging) complaints() *log.Logger { return log.New(complaints{l.log}, "", 0) }

type complaints struct{ log hclog.Logger }

// Write implements [io.Writer]: a line is a message.
func (c complaints) Write(line []byte) (int, error) {
	c.log.Debug("connection failed", "err", strings.TrimSpace(string(line)))
	return len(line), nil
}

// Serve answers requests on a listener until ctx ends. Then it takes no new ones,
// ends event streams, lets other requests finish for at most 10 s, and closes the rest. It closes the
// listener and returns nil after a stop, or why it could not go on.
func Serve(ctx context.Context, l net.Listener, h http.Handler) error {
	serving, ended := context.WithCancel(ctx)
	defer ended()
	s := &http.Server{Handler: h, ReadHeaderTimeout: headerWait, IdleTimeout: idleWait, MaxHeaderBytes: maxHeader,
		BaseContext: func(net.Listener) context.Context {
			return context.WithValue(context.Background(), stopKey{}, serving.Done())
		}}
	if c, is := h.(complaining); is {
		s.ErrorLog = c.complaints()
	}
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
