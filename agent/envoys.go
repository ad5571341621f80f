package agent

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	"patchbay/agent/config"
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
	server   *server.Server
	listener net.Listener
	mesh     mesh.Mesh
	log      hclog.Logger
	close    func()
}

// newEnvoys listens for Envoys; nil when they are not served.
func (p *parts) newEnvoys(cfg config.Config) (*envoys, error) {
	if !cfg.XDS.Enabled() {
		return nil, nil
	}
	log := p.log.Named("xds")
	secure, err := httpapi.TLSConfig(cfg.XDS.TLS, log)
	if err != nil {
		return nil, fmt.Errorf("set up TLS of the xDS server: %w", err)
	}
	views := p.consul.Follow()
	store := server.NewStore()
	e := &envoys{mesh: cfg.Mesh, log: log, close: views.Close,
		feed: proxies.New(proxies.Options{Views: views, Store: store, Compile: filter.Compile, Log: log})}
	options := server.Options{Store: store, Admit: e.feed.Admit, Meter: p.metrics.pushes(), Spread: spread}
	if secure != nil {
		options.TLS = credentials.NewTLS(secure)
	}
	e.server = server.New(options)
	if e.listener, err = net.Listen("tcp", net.JoinHostPort(cfg.XDS.Address, strconv.Itoa(cfg.XDS.Port))); err != nil {
		return nil, fmt.Errorf("listen for Envoys: %w", err)
	}
	log.Info("xds listened", "address", e.listener.Addr().String())
	return e, nil
}

// run serves until ctx ends. Without a server it does nothing.
func (e *envoys) run(ctx context.Context) error {
	if e == nil {
		return nil
	}
	defer e.close()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return e.feed.Run(ctx) })
	group.Go(func() error { return e.server.Serve(ctx, e.listener) })
	group.Go(func() error {
		m := e.mesh
		return e.feed.Declare(ctx, &m)
	})
	return group.Wait()
}
