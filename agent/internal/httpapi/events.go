package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"patchbay/tasks"

	"golang.org/x/sync/errgroup"
)

// Limits of event streams. A stream costs the agent a goroutine or two and one
// state per task.
const (
	// maxStreams is how many may be open at once.
	maxStreams = 100
	// beat is how often a stream shows that it lives; proxies cut silent ones.
	beat = 15 * time.Second
	// writeWait is how long a reader may block one write before it is cut off.
	writeWait = 30 * time.Second
)

func (a *api) allEvents(x exchange) {
	name, given, err := single(x.r.URL.RawQuery, "task")
	if err != nil {
		x.fail(http.StatusBadRequest, "%s", err)
		return
	}
	if _, known := a.Reader.State(name); given && !known {
		x.fail(http.StatusNotFound, "a task with name '%s' does not exist or has not been initialized yet", clip(name))
		return
	}
	a.follow(x, name)
}

func (a *api) taskEvents(x exchange) {
	if _, known := a.Reader.State(x.name()); !known {
		x.unknownTask()
		return
	}
	a.follow(x, x.name())
}

// follow streams the states of all tasks, or of one: first all as they stand,
// then every change. It returns when the reader or the server goes, or when the
// one task is gone.
func (a *api) follow(x exchange, only string) {
	select {
	case a.seats <- struct{}{}:
		defer func() { <-a.seats }()
	default:
		x.fail(http.StatusServiceUnavailable, "%d event streams are open already, the most there may be; close one or ask for the state again and again", maxStreams)
		return
	}
	x.w.Header().Set("Content-Type", "text/event-stream")
	x.w.Header().Set("X-Accel-Buffering", "no") // NGINX would keep events back
	s := &stream{exchange: x, api: a, only: only, control: http.NewResponseController(x.w)}
	if x.r.Method == http.MethodHead {
		x.w.WriteHeader(http.StatusOK)
		return
	}
	ctx, leave := context.WithCancel(x.r.Context())
	if only == "" && a.Canaries != nil {
		s.shifts = a.Canaries.Shifts(ctx)
	}
	// Subscribed before it looks, the stream misses nothing in between.
	changes, batches := a.Feed.Events(ctx), make(chan []tasks.State)
	var group errgroup.Group
	group.Go(func() error {
		newest(ctx, changes, batches, only)
		return nil
	})
	s.write(batches)
	leave()
	_ = group.Wait() // it returns no error
	// The next request on this connection has no such limit.
	_ = s.control.SetWriteDeadline(time.Time{})
}

// newest passes states on in batches, the newest of each task only: it always
// takes, so that a slow reader never holds up who sends. It closes out.
func newest(ctx context.Context, in <-chan tasks.State, out chan<- []tasks.State, only string) {
	defer close(out)
	var waiting []tasks.State
	for {
		var send chan<- []tasks.State
		if len(waiting) > 0 {
			send = out
		}
		select {
		case <-ctx.Done():
			return
		case s, open := <-in:
			if !open {
				return
			}
			if only == "" || s.Task.Name == only {
				waiting = slices.DeleteFunc(waiting, func(old tasks.State) bool { return old.Task.Name == s.Task.Name })
				waiting = append(waiting, s)
			}
		case send <- waiting:
			waiting = nil
		}
	}
}

// stream is one open answer of server-sent events.
type stream struct {
	exchange
	api     *api
	only    string
	control *http.ResponseController
	// shifts are changes of canaries; nil on a stream of one task.
	shifts <-chan CanaryState
	// told are the tasks that the reader knows of.
	told []string
}

// write sends what comes until the reader, the server or the feed ends.
func (s *stream) write(batches <-chan []tasks.State) {
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	if !s.states(s.untold()) || !s.canaries() {
		return
	}
	stopping, _ := s.r.Context().Value(stopKey{}).(<-chan struct{})
	for {
		select {
		case <-s.r.Context().Done():
			return
		case <-stopping:
			return
		case batch, open := <-batches:
			if !open || !s.states(batch) {
				return
			}
		case c, open := <-s.shifts:
			if !open || !s.send(appendEvent(nil, "canary", NewCanary(c))) {
				return
			}
		case <-ticker.C:
			if !s.send([]byte(": alive\n\n")) || !s.states(s.untold()) {
				return
			}
		}
	}
}

// canaries sends how all canaries stand; ok is false at the stream's end.
func (s *stream) canaries() (ok bool) {
	if s.shifts == nil {
		return true
	}
	var text []byte
	for _, c := range s.api.canaryStates() {
		text = appendEvent(text, "canary", NewCanary(c))
	}
	return len(text) == 0 || s.send(text)
}

// untold lists the tasks that the reader does not know of.
func (s *stream) untold() (out []tasks.State) {
	for _, state := range s.api.Reader.States() {
		if !slices.Contains(s.told, state.Task.Name) {
			out = append(out, state)
		}
	}
	return out
}

// states sends states and which tasks have gone; ok is false at the stream's end.
// A task that the reader was never told of and that is gone by now never was one:
// it was inspected, or could not be set up.
func (s *stream) states(list []tasks.State) (ok bool) {
	var text []byte
	for _, state := range list {
		name := state.Task.Name
		_, known := s.api.Reader.State(name)
		if s.only != "" && name != s.only || !known {
			continue
		}
		text = appendEvent(text, "state", NewState(state))
		if !slices.Contains(s.told, name) {
			s.told = append(s.told, name)
		}
	}
	var gone []string
	for _, name := range s.told {
		if _, known := s.api.Reader.State(name); !known {
			gone = append(gone, name)
			text = appendEvent(text, "removed", name)
		}
	}
	s.told = slices.DeleteFunc(s.told, func(name string) bool { return slices.Contains(gone, name) })
	return s.send(text) && !(s.only != "" && len(gone) > 0)
}

// appendEvent appends an event in the form of server-sent events.
func appendEvent(text []byte, event string, data any) []byte {
	line, err := json.Marshal(data)
	if err != nil {
		return text // neither a State nor a name has a value that JSON cannot tell
	}
	text = append(text, "event: "+event+"\ndata: "...)
	return append(append(text, line...), "\n\n"...)
}

// send writes within [writeWait]; ok is false when the reader does not take it.
func (s *stream) send(text []byte) (ok bool) {
	// Not every writer has deadlines; the connections of [Serve] do.
	_ = s.control.SetWriteDeadline(time.Now().Add(writeWait))
	if _, err := s.w.Write(text); err != nil {
		return false
	}
	return s.control.Flush() == nil
}
