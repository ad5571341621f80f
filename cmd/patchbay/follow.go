package main

import (
	"context"

	"patchbay/agent/client"
)

// follow gives use the states that read reads, then those that change, for ever:
// it ends with an error. all tells that states are of every task there is.
func follow(ctx context.Context, api *client.Client, read func() ([]client.State, error), use func(states []client.State, all bool) error) error {
	now := func() error {
		states, err := read()
		if err != nil {
			return err
		}
		return use(states, true)
	}
	if err := now(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	events, err := api.Events(ctx)
	if err != nil {
		return err
	}
	// What changed before the stream was open is read, not told.
	if err := now(); err != nil {
		return err
	}
	for s, err := range events {
		if err != nil {
			return err
		}
		if err := use([]client.State{s}, false); err != nil {
			return err
		}
	}
	return nil
}
