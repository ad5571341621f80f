package proxies

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"

	"patchbay/tasks"
	"patchbay/xds"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const (
	// maxToken bounds a token, in bytes.
	maxToken = 4096
	// trusted is how long a token that was allowed is not asked for again; refused,
	// one that was not. Open streams are looked at again every minute, so a token that
	// lost its rights ends its streams within 5 minutes.
	trusted, refused = 4 * time.Minute, 10 * time.Second
	// maxVerdicts bounds what is remembered.
	maxVerdicts = 20_000
)

// MayWrite asks whether a token may write a service. judged is false when tokens prove
// nothing; an error means that nobody said.
type MayWrite func(ctx context.Context, token tasks.Secret, service string) (allowed, judged bool, err error)

// verdicts remembers what Consul said of tokens, by their digest alone.
type verdicts struct {
	ask MayWrite

	mu    sync.Mutex
	known map[verdictKey]verdict
}

type verdictKey struct {
	token   [sha256.Size]byte
	service string
}

type verdict struct {
	allowed, judged bool
	until           time.Time
}

// of gives the word on a token and a service. It is asked for when none is fresh; an
// error says that Consul could not be asked, and what was known before does not count.
func (v *verdicts) of(ctx context.Context, token tasks.Secret, service string) (verdict, error) {
	key := verdictKey{sha256.Sum256([]byte(token.Reveal())), service}
	v.mu.Lock()
	found, ok := v.known[key]
	v.mu.Unlock()
	if ok && time.Now().Before(found.until) {
		return found, nil
	}
	allowed, judged, err := v.ask(ctx, token, service)
	if err != nil {
		return verdict{}, err
	}
	keep := refused
	if allowed {
		keep = trusted
	}
	fresh := verdict{allowed: allowed, judged: judged, until: time.Now().Add(keep)}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.prune()
	v.known[key] = fresh
	return fresh, nil
}

// prune makes room; v.mu is held.
func (v *verdicts) prune() {
	if v.known == nil {
		v.known = map[verdictKey]verdict{}
	}
	if len(v.known) < maxVerdicts {
		return
	}
	now := time.Now()
	for key, old := range v.known {
		if now.After(old.until) {
			delete(v.known, key)
		}
	}
	if len(v.known) >= maxVerdicts {
		clear(v.known)
	}
}

// shownToken is the token that a client shows; empty when it shows none.
func shownToken(ctx context.Context) (tasks.Secret, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	list := md.Get(xds.TokenKey)
	switch {
	case len(list) == 0 || len(list) == 1 && list[0] == "":
		return tasks.Secret{}, nil
	case len(list) > 1 || len(list[0]) > maxToken:
		return tasks.Secret{}, status.Errorf(codes.InvalidArgument, "show one token of at most %d bytes in %s", maxToken, xds.TokenKey)
	}
	return tasks.NewSecret(list[0]), nil
}
