package agent

import (
	"context"
	"slices"
	"strings"

	"patchbay/agent/config"
	"patchbay/tasks"
	"patchbay/tasks/catalog"
	"patchbay/templates"

	"github.com/zclconf/go-cty/cty"
)

// resolve fills in the values of a provider block that come from elsewhere.
type resolve func(ctx context.Context, p tasks.Provider) (tasks.Provider, error)

// inputs makes what a task's root module is rendered from besides the task. It is
// made anew for every run, so that a rotated secret reaches the next one; token gives
// Consul's as it counts then.
func inputs(cfg config.Config, requiredVersion string, fill resolve, token func() tasks.Secret) makeInputs {
	return func(ctx context.Context, t tasks.Task, in tasks.Input) (templates.Inputs, error) {
		providers := providersOf(t, cfg.Providers)
		for n, p := range providers {
			filled, err := fill(ctx, p)
			if err != nil {
				return templates.Inputs{}, err
			}
			providers[n] = filled
		}
		now := cfg
		now.Consul.Token = token()
		return templates.Inputs{Input: in, Providers: providers, RequiredVersion: requiredVersion,
			RequiredProviders: cfg.Driver.RequiredProviders, Backend: cfg.Driver.Backend, Env: backendEnv(now)}, nil
	}
}

type makeInputs func(ctx context.Context, t tasks.Task, in tasks.Input) (templates.Inputs, error)

// providersOf lists the blocks that the task names: the exact ID first, then a
// block whose name alone matches; a name without block has no arguments.
func providersOf(t tasks.Task, blocks []tasks.Provider) []tasks.Provider {
	var out []tasks.Provider
	for _, id := range t.Providers {
		n := slices.IndexFunc(blocks, func(p tasks.Provider) bool { return p.ID() == id })
		if n < 0 {
			n = slices.IndexFunc(blocks, func(p tasks.Provider) bool { return p.Name == id })
		}
		if n >= 0 {
			out = append(out, blocks[n])
			continue
		}
		name, alias, _ := strings.Cut(id, ".")
		out = append(out, tasks.Provider{Name: name, Alias: alias, Arguments: tasks.NewSecretValue(cty.EmptyObjectVal)})
	}
	return out
}

// backendEnv is how Terraform's consul backend gets its token and TLS settings:
// by environment, never by a file or the command line.
func backendEnv(cfg config.Config) map[string]tasks.Secret {
	if cfg.Driver.Backend.Type != "consul" {
		return nil
	}
	env := map[string]tasks.Secret{}
	add := func(name, value string) {
		if value != "" {
			env[name] = tasks.NewSecret(value)
		}
	}
	c := cfg.Consul
	add("CONSUL_HTTP_ADDR", c.Address)
	add("CONSUL_HTTP_TOKEN", c.Token.Reveal())
	// Terraform runs in another directory, from which a relative path means nothing.
	add("CONSUL_HTTP_TOKEN_FILE", c.TokenFile)
	if c.Auth.Enabled {
		add("CONSUL_HTTP_AUTH", c.Auth.Username+":"+c.Auth.Password.Reveal())
	}
	if c.TLS.Enabled {
		add("CONSUL_CACERT", c.TLS.CACert)
		add("CONSUL_CAPATH", c.TLS.CAPath)
		add("CONSUL_CLIENT_CERT", c.TLS.Cert)
		add("CONSUL_CLIENT_KEY", c.TLS.Key)
		add("CONSUL_TLS_SERVER_NAME", c.TLS.ServerName)
	}
	return env
}

// wants lists all that the tasks read from Consul.
func wants(list []tasks.Task) (out []catalog.Want) {
	for _, t := range list {
		out = append(out, t.Wants()...)
	}
	return out
}
