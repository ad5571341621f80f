package agent

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"patchbay/agent/config"
	"patchbay/agent/internal/canaries"
	"patchbay/agent/internal/httpapi"
	"patchbay/tasks"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sync/errgroup"
)

// Options is what the daemon is started with.
type Options struct {
	Config config.Config
	Log    hclog.Logger
	// Version is Patchbay's own, for the log.
	Version string
	// Decode reads a task of the HTTP API as the configuration base reads one of a file.
	Decode func(base config.Config, task json.RawMessage) (tasks.Task, error)
	// Legacy ends the daemon when a task fails in its first pass, as
	// Consul-Terraform-Sync does; otherwise it is tried again for ever.
	Legacy bool
	// Development looks for no Terraform and starts none: files are written, and every
	// run succeeds at once. It is the client type of that name of
	// Consul-Terraform-Sync.
	Development bool
	// Load reads the files of Config anew; nil takes no reload.
	Load func() (config.Config, error)
	// Reload gives a value, such as SIGHUP, for each reload; nil gives none. The HTTP
	// API asks for reloads too.
	Reload <-chan os.Signal
	// Stop gives one value per signal: the first takes no more changes and lets
	// an apply in flight finish, each further one shortens the wait by one step.
	Stop <-chan struct{}
}

// Run runs the daemon until it is stopped. It returns nil after a clean stop,
// [ErrKilled] when it was told not to wait, or why it could not start.
func Run(ctx context.Context, opts Options) error {
	p, err := open(ctx, opts)
	if err != nil {
		return err
	}
	defer p.close()
	secure, err := httpapi.TLSConfig(opts.Config.API.TLS, opts.Log.Named("api"))
	if err != nil {
		return fmt.Errorf("set up TLS of the HTTP API: %w", err)
	}
	if err := p.lock(opts.Config); err != nil {
		return err
	}
	if opts.Legacy {
		if err := awaitLeader(ctx, opts.Stop, p.consul.WaitLeader); errors.Is(err, tasks.ErrStopping) {
			return nil
		} else if err != nil {
			return err
		}
	}
	e, err := p.engine(opts)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(opts.Config.API.Address, strconv.Itoa(opts.Config.Port)))
	if err != nil {
		return fmt.Errorf("listen for the HTTP API: %w", err)
	}
	if err := p.held.Announce(listener.Addr().String()); err != nil {
		return errors.Join(err, listener.Close())
	}
	if secure != nil {
		listener = tls.NewListener(listener, secure)
	}
	opts.Log.Info("api listened", "address", listener.Addr().String())
	board, moved, err := p.newCanaries(opts.Config, e)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	proxies, err := p.newEnvoys(opts.Config, board, moved)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	return serve(ctx, opts, p, e, board, proxies, listener)
}

// serve runs tasks, API and Consul until the stop ladder has been climbed.
func serve(ctx context.Context, opts Options, p *parts, e *engine, board *canaries.Board, proxies *envoys, listener net.Listener) error {
	hard, interrupt := context.WithCancel(ctx)
	defer interrupt()
	soft, drain := context.WithCancel(hard)
	defer drain()

	// Consul and the API outlive the tasks: a stop can be watched.
	around, leave := context.WithCancel(context.WithoutCancel(ctx))
	defer leave()
	var outer errgroup.Group
	outer.Go(func() error { return p.consul.Run(around) })
	outer.Go(func() error { return p.resolver.Run(around) })
	outer.Go(func() error { return board.Run(around) })
	outer.Go(func() error { return proxies.run(around) })
	outer.Go(func() error {
		r := p.registration(opts.Config, listener)
		r.Legacy = opts.Legacy
		p.consul.AdviseToken(around, wants(opts.Config.Tasks), r)
		p.consul.RegisterLoop(around, r)
		return nil
	})
	reloads := newReloader(opts, p, e, board, proxies)
	outer.Go(func() error { return httpapi.Serve(around, listener, handler(opts, p, e, board, proxies, reloads)) })

	ended, killed := make(chan struct{}), make(chan error, 1)
	go func() {
		killed <- ladder{soft: drain, hard: interrupt, grace: opts.Config.ShutdownGrace, log: opts.Log}.follow(opts.Stop, ended)
	}()
	outer.Go(func() error {
		reloads.run(soft, opts.Reload)
		return nil
	})
	if opts.Legacy {
		outer.Go(func() error {
			err := e.firstFailure(around)
			if err != nil {
				drain()
			}
			return err
		})
	}
	finished := make(chan error, 1)
	go func() { finished <- e.runAll(soft, hard, opts.Config.MaxParallelTasks) }()
	select {
	case err := <-finished:
		opts.Log.Info("tasks stopped")
		close(ended)
		leave()
		return errors.Join(err, <-killed, outer.Wait())
	case err := <-killed:
		return err
	}
}

// handler makes the HTTP API.
func handler(opts Options, p *parts, e *engine, board *canaries.Board, proxies *envoys, reloads *reloader) http.Handler {
	api := opts.Config.API
	o := httpapi.Options{Reader: e, Operator: e, Prober: e, Author: e, Decode: reloads.decode(opts), Feed: e, Inherited: e.inherited,
		Metrics: p.metrics.handler(), Log: opts.Log.Named("api"), Names: []string{api.Address},
		Remote: httpapi.Remote{Token: api.Token, Allow: api.AllowRemoteWrites, MTLS: api.TLS.Enabled && api.TLS.VerifyIncoming}}
	if opts.Load != nil {
		o.Reloader = reloads
	}
	if proxies != nil {
		o.Proxies = proxies
	}
	o.Canaries = boardOf{board}
	return httpapi.New(o)
}

// interrupted marks the runs that an earlier process left under way.
func interrupted(runs []tasks.Run, save func(tasks.Run) error, now time.Time) error {
	for n, run := range runs {
		if run.Phase.Ended() {
			continue
		}
		run.Fail(now, errors.New("patchbay ended while the run was under way; the next run carries on"))
		run.Phase, run.Updated = tasks.Interrupted, now
		if err := save(run); err != nil {
			return fmt.Errorf("record interrupted run: %w", err)
		}
		runs[n] = run
	}
	return nil
}
