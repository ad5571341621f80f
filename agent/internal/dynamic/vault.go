package dynamic

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"patchbay/agent/config"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/api"
)

// maxLeases bounds the paths that are remembered: they may be made of values.
const maxLeases = 1024

// vault reads secrets. Its client is made when the first template asks.
type vault struct {
	cfg config.Vault
	log hclog.Logger
	now func() time.Time
	// session is held while the client is made and its token is looked after.
	session chan struct{}
	client  *api.Client
	conns   *http.Client
	// given is the token as it was configured, which may be a wrapping one.
	given string
	// changed tells run of a new token.
	changed chan struct{}
	// replaced is closed when another one takes over.
	replaced chan struct{}

	mu     sync.Mutex
	leases map[string]*lease
	mounts map[string]mount
}

func newVault(cfg config.Vault, log hclog.Logger) *vault {
	return &vault{cfg: cfg, log: log, now: time.Now, session: make(chan struct{}, 1), changed: make(chan struct{}, 1), replaced: make(chan struct{}),
		leases: map[string]*lease{}, mounts: map[string]mount{}}
}

// query is one thing to read, or with data to write and be answered.
type query struct {
	id, path string
	values   url.Values
	data     map[string]any
}

// newQuery takes a path with an optional query, such as ?version=2.
func newQuery(path string, pairs []string) (query, error) {
	u, err := url.Parse(strings.Trim(strings.TrimSpace(path), "/"))
	if err != nil || u.Path == "" || u.Scheme != "" || u.Host != "" || slices.Contains(strings.Split(u.Path, "/"), "..") {
		return query{}, errPath
	}
	q := query{id: strings.Join(append([]string{path}, pairs...), "\x00"), path: u.Path, values: u.Query()}
	for _, pair := range pairs {
		if pair == "" {
			continue
		}
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return query{}, errPair
		}
		if q.data == nil {
			q.data = map[string]any{}
		}
		q.data[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	return q, nil
}

// read gives a secret: the one at hand while its lease is young, else a new one.
func (v *vault) read(ctx context.Context, q query) (*api.Secret, error) {
	client, err := v.open(ctx)
	if err != nil {
		return nil, err
	}
	l := v.lease(q.id)
	if l.plain.Load() {
		return v.fetch(ctx, client, q)
	}
	// Two tasks at once share one lease instead of taking two.
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return nil, vaultError(ctx, ctx.Err(), "")
	}
	now := v.now()
	if l.young(now) || l.alive(now) && l.secret.Renewable && v.renew(ctx, client, l) {
		return l.secret, nil
	}
	s, err := v.fetch(ctx, client, q)
	switch {
	case err == nil:
		l.keep(s, v.now(), q.data != nil)
		return s, nil
	case l.alive(now) && !denied(err):
		v.log.Warn("lease was neither renewed nor replaced", "ends", l.ends.Format(time.RFC3339), "err", hidden(err))
		return l.secret, nil
	}
	return nil, err
}

func (v *vault) fetch(ctx context.Context, client *api.Client, q query) (*api.Secret, error) {
	if q.data != nil {
		s, err := client.Logical().WriteWithContext(ctx, q.path, q.data)
		if err == nil && s == nil {
			err = errNoSecret
		}
		return s, v.explain(ctx, client, err)
	}
	m, err := v.mount(ctx, client, q.path)
	if err != nil {
		return nil, v.explain(ctx, client, err)
	}
	s, err := client.Logical().ReadWithDataWithContext(ctx, m.data(q.path, v.cfg.Namespace), q.values)
	if err == nil && gone(s) {
		v.unmount(q.path) // it may be another engine by now
		err = errNoSecret
	}
	if err != nil {
		return nil, v.explain(ctx, client, err)
	}
	return s, nil
}

// list gives the sorted names below a path; none is not an error.
func (v *vault) list(ctx context.Context, path string) ([]string, error) {
	q, err := newQuery(path, nil)
	if err != nil {
		return nil, err
	}
	client, err := v.open(ctx)
	if err != nil {
		return nil, err
	}
	m, err := v.mount(ctx, client, q.path)
	if err != nil {
		return nil, v.explain(ctx, client, err)
	}
	s, err := client.Logical().ListWithContext(ctx, m.metadata(q.path))
	if err != nil {
		return nil, v.explain(ctx, client, err)
	}
	if s == nil {
		return nil, nil
	}
	keys, _ := s.Data["keys"].([]any)
	var names []string
	for _, k := range keys {
		if name, ok := k.(string); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

func (v *vault) explain(ctx context.Context, client *api.Client, err error) error {
	if errors.Is(err, errNoSecret) {
		return err
	}
	return vaultError(ctx, err, client.Token())
}

// gone tells of an answer without secret: a 404 with nothing but warnings, as for a
// path of KV version 1 after an upgrade, or a version that was deleted or destroyed.
func gone(s *api.Secret) bool {
	if s == nil || len(s.Data) == 0 && s.Auth == nil && s.WrapInfo == nil {
		return true
	}
	data, versioned := s.Data["data"]
	_, meta := s.Data["metadata"].(map[string]any)
	return versioned && meta && data == nil
}
