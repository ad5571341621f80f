package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"

	"patchbay/agent/config"
	"patchbay/agent/internal/canaries"
	"patchbay/agent/internal/httpapi"
	"patchbay/tasks"

	"github.com/hashicorp/go-hclog"
)

// reloader reads the configuration anew and puts in force what needs no restart. One
// goroutine owns it, so that there is one reload at a time.
type reloader struct {
	load func() (config.Config, error)
	// force takes a configuration over that differs from the last one.
	force func(config.Config) error
	log   hclog.Logger

	requests chan chan<- reloaded
	ended    chan struct{} // closed when no more requests are taken

	// started is what the process began with, newest what was read last and taken
	// over. inForce is what counts of it until a restart.
	started, newest config.Config
	inForce         atomic.Pointer[config.Config]
}

type reloaded struct {
	out httpapi.Reload
	err error
}

func newReloader(opts Options, p *parts, e *engine, board *canaries.Board, proxies *envoys) *reloader {
	r := &reloader{load: opts.Load, log: opts.Log, requests: make(chan chan<- reloaded), ended: make(chan struct{}),
		started: opts.Config, newest: opts.Config}
	r.inForce.Store(&opts.Config)
	r.force = func(cfg config.Config) error {
		p.consul.UseToken(cfg.Consul)
		p.resolver.UseVault(cfg.Vault)
		opts.Config = cfg
		return errors.Join(takeTraffic(board, proxies, cfg), e.take(opts))
	}
	return r
}

// run reloads at every signal and for every request until ctx ends.
func (r *reloader) run(ctx context.Context, signals <-chan os.Signal) {
	defer close(r.ended)
	if r.load == nil {
		return
	}
	for {
		select {
		case <-signals:
			if _, err := r.reload(); err != nil {
				r.log.Error("configuration was not reloaded", "err", err)
			}
		case answer := <-r.requests:
			out, err := r.reload()
			answer <- reloaded{out, err}
		case <-ctx.Done():
			return
		}
	}
}

// Reload implements [httpapi.Reloader].
func (r *reloader) Reload(ctx context.Context) (httpapi.Reload, error) {
	answer := make(chan reloaded, 1)
	select {
	case r.requests <- answer:
		out := <-answer
		return out.out, out.err
	case <-r.ended:
		return httpapi.Reload{}, tasks.ErrStopping
	case <-ctx.Done():
		return httpapi.Reload{}, ctx.Err()
	}
}

func (r *reloader) reload() (httpapi.Reload, error) {
	cfg, err := r.load()
	if err != nil {
		return httpapi.Reload{}, fmt.Errorf("reload configuration, nothing was changed: %w", err)
	}
	for _, w := range cfg.Warnings {
		r.log.Named("config").Warn("configuration is doubtful", "warning", w)
	}
	dir := r.started.WorkingDir
	changes := config.Diff(moved(r.newest, dir), moved(cfg, dir))
	next := effective(*r.inForce.Load(), cfg)
	r.inForce.Store(&next)
	if err := r.force(next); err != nil {
		return httpapi.Reload{}, fmt.Errorf("take over the changed configuration: a part of it is in force; reload again: %w", err)
	}
	r.newest = cfg
	for _, change := range changes {
		r.log.Info("configuration changed", "change", change)
	}
	restart := config.Restarts(r.started, cfg)
	if len(restart) > 0 {
		r.log.Warn("some changes of the configuration are taken over by a restart only", "settings", restart)
	}
	r.log.Info("configuration was reloaded", "changes", len(changes), "tasks", len(cfg.Tasks))
	return httpapi.Reload{Changes: changes, Restart: restart, Warnings: cfg.Warnings}, nil
}

// decode reads a task of the HTTP API under the configuration that is in force.
func (r *reloader) decode(opts Options) httpapi.Decode {
	return func(task json.RawMessage) (tasks.Task, error) { return opts.Decode(*r.inForce.Load(), task) }
}

// effective is what counts of a configuration that was read anew, until a restart
// takes over the rest: no task moves to another directory, and neither a token nor a
// state goes to another Consul than the one that is watched.
func effective(inForce, newest config.Config) config.Config {
	out := moved(newest, inForce.WorkingDir)
	out.WorkingDir = inForce.WorkingDir
	if config.BackendStays(inForce, newest) {
		out.Driver.Backend = inForce.Driver.Backend
	}
	if !inForce.Consul.SameButToken(newest.Consul) {
		out.Consul = inForce.Consul
	}
	return out
}

// moved puts the tasks that have no directory of their own below dir.
func moved(cfg config.Config, dir string) config.Config {
	cfg.Tasks = slices.Clone(cfg.Tasks)
	for n, t := range cfg.Tasks {
		if t.WorkingDir == filepath.Join(cfg.WorkingDir, t.Name) {
			cfg.Tasks[n].WorkingDir = filepath.Join(dir, t.Name)
		}
	}
	return cfg
}
