package dynamic

import (
	"context"
	"errors"
	"strings"
	"testing"

	"patchbay/agent/config"
	"patchbay/tasks"

	"github.com/hashicorp/go-hclog"
	"github.com/zclconf/go-cty/cty"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// Consul's test server keeps looking for ports that are free again.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/hashicorp/consul/sdk/freeport.checkFreedPorts"))
}

// values are what the fakes of environment and Consul hold.
type values struct {
	env map[string]string
	kv  map[Key]string
	// kvErr is what every read of Consul fails with.
	kvErr error
	// reads counts the reads of Consul.
	reads int
}

func (v *values) options(vault config.Vault) Options {
	return Options{
		Getenv: func(name string) string { return v.env[name] },
		KV: func(_ context.Context, key Key) (string, bool, error) {
			v.reads++
			value, ok := v.kv[key]
			return value, ok, v.kvErr
		},
		Vault: vault, Log: hclog.NewNullLogger(),
	}
}

// block is a provider with one argument.
func block(text string) tasks.Provider {
	return tasks.Provider{Name: "bigip", Arguments: tasks.NewSecretValue(cty.ObjectVal(map[string]cty.Value{"password": cty.StringVal(text)}))}
}

// resolve gives that argument filled in.
func resolve(t *testing.T, r *Resolver, text string) (string, error) {
	t.Helper()
	p, err := r.Provider(t.Context(), block(text))
	if err != nil {
		return "", err
	}
	return p.Arguments.Reveal().GetAttr("password").AsString(), nil
}

func mustResolve(t *testing.T, r *Resolver, text string) string {
	t.Helper()
	got, err := resolve(t, r, text)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// says fails unless err holds all the texts and none of the forbidden ones.
func says(t *testing.T, err error, want []string, never ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one that says %q", want)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not say %q", err, w)
		}
	}
	for _, n := range never {
		if strings.Contains(err.Error(), n) {
			t.Errorf("error %q shows %q", err, n)
		}
		for e := err; e != nil; e = errors.Unwrap(e) {
			if strings.Contains(e.Error(), n) {
				t.Errorf("cause %q shows %q", e, n)
			}
		}
	}
}
