package dynamic

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"time"

	"github.com/hashicorp/vault/api"
)

// lease is what is known of one path. Its fields belong to who has the turn.
type lease struct {
	turn chan struct{}
	// plain: the path gives secrets without lease, which are read each time.
	plain  atomic.Bool
	secret *api.Secret
	first  time.Duration // as long as it was before renewals
	due    time.Time     // when it is to be renewed
	ends   time.Time
}

func (v *vault) lease(id string) *lease {
	v.mu.Lock()
	defer v.mu.Unlock()
	l, ok := v.leases[id]
	if !ok {
		if len(v.leases) >= maxLeases {
			clear(v.leases)
		}
		l = &lease{turn: make(chan struct{}, 1)}
		v.leases[id] = l
	}
	return l
}

// forget drops what was read with a token: its leases end with it.
func (v *vault) forget() {
	v.mu.Lock()
	defer v.mu.Unlock()
	clear(v.leases)
	clear(v.mounts)
}

func (l *lease) young(now time.Time) bool { return l.secret != nil && now.Before(l.due) }

func (l *lease) alive(now time.Time) bool { return l.secret != nil && now.Before(l.ends) }

// keep takes a new secret. What was written for is kept in turn by nobody else: an
// issued certificate without lease is good until it is about to expire.
func (l *lease) keep(s *api.Secret, now time.Time, written bool) {
	d := lifetime(s, now)
	if d <= 0 {
		l.secret = nil
		l.plain.Store(!written)
		return
	}
	l.secret, l.first = s, d
	l.extend(now, d)
}

func (l *lease) extend(now time.Time, d time.Duration) {
	l.due, l.ends = now.Add(d*2/3), now.Add(d)
}

// lifetime is how long a secret lives, 0 when it has no end that Vault tells. The
// lease_duration of KV version 1 comes without a lease and is only a hint.
func lifetime(s *api.Secret, now time.Time) time.Duration {
	switch {
	case s.LeaseID != "":
		return time.Duration(s.LeaseDuration) * time.Second
	case s.Data["certificate"] != nil:
		if at, ok := s.Data["expiration"].(json.Number); ok {
			if seconds, err := at.Int64(); err == nil {
				return time.Unix(seconds, 0).Sub(now)
			}
		}
	}
	return 0
}

// renew asks for more time. It is false when Vault gives no more than a third of the
// first lease, as it does near the end of the longest that it allows.
func (v *vault) renew(ctx context.Context, client *api.Client, l *lease) bool {
	s, err := client.Sys().RenewWithContext(ctx, l.secret.LeaseID, 0)
	if err != nil || s == nil {
		v.log.Debug("lease was not renewed", "err", hidden(v.explain(ctx, client, err)))
		return false
	}
	d := time.Duration(s.LeaseDuration) * time.Second
	if d <= l.first/3 {
		return false
	}
	renewed := *l.secret // templates under way read the old one
	renewed.LeaseDuration, renewed.Renewable = s.LeaseDuration, s.Renewable
	l.secret = &renewed
	l.extend(v.now(), d)
	return true
}
