package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"patchbay/agent/client"

	"golang.org/x/sync/errgroup"
)

// watchStatus shows how all tasks stand and every change: a table that is drawn
// anew on a terminal, else a line per change. It ends with an error.
func (c *cli) watchStatus(ctx context.Context, api *client.Client, o output) error {
	if o != asJSON && c.terminal {
		return refused("unable to follow the status", c.watchScreen(ctx, api))
	}
	l := &ledger{c: c, json: o == asJSON, told: map[string]string{}}
	for e, err := range api.Events(ctx, "") {
		if err == nil {
			err = l.tell(e)
		}
		if err != nil {
			return refused("unable to follow the status", err)
		}
	}
	return nil
}

// ledger writes a line for each state that differs from the one told before.
type ledger struct {
	c    *cli
	json bool
	told map[string]string
}

func (l *ledger) tell(e client.Event) error {
	name, line := e.State.Name, ""
	var err error
	switch {
	case e.Removed != "":
		name = e.Removed
		if line = printable(name) + "  removed"; l.json {
			line, err = jsonLine(map[string]string{"removed": name})
		}
	case l.json:
		line, err = jsonLine(e.State)
	default:
		line = oneLine(e.State)
	}
	if err != nil || l.told[name] == line {
		return err
	}
	if l.told[name] = line; !l.json {
		line = l.c.now().Local().Format(time.DateTime) + "  " + line
	}
	_, err = io.WriteString(l.c.stdout, line+"\n")
	return err
}

// oneLine is a state in one line.
func oneLine(s client.State) string {
	parts := []string{s.Name, string(stand(s))}
	if s.Newest != nil {
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("%s %s %s", s.Newest.ID, s.Newest.Phase, done(*s.Newest))))
	}
	if s.Note != "" {
		parts = append(parts, clip(firstLine(s.Note), maxValue))
	}
	return printable(strings.Join(parts, "  "))
}

// jsonLine writes a value as one line of JSON that is safe for a terminal.
func jsonLine(value any) (string, error) {
	raw, err := json.Marshal(value)
	if err != nil {
		return "", fmt.Errorf("write JSON: %w", err)
	}
	return safeJSON(string(raw)), nil
}

// watchScreen draws the table of status on a terminal, at every change and once
// a second, because it tells how long ago things were.
func (c *cli) watchScreen(ctx context.Context, api *client.Client) error {
	group, ctx := errgroup.WithContext(ctx)
	events := make(chan client.Event)
	group.Go(func() error {
		for e, err := range api.Events(ctx, "") {
			if err != nil {
				return err
			}
			select {
			case events <- e:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	group.Go(func() error {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		s := screen{c: c}
		for {
			select {
			case e := <-events:
				s.update(e)
			case <-tick.C:
			case <-ctx.Done():
				return nil
			}
			if err := s.draw(); err != nil {
				return err
			}
		}
	})
	return group.Wait()
}

// screen is the table on a terminal.
type screen struct {
	c      *cli
	states []client.State
	drawn  string
}

func (s *screen) update(e client.Event) {
	if e.Removed != "" {
		s.states = slices.DeleteFunc(s.states, func(o client.State) bool { return o.Name == e.Removed })
		return
	}
	n := slices.IndexFunc(s.states, func(o client.State) bool { return o.Name == e.State.Name })
	if n < 0 {
		s.states = append(s.states, e.State)
		return
	}
	s.states[n] = e.State
}

// The terminal's commands: to the upper left corner, clear to the end of the line
// and of the screen.
const (
	home      = "\x1b[H"
	clearLine = "\x1b[K"
	clearRest = "\x1b[J"
)

// draw writes the table over the one before, without a flicker.
func (s *screen) draw() error {
	var p page
	p.overview(s.c, overview{Tasks: s.states})
	text := p.String()
	if text == s.drawn {
		return nil
	}
	s.drawn = text
	_, err := io.WriteString(s.c.stdout, home+strings.ReplaceAll(text, "\n", clearLine+"\n")+clearRest)
	return err
}
