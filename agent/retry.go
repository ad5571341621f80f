package agent

import (
	"time"

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
