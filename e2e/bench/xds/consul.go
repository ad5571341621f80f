package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"patchbay/e2e/internal/rig"

	"github.com/hashicorp/consul/api"
)

// measureConsul measures sidecars that share one upstream with Consul's own server.
// With a hundred upstreams each it would be slower still.
func measureConsul(ctx context.Context, sidecars, changes int) (r row, err error) {
	fmt.Printf("Consul with %d sidecars\n", sidecars)
	dir, err := os.MkdirTemp("", "bench-xds")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	consul, err := rig.NewConsulMesh(ctx, filepath.Join(dir, "consul"))
	if err != nil {
		return r, err
	}
	defer consul.Kill()
	const service = "service-000"
	// What a sidecar's endpoints are made of are the sidecars of the upstream.
	weigh := func(weight int) error { return registerProxy(consul, service, 0, weight) }
	for n := range instances {
		if err := registerProxy(consul, service, n, 1); err != nil {
			return r, err
		}
	}
	for n := range sidecars {
		err := consul.Client.Agent().ServiceRegister(&api.AgentServiceRegistration{Kind: api.ServiceKindConnectProxy, ID: fmt.Sprintf("shop-%d", n),
			Name: "shop-sidecar-proxy", Port: 21000, Address: "127.0.0.1", Proxy: &api.AgentServiceConnectProxyConfig{DestinationServiceName: "shop",
				Upstreams: []api.Upstream{{DestinationName: service, LocalBindPort: 9191}}}})
		if err != nil {
			return r, fmt.Errorf("register sidecar: %w", err)
		}
	}
	r = row{server: "consul", sidecars: sidecars, subscriptions: 1}
	f, err := begin(ctx, fleet{Server: consul.GRPC, Count: sidecars, Node: "shop-%d", Cluster: "shop"})
	if err != nil {
		return r, err
	}
	defer f.end()
	r.storm = f.storm
	return r, r.changes(ctx, f, consul.PID(), changes, service, weigh)
}

func registerProxy(c *rig.Consul, service string, n, weight int) error {
	_, err := c.Client.Catalog().Register(&api.CatalogRegistration{Node: "rack", Address: "127.0.0.1", Service: &api.AgentService{
		Kind: api.ServiceKindConnectProxy, ID: fmt.Sprintf("%s-proxy-%d", service, n), Service: service + "-sidecar-proxy",
		Address: fmt.Sprintf("10.0.%d.%d", n, n+1), Port: 20000, Weights: api.AgentWeights{Passing: weight, Warning: 1},
		Proxy: &api.AgentServiceConnectProxyConfig{DestinationServiceName: service, DestinationServiceID: fmt.Sprintf("%s-%d", service, n)}}}, nil)
	if err != nil {
		return fmt.Errorf("register %s: %w", service, err)
	}
	return nil
}
