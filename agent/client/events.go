package client

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
)

// ErrStreamEnded tells that the agent ended the stream of [Client.Events]: it
// stops, or the connection was lost.
var ErrStreamEnded = errors.New("the agent ended the stream of events")

// Event is one thing that happened to a task.
type Event struct {
	// State is how the task stands now, the whole of it.
	State State
	// Removed names a task that is gone; then State is zero.
	Removed string
}

// Events gives how all tasks stand, then every change as it happens; with the
// name of a task, those of this one until it is removed. The last pair has an
// error: the context's own, [ErrStreamEnded] or why there is no stream.
func (c *Client) Events(ctx context.Context, task string) iter.Seq2[Event, error] {
	path := []string{"v1", "events"}
	if task != "" {
		path = []string{"v1", "tasks", task, "events"}
	}
	return func(yield func(Event, error) bool) {
		body, err := c.stream(ctx, path...)
		if err != nil {
			yield(Event{}, err)
			return
		}
		defer body.Close()
		events := newEventReader(body, maxAnswer)
		for {
			e, err := events.event()
			if err != nil && ctx.Err() != nil {
				err = ctx.Err()
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// stream opens an answer that is read as it comes.
func (c *Client) stream(ctx context.Context, path ...string) (io.ReadCloser, error) {
	u, err := c.url(path...)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Accept", "text/event-stream")
	res, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode == http.StatusOK {
		return res.Body, nil
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxMessage*8))
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	return nil, refusal(res.StatusCode, answer)
}

// eventReader reads a text/event-stream whose events have at most limit bytes.
type eventReader struct {
	lines *bufio.Scanner
	limit int
}

func newEventReader(r io.Reader, limit int) *eventReader {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, limit)
	return &eventReader{lines, limit}
}

// event gives the next event that this package knows.
func (e *eventReader) event() (out Event, err error) {
	for {
		kind, data, err := e.next()
		if err != nil {
			return Event{}, err
		}
		switch kind {
		case "state":
			return out, decode(data, &out.State)
		case "removed":
			return out, decode(data, &out.Removed)
		}
	}
}

// next gives the next event that has data; comments, which keep the connection
// alive, and other fields are passed over.
func (e *eventReader) next() (kind string, data []byte, err error) {
	for e.lines.Scan() {
		line := e.lines.Bytes()
		if len(line) == 0 {
			if len(data) > 0 {
				return kind, data, nil
			}
			kind = ""
			continue
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(name) {
		case "event":
			kind = string(value)
		case "data":
			if len(data) > 0 {
				data = append(data, '\n')
			}
			if data = append(data, value...); len(data) > e.limit {
				return "", nil, fmt.Errorf("read event: it is longer than %d bytes", e.limit)
			}
		}
	}
	if err := e.lines.Err(); err != nil {
		return "", nil, fmt.Errorf("read event: %w", err)
	}
	return "", nil, ErrStreamEnded
}
