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
	var err error
	read := func() ([]client.State, error) { return api.States(ctx) }
	if o != asJSON && c.terminal {
		err = c.watchScreen(ctx, api, read)
	} else {
		err = follow(ctx, api, read, (&ledger{c: c, json: o == asJSON, told: map[string]string{}}).tell)
	}
	return refused("unable to follow the status", err)
}

// ledger writes a line for each state that differs from the one told before.
type ledger struct {
	c    *cli
	json bool
	told map[string]string
}

func (l *ledger) tell(states []client.State, all bool) error {
	var out strings.Builder
	here := map[string]bool{}
	for _, s := range states {
		here[s.Name] = true
		line, err := l.line(s)
		if err != nil {
			return err
		}
		if l.told[s.Name] == line {
			continue
		}
		l.told[s.Name] = line
		if !l.json {
			line = l.c.now().Local().Format(time.DateTime) + "  " + line
		}
		out.WriteString(line + "\n")
	}
	for name := range l.told {
		if all && !here[name] {
			delete(l.told, name)
			if !l.json {
				fmt.Fprintf(&out, "%s  %s  is gone\n", l.c.now().Local().Format(time.DateTime), printable(name))
			}
		}
	}
	_, err := io.WriteString(l.c.stdout, out.String())
	return err
}

// line is a state in one line.
func (l *ledger) line(s client.State) (string, error) {
	if l.json {
		text, err := jsonLine(s)
		return text, err
	}
	parts := []string{s.Name, string(stand(s))}
	if s.Newest != nil {
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("%s %s %s", s.Newest.ID, s.Newest.Phase, done(*s.Newest))))
	}
	if s.Note != "" {
		parts = append(parts, clip(firstLine(s.Note), maxValue))
	}
	return printable(strings.Join(parts, "  ")), nil
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
func (c *cli) watchScreen(ctx context.Context, api *client.Client, read func() ([]client.State, error)) error {
	type change struct {
		states []client.State
		all    bool
	}
	group, ctx := errgroup.WithContext(ctx)
	changes := make(chan change)
	group.Go(func() error {
		return follow(ctx, api, read, func(states []client.State, all bool) error {
			select {
			case changes <- change{states, all}:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	})
	group.Go(func() error {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		s := screen{c: c}
		for {
			select {
			case ch := <-changes:
				s.update(ch.states, ch.all)
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

func (s *screen) update(states []client.State, all bool) {
	if all {
		s.states = slices.Clone(states)
		return
	}
	for _, one := range states {
		n := slices.IndexFunc(s.states, func(o client.State) bool { return o.Name == one.Name })
		if n < 0 {
			s.states = append(s.states, one)
			continue
		}
		s.states[n] = one
	}
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
