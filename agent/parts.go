package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"patchbay/agent/config"
	"patchbay/agent/internal/canaries"
	"patchbay/agent/internal/consul"
	"patchbay/agent/internal/dynamic"
	"patchbay/agent/internal/store"
	"patchbay/agent/internal/terraform"
	"patchbay/tasks"
	"patchbay/tasks/catalog"
	"patchbay/templates"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// ErrTerraform is returned when there is no usable Terraform or OpenTofu.
var ErrTerraform = errors.New("terraform is not usable")

// parts are the ends that touch the world.
type parts struct {
	consul    *consul.Client
	workspace tasks.Workspace
	inspector tasks.Workspace
	binary    terraform.Binary
	resolver  *dynamic.Resolver
	metrics   *metrics
	held      *store.Lock
	store     *store.Store
	legacy    *legacyLog
	log       hclog.Logger
	// records are the canaries as they stand, applied tells them that a task has
	// applied something; nil until there are any.
	records func() []canaries.Record
	applied func()
}

// open makes the ends that touch the world. It changes nothing but that it installs
// Terraform where [Options.Config] lets it. Under the legacy name Consul is waited
// for first, as Consul-Terraform-Sync does; a stop then gives [tasks.ErrStopping].
func open(ctx context.Context, opts Options) (*parts, error) {
	return assemble(ctx, opts, &terraform.Site{Log: opts.Log.Named("terraform")})
}

// look is open for those who may write nothing: nothing is installed.
func look(ctx context.Context, opts Options) (*parts, error) { return assemble(ctx, opts, nil) }

func assemble(ctx context.Context, opts Options, site *terraform.Site) (*parts, error) {
	client, err := consul.New(opts.Config.Consul, opts.Log.Named("consul"))
	if err != nil {
		return nil, fmt.Errorf("make consul client: %w", err)
	}
	if opts.Legacy {
		if err := awaitLeader(ctx, opts.Stop, unlessRefused(client.WaitLeader)); err != nil {
			return nil, err
		}
	}
	p := &parts{consul: client, metrics: newMetrics(), log: opts.Log, legacy: newLegacyLog(opts)}
	p.resolver = dynamic.New(dynamic.Options{Getenv: os.Getenv, Vault: opts.Config.Vault, Log: opts.Log.Named("vault"),
		KV: func(ctx context.Context, key dynamic.Key) (string, bool, error) {
			if key.Partition != "" {
				return "", false, errors.New("a key of another admin partition cannot be read; leave partition out")
			}
			return client.Value(ctx, key.Path, key.Datacenter, key.Namespace)
		}})
	if opts.Development {
		opts.Log.Warn("no terraform is run, every run succeeds at once and changes files only")
		p.workspace, p.inspector = terraform.FilesOnly{}, terraform.FilesOnly{}
		return p, nil
	}
	return p, p.terraform(ctx, opts, site)
}

// terraform finds the executable, or installs it from the site.
func (p *parts) terraform(ctx context.Context, opts Options, site *terraform.Site) error {
	choice, err := choose(opts, site)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrTerraform, err)
	}
	err = untilStopped(ctx, opts.Stop, func(ctx context.Context) (err error) {
		p.binary, err = terraform.Find(ctx, choice)
		return err
	})
	if errors.Is(err, tasks.ErrStopping) {
		return err
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrTerraform, err)
	}
	opts.Log.Info("terraform found", "product", p.binary.Product, "version", p.binary.Version, "path", p.binary.Path)
	if p.binary.Note != "" {
		opts.Log.Warn("another terraform version was found", "note", p.binary.Note)
	}
	d := opts.Config.Driver
	options := terraform.Options{Log: opts.Log.Named("terraform"), PersistLog: d.PersistLog}
	if d.Log {
		options.Output = os.Stderr
	}
	p.workspace = terraform.New(p.binary, options)
	options.Text = true
	p.inspector = terraform.New(p.binary, options)
	return nil
}

// choose tells which Terraform is wanted. Consul-Terraform-Sync searches one
// directory, by default that of the process, and never PATH.
func choose(opts Options, site *terraform.Site) (terraform.Choice, error) {
	dir, err := os.Getwd()
	if err != nil {
		return terraform.Choice{}, fmt.Errorf("find working directory: %w", err)
	}
	d := opts.Config.Driver
	c := terraform.Choice{Binary: d.Binary, Path: d.Path, Version: d.Version, Site: site, Home: dir, Newer: opts.Legacy}
	if opts.Legacy && c.Binary == "" {
		c.Path = cmp.Or(c.Path, dir)
	}
	return c, nil
}

