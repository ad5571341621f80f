package dynamic

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"strings"
	"text/template"

	"github.com/hashicorp/vault/api"
)

// readers are the functions that read something by their first argument.
var readers = []string{"env", "envOrDefault", "mustEnv", "key", "keyOrDefault", "keyExists", "keyExistsGet", "secret", "secrets"}

var (
	errNoKey    = errors.New("there is no such key in Consul KV; nothing was run; write the key or correct the template")
	errNoSecret = errors.New("there is no such secret in Vault; nothing was run; write the secret or correct the template")
	errNoEnv    = errors.New("the environment variable is not set; nothing was run; set it where Patchbay is started")
	errPath     = errors.New("not a path; write path, path@datacenter or path?ns=namespace")
	errPair     = errors.New("what follows the path of a secret must be \"name=value\"")
	errWidth    = errors.New("a printf format may have no width over 999, no * and no [")
)

// Pair is what keyExistsGet gives.
type Pair struct {
	Path, Key, Value string
	Exists           bool
}

// reading is one call of [Resolver.Provider]. What it has read it does not read
// again: name and password of one secret, in two arguments, belong together.
type reading struct {
	*Resolver
	vault   *vault
	secrets map[string]*api.Secret
	keys    map[Key]*Pair
}

// funcs are a template's functions; known tells what their errors may show.
func (r *reading) funcs(ctx context.Context, known *literals) template.FuncMap {
	funcs := template.FuncMap{
		"step":     stepper(ctx),
		"printf":   printf,
		"print":    bounded(fmt.Sprint),
		"println":  bounded(fmt.Sprintln),
		"html":     bounded(template.HTMLEscaper),
		"js":       bounded(template.JSEscaper),
		"urlquery": bounded(template.URLQueryEscaper),
	}
	maps.Copy(funcs, r.envFuncs(known))
	maps.Copy(funcs, r.keyFuncs(ctx, known))
	maps.Copy(funcs, r.secretFuncs(ctx, known))
	return funcs
}

// stepper counts the turns of one template and ends it with ctx.
func stepper(ctx context.Context) func() (string, error) {
	steps := 0
	return func() (string, error) {
		if steps++; steps > maxSteps {
			return "", errSteps
		}
		return "", ctx.Err()
	}
}

func (r *reading) envFuncs(known *literals) template.FuncMap {
	return template.FuncMap{
		"env": r.getenv,
		"envOrDefault": func(name, otherwise string) string {
			return cmp.Or(r.getenv(name), otherwise)
		},
		"mustEnv": func(name string) (string, error) {
			if value := r.getenv(name); value != "" {
				return value, nil
			}
			return "", known.failed("mustEnv", name, errNoEnv)
		},
	}
}

func (r *reading) keyFuncs(ctx context.Context, known *literals) template.FuncMap {
	return template.FuncMap{
		"key": func(path string) (string, error) {
			pair, err := r.key(ctx, path)
			if err == nil && !pair.Exists {
				err = errNoKey
			}
			if err != nil {
				return "", known.failed("key", path, err)
			}
			return pair.Value, nil
		},
		"keyOrDefault": func(path, otherwise string) (string, error) {
			pair, err := r.key(ctx, path)
			if err != nil {
				return "", known.failed("keyOrDefault", path, err)
			}
			return cmp.Or(pair.Value, otherwise), nil
		},
		"keyExists": func(path string) (bool, error) {
			pair, err := r.key(ctx, path)
			if err != nil {
				return false, known.failed("keyExists", path, err)
			}
			return pair.Exists, nil
		},
		"keyExistsGet": func(path string) (*Pair, error) {
			pair, err := r.key(ctx, path)
			if err != nil {
				return nil, known.failed("keyExistsGet", path, err)
			}
			return pair, nil
		},
	}
}

func (r *reading) secretFuncs(ctx context.Context, known *literals) template.FuncMap {
	return template.FuncMap{
		"secret": func(path string, pairs ...string) (*api.Secret, error) {
			s, err := r.secret(ctx, path, pairs)
			if err != nil {
				return nil, known.failed("secret", path, err)
			}
			return s, nil
		},
		"secrets": func(path string) ([]string, error) {
			names, err := r.vault.list(ctx, path)
			if err != nil {
				return nil, known.failed("secrets", path, err)
			}
			return names, nil
		},
	}
}

// keyForm is consul-template's: a path, then a query, then a datacenter.
var keyForm = regexp.MustCompile(`^/?([^@?]+)(\?[\w\-=&]+)?(@[\w.\-]+)?$`)

func (r *reading) key(ctx context.Context, path string) (*Pair, error) {
	m := keyForm.FindStringSubmatch(path)
	if m == nil {
		return nil, errPath
	}
	query, err := url.ParseQuery(strings.TrimPrefix(m[2], "?"))
	if err != nil {
		return nil, errPath
	}
	key := Key{Path: m[1], Datacenter: strings.TrimPrefix(m[3], "@"), Namespace: query.Get("ns"), Partition: query.Get("partition")}
	if pair, ok := r.keys[key]; ok {
		return pair, nil
	}
	value, ok, err := r.kv(ctx, key)
	if err != nil {
		return nil, consulError(ctx, err)
	}
	if len(value) > maxOutput {
		return nil, errOutput
	}
	pair := &Pair{Path: key.Path, Key: key.Path, Value: value, Exists: ok}
	r.keys[key] = pair
	return pair, nil
}

func (r *reading) secret(ctx context.Context, path string, pairs []string) (*api.Secret, error) {
	q, err := newQuery(path, pairs)
	if err != nil {
		return nil, err
	}
	if s, ok := r.secrets[q.id]; ok {
		return s, nil
	}
	s, err := r.vault.read(ctx, q)
	if err != nil {
		return nil, err
	}
	r.secrets[q.id] = s
	return s, nil
}

// wide finds what lets a short format make a long text.
var wide = regexp.MustCompile(`%[^a-zA-Z%]*(\d{4}|[*\[])`)

func printf(format string, args ...any) (string, error) {
	if wide.MatchString(format) {
		return "", errWidth
	}
	return bounded(func(args ...any) string { return fmt.Sprintf(format, args...) })(args...)
}

// bounded keeps a text that is doubled again and again from filling the memory.
func bounded(make func(...any) string) func(...any) (string, error) {
	return func(args ...any) (string, error) {
		size := 0
		for _, a := range args {
			if s, ok := a.(string); ok {
				size += len(s)
			}
		}
		if size > maxOutput {
			return "", errOutput
		}
		if text := make(args...); len(text) <= maxOutput {
			return text, nil
		}
		return "", errOutput
	}
}
