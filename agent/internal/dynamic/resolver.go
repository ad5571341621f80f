package dynamic

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"patchbay/agent/config"
	"patchbay/tasks"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/api"
	"github.com/zclconf/go-cty/cty"
)

// patience is how long one template may take.
const patience = 5 * time.Second

// ErrNoVault is returned for a template that asks Vault when the configuration has
// no vault block.
var ErrNoVault = errors.New("detected dynamic configuration using Vault: missing Vault configuration")

// Key names a key in Consul KV; all but Path may be "", which means the agent's own.
type Key struct {
	Path, Datacenter, Namespace, Partition string
}

// Options is where values come from.
type Options struct {
	// Getenv gives a variable of the environment, "" when it is not set.
	Getenv func(name string) string
	// KV reads one key consistently; ok tells whether it is there.
	KV    func(ctx context.Context, key Key) (value string, ok bool, err error)
	Vault config.Vault
	Log   hclog.Logger
}

// Resolver fills in provider blocks. It may be used by many goroutines.
type Resolver struct {
	getenv func(string) string
	kv     func(context.Context, Key) (string, bool, error)
	// vault is replaced as a whole when its configuration changes.
	vault atomic.Pointer[vault]
	log   hclog.Logger
}

// New makes a resolver; nothing is read before a template asks for it.
func New(o Options) *Resolver {
	r := &Resolver{getenv: o.Getenv, kv: o.KV, log: o.Log}
	r.vault.Store(newVault(o.Vault, o.Log))
	return r
}

// UseVault reads secrets by another configuration from the next block on; equal to
// the present one it changes nothing. It must not be called twice at once.
func (r *Resolver) UseVault(cfg config.Vault) {
	if r.vault.Load().cfg != cfg {
		close(r.vault.Swap(newVault(cfg, r.log)).replaced)
	}
}

// Run renews Vault's token, from its first use until ctx ends; it returns nil then.
// It must run once at most. Without it everything but that renewal works.
func (r *Resolver) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		r.vault.Load().run(ctx)
	}
	return nil
}

// Provider gives p with every template in its arguments and environment filled in.
// Each template may take 5 s. An error names the block, the argument and the call
// that failed; it wraps [ErrNoVault] or the error of ctx where these are the cause.
func (r *Resolver) Provider(ctx context.Context, p tasks.Provider) (tasks.Provider, error) {
	read := &reading{Resolver: r, vault: r.vault.Load(), secrets: map[string]*api.Secret{}, keys: map[Key]*Pair{}}
	fill := func(text string) (string, error) {
		if !isTemplate(text) {
			return text, nil
		}
		return read.expand(ctx, text)
	}
	if arguments := p.Arguments.Reveal(); hasTemplate(arguments) {
		filled, err := walk("", arguments, fill)
		if err != nil {
			return tasks.Provider{}, fmt.Errorf("resolve provider %s: %w", p.ID(), err)
		}
		p.Arguments = tasks.NewSecretValue(filled)
	}
	env, err := fillEnv(p.Env, fill)
	if err != nil {
		return tasks.Provider{}, fmt.Errorf("resolve provider %s: %w", p.ID(), err)
	}
	p.Env = env
	return p, nil
}

// fillEnv gives a copy: the block belongs to the configuration.
func fillEnv(env map[string]tasks.Secret, fill filler) (map[string]tasks.Secret, error) {
	out := env
	for n, name := range slices.Sorted(maps.Keys(env)) {
		if n == 0 {
			out = maps.Clone(env)
		}
		text, err := fill(env[name].Reveal())
		if err == nil && strings.ContainsRune(text, 0) {
			err = errors.New("the value holds a zero byte, which no environment variable can")
		}
		if err != nil {
			return nil, fmt.Errorf("task_env.%s: %w", name, err)
		}
		out[name] = tasks.NewSecret(text)
	}
	return out, nil
}

// filler gives the text that a text stands for.
type filler func(text string) (string, error)

// hasTemplate saves a block without templates from being rebuilt.
func hasTemplate(v cty.Value) bool {
	found := false
	_, _ = walk("", v, func(text string) (string, error) {
		found = found || isTemplate(text)
		return text, nil
	})
	return found
}

// walk rebuilds v with every string filled in. Attributes keep their order by name,
// so that the same argument is named by an error each time.
func walk(path string, v cty.Value, fill filler) (cty.Value, error) {
	v, _ = v.Unmark()
	t := v.Type()
	switch {
	case v == cty.NilVal || v.IsNull() || !v.IsKnown():
		return v, nil
	case t == cty.String:
		return walkString(path, v, fill)
	case t.IsObjectType() || t.IsMapType():
		return walkNamed(path, v, fill)
	case t.IsTupleType() || t.IsListType() || t.IsSetType():
		return walkListed(path, v, fill)
	}
	return v, nil
}

func walkString(path string, v cty.Value, fill filler) (cty.Value, error) {
	text, err := fill(v.AsString())
	if err == nil && !utf8.ValidString(text) {
		err = errors.New("the value is not UTF-8 text, which Terraform needs; keep it encoded, as Base64 for one")
	}
	if err != nil {
		return cty.NilVal, fmt.Errorf("%s: %w", path, err)
	}
	return cty.StringVal(text), nil
}

func walkNamed(path string, v cty.Value, fill filler) (cty.Value, error) {
	elements := v.AsValueMap()
	for _, name := range slices.Sorted(maps.Keys(elements)) {
		below := name
		if path != "" {
			below = path + "." + name
		}
		e, err := walk(below, elements[name], fill)
		if err != nil {
			return cty.NilVal, err
		}
		elements[name] = e
	}
	switch {
	case len(elements) == 0:
		return v, nil
	case v.Type().IsMapType():
		return cty.MapVal(elements), nil
	}
	return cty.ObjectVal(elements), nil
}

func walkListed(path string, v cty.Value, fill filler) (cty.Value, error) {
	elements := v.AsValueSlice()
	for n := range elements {
		e, err := walk(fmt.Sprintf("%s[%d]", path, n), elements[n], fill)
		if err != nil {
			return cty.NilVal, err
		}
		elements[n] = e
	}
	switch t := v.Type(); {
	case len(elements) == 0:
		return v, nil
	case t.IsListType():
		return cty.ListVal(elements), nil
	case t.IsSetType():
		return cty.SetVal(elements), nil
	}
	return cty.TupleVal(elements), nil
}
