package agent

import (
	"fmt"
	"time"

	"patchbay/tasks"

	"github.com/cenkalti/backoff/v5"
)

// The first two tries come as quickly as CTS's; then a device gets time to heal.
const (
	firstRetry = time.Second
	lastRetry  = 15 * time.Minute
)

// retry tells when a failed run is tried again. It never gives up.
type retry struct {
	policy *backoff.ExponentialBackOff
	wait   time.Duration
	at     time.Time
}

func newRetry() *retry {
	return &retry{policy: &backoff.ExponentialBackOff{
		InitialInterval: firstRetry, Multiplier: 2, RandomizationFactor: 0.2, MaxInterval: lastRetry,
	}}
}

func (r *retry) next(now time.Time) {
	r.wait = r.policy.NextBackOff()
	r.at = now.Add(r.wait)
}

// supersede ends a failing run for a newer one.
func (r *runner) supersede() {
	if r.run == nil || r.run.Phase != tasks.Retrying {
		return
	}
	r.run.Phase, r.run.Updated = tasks.Failed, r.now()
	r.remember(*r.run)
	r.save(*r.run)
}

// tell hands on that the first pass failed.
func (r *runner) tell(err error) {
	if r.run.Trigger != tasks.FirstPass || r.run.Tries > 1 {
		return
	}
	select {
	case r.failed <- fmt.Errorf("run task %s: %w", r.name, err):
	default:
	}
}
