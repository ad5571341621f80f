package agent

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"patchbay/agent/config"
	"patchbay/agent/internal/canaries"
	"patchbay/agent/internal/consul"
	"patchbay/agent/internal/filter"
	"patchbay/agent/internal/httpapi"
	"patchbay/agent/internal/proxies"
	"patchbay/xds/mesh"
	"patchbay/xds/server"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/credentials"
)

// spread is over how long the streams of Envoys are ended at a stop.
const spread = 2 * time.Second

// envoys are served what is declared of services, from the views that drive tasks.
type envoys struct {
	feed     *proxies.Feed
	connect  *consul.Connect
	server   *server.Server
	listener net.Listener
	log      hclog.Logger
	close    func()
	// weigh lays the weights of canaries over a mesh; moved gets a value when they
	// are others.
	weigh func(mesh.Mesh) mesh.Mesh
	moved <-chan struct{}

	mu       sync.Mutex // is held while a mesh is taken over, and guards
	declared mesh.Mesh
}

// newEnvoys listens for Envoys; nil when they are not served.
func (p *parts) newEnvoys(cfg config.Config, board *canaries.Board, moved <-chan struct{}) (*envoys, error) {
	if !cfg.XDS.Enabled() {
		return nil, nil
	}
	log := p.log.Named("xds")
	secure, err := httpapi.TLSConfig(cfg.XDS.TLS, log)
	if err != nil {
		return nil, fmt.Errorf("set up TLS of the xDS server: %w", err)
	}
	known, err := p.store.Views()
	if err != nil {
		return nil, err
	}
	views := p.consul.Follow()
	store := server.NewStore()
	e := &envoys{declared: cfg.Mesh, log: log, close: views.Close, moved: moved, connect: p.consul.Connect(secure != nil),
		weigh: func(m mesh.Mesh) mesh.Mesh { return canaries.Weigh(m, board.Records()) }}
	e.feed = proxies.New(proxies.Options{Views: views, Store: store, Compile: filter.Compile, Connect: e.connect, MayWrite: p.consul.MayWrite, Evict: e.evict, Known: known, Keep: p.store.SaveViews, Log: log})
	options := server.Options{Store: store, Admit: e.feed.Admit, Meter: p.metrics.pushes(), Spread: spread}
	if secure != nil {
		options.TLS = credentials.NewTLS(askForCertificates(secure))
	}
	e.server = server.New(options)
	p.metrics.gauge("patchbay_xds_streams", "Streams of Envoys and gRPC clients that are open.", func() float64 { return float64(e.server.Streams()) })
	if e.listener, err = net.Listen("tcp", net.JoinHostPort(cfg.XDS.Address, strconv.Itoa(cfg.XDS.Port))); err != nil {
		return nil, fmt.Errorf("listen for Envoys: %w", err)
	}
	log.Info("xds listened", "address", e.listener.Addr().String())
	return e, nil
}

// evict ends the streams of clients that must be admitted anew.
func (e *envoys) evict(gone func(server.Peer) bool) {
	if n := e.server.Evict(gone); n > 0 {
		e.log.Info("envoys were let go of, as they are registered otherwise now", "count", n)
	}
}

// askForCertificates makes the server ask clients for certificates that it verifies by
// Consul's CA, where those of another CA are not required.
func askForCertificates(base *tls.Config) *tls.Config {
	ask := func(c *tls.Config) *tls.Config {
		if c.ClientAuth == tls.NoClientCert {
			c = c.Clone()
			c.ClientAuth = tls.RequestClientCert
		}
		return c
	}
	out := ask(base).Clone()
	if current := base.GetConfigForClient; current != nil {
		out.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			c, err := current(hello)
			if c != nil {
				c = ask(c)
			}
			return c, err
		}
	}
	return out
}

// run serves until ctx ends. Without a server it does nothing.
func (e *envoys) run(ctx context.Context) error {
	if e == nil {
		return nil
	}
	defer e.close()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return e.feed.Run(ctx) })
	group.Go(func() error { return e.connect.Run(ctx) })
	group.Go(func() error { return e.server.Serve(ctx, e.listener) })
	group.Go(func() error { return e.shift(ctx) })
	return group.Wait()
}

// shift declares the mesh anew each time that the weights of a canary changed.
func (e *envoys) shift(ctx context.Context) error {
	err := e.take(ctx, nil)
	for ctx.Err() == nil && err == nil {
		select {
		case <-e.moved:
			if err := e.take(ctx, nil); err != nil && ctx.Err() == nil {
				e.log.Error("weights were not taken over", "err", err)
			}
		case <-ctx.Done():
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// take makes Envoys have a mesh, the present one when m is nil, with the weights that
// count now.
func (e *envoys) take(ctx context.Context, m *mesh.Mesh) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if m == nil {
		m = &e.declared
	}
	weighed := e.weigh(*m)
	if err := e.feed.Declare(ctx, &weighed); err != nil {
		return err
	}
	e.declared = *m
	return nil
}

// declare takes a changed mesh over; it gives [tasks.ErrStopping] when nothing is
// served any more. Without a server it does nothing.
func (e *envoys) declare(m mesh.Mesh) error {
	if e == nil {
		return nil
	}
	if err := e.take(context.Background(), &m); err != nil {
		return fmt.Errorf("take over the mesh: %w", err)
	}
	return nil
}

// Targets implements [httpapi.Proxies].
func (e *envoys) Targets(ctx context.Context) ([]httpapi.XDSTarget, error) {
	list, err := e.feed.Targets(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]httpapi.XDSTarget, 0, len(list))
	for _, t := range list {
		one := httpapi.XDSTarget{Name: t.String(), Healthy: t.Healthy, Total: t.Total, Held: t.Held, Rules: t.Rules, Version: t.Version, Omitted: []httpapi.XDSOmission{}}
		for _, o := range t.Omitted {
			one.Omitted = append(one.Omitted, httpapi.XDSOmission{Instance: o.Instance, Why: o.Why})
		}
		out = append(out, one)
	}
	return out, nil
}

// Clients implements [httpapi.Proxies].
func (e *envoys) Clients() []server.Client { return e.server.Clients() }