// lock takes the working directory for this agent and opens its store.
func (p *parts) lock(cfg config.Config) error {
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("read host name: %w", err)
	}
	p.held, err = store.Acquire(cfg.WorkingDir, store.Owner{ID: cfg.ID, PID: os.Getpid(), Host: host, Started: time.Now()})
	if err != nil {
		return err
	}
	p.store, err = store.Open(cfg.WorkingDir, store.Keep{Runs: cfg.History.Runs, Age: cfg.History.Age})
	return err
}

func (p *parts) close() {
	if p.store != nil {
		if err := p.store.Close(); err != nil {
			p.log.Error("store was not closed", "err", err)
		}
	}
	if p.held != nil {
		if err := p.held.Release(); err != nil {
			p.log.Error("working directory was not released", "err", err)
		}
	}
}

// engine makes a runner for every task, with what an earlier process knew.
func (p *parts) engine(opts Options) (*engine, error) {
	e := &engine{source: p.consul, feed: newFeed(), definitions: p.store, runs: p.store.Runs, past: p.past,
		answering: p.answering, missing: p.failing, hirer: p.hirer, creations: make(chan creation), reloads: make(chan reloading), failed: make(chan error, 1), ended: make(chan struct{}),
		reserved: map[string]bool{}, files: map[string]catalog.Digest{}}
	e.rehire(opts.Config)
	if err := e.load(opts); err != nil {
		return nil, err
	}
	p.observe(e)
	return e, nil
}

// hirer gives the maker of workers under a configuration.
func (p *parts) hirer(cfg config.Config) func(tasks.Task) (*worker, error) {
	all := inputs(cfg, templates.RequiredVersion(p.binary.Version), p.resolver.Provider, p.consul.Token)
	return func(t tasks.Task) (*worker, error) {
		filters, err := compileFilters(t)
		if err != nil {
			return nil, err
		}
		schedule, err := compileSchedule(t)
		if err != nil {
			return nil, err
		}
		return &worker{task: t, takes: takesWeights(t), inputs: all, filters: filters, schedule: schedule, workspace: p.workspace, inspector: p.inspector,
			store: p.store, metrics: p.metrics, newID: store.NewRunID, now: time.Now, log: p.log, legacy: p.legacy, missing: p.failing,
			records: func() []canaries.Record {
				if p.records == nil {
					return nil
				}
				return p.records()
			},
			applied: func() {
				if p.applied != nil {
					p.applied()
				}
			}}, nil
	}
}

// registration is how this agent appears in Consul.
func (p *parts) registration(cfg config.Config, listener net.Listener) consul.Registration {
	r := consul.Registration{Registration: cfg.Consul.Registration, ID: cfg.ID, TLS: cfg.API.TLS.Enabled}
	if tcp, ok := listener.Addr().(*net.TCPAddr); ok {
		r.Port = tcp.Port
	}
	return r
}

// past reads what an earlier process knew of a task.
func (p *parts) past(name string) (tasks.Record, []tasks.Run, error) {
	record, err := p.store.Record(name)
	if err != nil {
		return record, nil, fmt.Errorf("read record of task %s: %w", name, err)
	}
	recent, err := p.store.Runs(name, recentRuns)
	if err != nil {
		return record, nil, fmt.Errorf("read runs of task %s: %w", name, err)
	}
	return record, recent, interrupted(recent, p.store.SaveRun, time.Now())
}

func (p *parts) answering() (ok bool, reason string) {
	ok, since, err := p.consul.Answering()
	if ok {
		return true, ""
	}
	return false, fmt.Sprintf("consul has not answered since %s: %v", since.Format(time.RFC3339), err)
}

// observe registers the values that are read when Prometheus asks.
func (p *parts) observe(e *engine) {
	count := func(match func(tasks.State) bool) func() float64 {
		return func() (n float64) {
			for _, s := range e.States() {
				if match(s) {
					n++
				}
			}
			return n
		}
	}
	p.metrics.gauge("patchbay_tasks", "Tasks of the configuration.", count(func(tasks.State) bool { return true }))
	p.metrics.gauge("patchbay_tasks_held", "Tasks whose plan waits for approval.", count(func(s tasks.State) bool { return s.Record.Held != nil }))
	p.metrics.gauge("patchbay_tasks_failing", "Tasks whose newest run failed.", count(func(s tasks.State) bool {
		return s.Status == tasks.StatusErrored || s.Status == tasks.StatusCritical
	}))
	p.metrics.gauge("patchbay_consul_up", "1 while Consul answers.", func() float64 {
		if ok, _ := p.answering(); ok {
			return 1
		}
		return 0
	})
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
