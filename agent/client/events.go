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

// Events follows every change of any task's state, the whole state each time,
// beginning with the changes after this call: read [Client.States] after it and
// nothing is missed. It ends with ctx; so does the connection when nobody ranges
// over the states. The last pair has an error: the context's own, [ErrStreamEnded]
// or why an event could not be read.
func (c *Client) Events(ctx context.Context) (iter.Seq2[State, error], error) {
	body, err := c.stream(ctx, "v1", "events")
	if err != nil {
		return nil, err
	}
	return func(yield func(State, error) bool) {
		defer body.Close()
		events := newEventReader(body, maxAnswer)
		for {
			s, err := events.state()
			if err != nil && ctx.Err() != nil {
				err = ctx.Err()
			}
			if !yield(s, err) || err != nil {
				return
			}
		}
	}, nil
}

// stream opens an answer that is read as it comes.
func (c *Client) stream(ctx context.Context, path ...string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base.JoinPath(path...).String(), nil)
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

// state gives the next event as a task's state.
func (e *eventReader) state() (s State, err error) {
	data, err := e.next()
	if err != nil {
		return State{}, err
	}
	return s, decode(data, &s)
}

// next gives the data of the next event that has any; comments, which keep the
// connection alive, and other fields are passed over.
func (e *eventReader) next() ([]byte, error) {
	var data []byte
	for e.lines.Scan() {
		line := e.lines.Bytes()
		if len(line) == 0 && len(data) > 0 {
			return data, nil
		}
		value, ok := bytes.CutPrefix(line, []byte("data:"))
		if !ok {
			continue
		}
		if len(data) > 0 {
			data = append(data, '\n')
		}
		if data = append(data, bytes.TrimPrefix(value, []byte(" "))...); len(data) > e.limit {
			return nil, fmt.Errorf("read event: it is longer than %d bytes", e.limit)
		}
	}
	if err := e.lines.Err(); err != nil {
		return nil, fmt.Errorf("read event: %w", err)
	}
	return nil, ErrStreamEnded
}
