package dynamic

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/hashicorp/vault/api"
)

// renewRetry is how soon a renewal that found no Vault is tried again; a token that
// ends sooner is tried more often, though not more than once in shortest.
const renewRetry, shortest = 10 * time.Second, time.Second

var errNotRenewed = errors.New("vault gave no token back")

// run renews the token from its first use on, until ctx ends or another vault takes
// over.
func (v *vault) run(ctx context.Context) {
	timer := time.NewTimer(0)
	timer.Stop()
	defer timer.Stop()
	k := keeper{vault: v}
	for {
		select {
		case <-ctx.Done():
			v.hangUp()
			return
		case <-v.replaced:
			v.hangUp()
			return
		case <-v.changed:
			k = keeper{vault: v}
		case <-timer.C:
		}
		timer.Stop()
		if next := k.renew(ctx); next > 0 {
			timer.Reset(max(next, shortest))
		}
	}
}

// hangUp closes idle connections, as nobody reads any more.
func (v *vault) hangUp() {
	v.session <- struct{}{}
	defer func() { <-v.session }()
	if v.conns != nil {
		v.conns.CloseIdleConnections()
	}
}

// keeper keeps one token alive.
type keeper struct {
	*vault
	known bool      // Vault was asked what the token is
	ends  time.Time // of the token
}

// renew returns when to renew next; 0 is never, until there is another token.
func (k *keeper) renew(ctx context.Context) time.Duration {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	client, err := k.open(ctx)
	if err != nil {
		k.log.Warn("vault token was not renewed", "err", err)
		return renewRetry
	}
	if client.Token() == "" || !k.cfg.RenewToken {
		return 0
	}
	if !k.known {
		ttl, renewable, err := lookUp(ctx, client)
		if err != nil {
			return k.failed(ctx, client, err)
		}
		k.known, k.ends = true, k.now().Add(ttl)
		if !renewable {
			if ttl > 0 {
				k.log.Warn("vault token is not renewable", "ttl", ttl.String())
			}
			return 0
		}
	}
	s, err := client.Auth().Token().RenewSelfWithContext(ctx, 0)
	if err == nil && (s == nil || s.Auth == nil) {
		err = errNotRenewed
	}
	if err != nil {
		return k.failed(ctx, client, err)
	}
	ttl := time.Duration(s.Auth.LeaseDuration) * time.Second
	k.ends = k.now().Add(ttl)
	k.log.Debug("vault token was renewed", "ttl", ttl.String())
	return ttl * 2 / 3
}

func (k *keeper) failed(ctx context.Context, client *api.Client, err error) time.Duration {
	err = k.explain(ctx, client, err)
	if denied(err) {
		k.forget()
		k.log.Error("vault token was refused", "err", err)
		return 0
	}
	left := k.ends.Sub(k.now())
	k.log.Warn("vault token was not renewed", "left", max(left, 0).Round(time.Second).String(), "err", err)
	if left <= 0 {
		return renewRetry
	}
	return min(renewRetry, left/6)
}

// lookUp asks what the token is. A token without end has a ttl of 0.
func lookUp(ctx context.Context, client *api.Client) (ttl time.Duration, renewable bool, err error) {
	s, err := client.Auth().Token().LookupSelfWithContext(ctx)
	if err != nil {
		return 0, false, err
	}
	if s == nil {
		return 0, false, errNotRenewed
	}
	seconds, _ := s.Data["ttl"].(json.Number)
	n, _ := seconds.Int64()
	renewable, _ = s.Data["renewable"].(bool)
	return time.Duration(n) * time.Second, renewable && n > 0, nil
}
