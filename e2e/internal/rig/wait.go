package rig

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// pollEvery is how often a condition is tried: often enough to time changes by
// it, seldom enough to leave the CPU to what is tested.
const pollEvery = 25 * time.Millisecond

// final is an error that waiting longer cannot mend.
type final struct{ error }

func (f final) Unwrap() error { return f.error }

// Final marks an error that waiting longer cannot mend: [Until] gives up.
func Final(err error) error { return final{err} }

// Until tries a condition until it gives nil, the limit is over or ctx ends, and
// gives the last error then.
func Until(ctx context.Context, limit time.Duration, condition func() error) error {
	deadline := time.Now().Add(limit)
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := condition()
		if err == nil {
			return nil
		}
		if _, ok := errors.AsType[final](err); ok {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not within %s: %w", limit, err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}
