package agent

import (
	"context"
	"errors"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"patchbay/tasks"
)

func TestALeaderIsWaitedForAMinuteOrUntilAStop(t *testing.T) {
	never := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	refused := func(ctx context.Context) error {
		<-ctx.Done()
		return &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	}
	stopped := make(chan struct{}, 1)
	stopped <- struct{}{}
	tests := map[string]struct {
		stop <-chan struct{}
		wait func(context.Context) error
		want error
		took time.Duration
	}{
		"a leader is there":                         {nil, func(context.Context) error { return nil }, nil, 0},
		"no leader for a minute":                    {nil, never, ErrConsul, time.Minute},
		"a stop comes first":                        {stopped, never, tasks.ErrStopping, 0},
		"nobody listens, which is to be waited for": {nil, refused, ErrConsul, time.Minute},
		"nobody listens, which ends it":             {nil, unlessRefused(refused), ErrConsul, time.Second},
		"somebody listens who knows no leader":      {nil, unlessRefused(never), ErrConsul, time.Minute},
		"a leader is there at once":                 {nil, unlessRefused(func(context.Context) error { return nil }), nil, 0},
	}
	for name, tc := range tests {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			err := awaitLeader(t.Context(), tc.stop, tc.wait)
			if !errors.Is(err, tc.want) || time.Since(start) != tc.took {
				t.Errorf("%s: %v after %v, want %v after %v", name, err, time.Since(start), tc.want, tc.took)
			}
		})
	}
}
