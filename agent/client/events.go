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

// Events gives every change of any task's state as it happens, the whole state
// each time, beginning with how all tasks stand. The last pair has an error: the
// context's own, [ErrStreamEnded] or why there is no stream.
func (c *Client) Events(ctx context.Context) iter.Seq2[State, error] {
	return func(yield func(State, error) bool) {
		body, err := c.stream(ctx, "v1", "events")
		if err != nil {
			yield(State{}, err)
			return
		}
		defer body.Close()
		events := newEventReader(body, maxAnswer)
		for {
			data, err := events.next()
			if err == nil {
				var s State
				if err = decode(data, &s); err == nil {
					if !yield(s, nil) {
						return
					}
					continue
				}
			}
			if ctx.Err() != nil {
				err = ctx.Err()
			}
			yield(State{}, err)
			return
		}
	}
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
