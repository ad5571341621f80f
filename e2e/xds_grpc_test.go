package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"patchbay/e2e/internal/rig"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/xds"
)

// grpcSplit are routes of api for calls.
func grpcSplit(v1, v2 int) string {
	return fmt.Sprintf(`
routes "api" {
  protocol = "grpc"
  subset "v1" { filter = "Service.Meta.version == 1" }
  subset "v2" { filter = "Service.Meta.version == 2" }
  to "v1" { weight = %d }
  to "v2" { weight = %d }
  route "beta" {
    match {
      header "x-beta" { exact = "yes" }
    }
    to "v2" {}
    mirror { service = "audit" }
  }
}`, v1, v2)
}

// remote registers a gRPC server as an instance of api.
func (f *fleet) remote(id, version string) {
	f.t.Helper()
	app, err := rig.NewGRPCApp(id)
	f.must(err)
	f.t.Cleanup(func() { f.check(app.Close()) })
	f.register("api", id, app.Port(), "version="+version)
}

// TestAProgramRoutesItsCallsByItself uses gRPC's own xDS client, started from what
// Patchbay prints, with no Envoy in between.
func TestAProgramRoutesItsCallsByItself(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 0)
	f.remote("api-1", "1")
	f.remote("api-1b", "1")
	f.remote("api-2", "2")
	f.start(f.declares(grpcSplit(100, 0)))
	bootstrap := f.ask("xds", "bootstrap", "-grpc", "-node", "shop-1", "-address", fmt.Sprintf("127.0.0.1:%d", f.port))
	resolver, err := xds.NewXDSResolverWithConfigForTesting([]byte(bootstrap))
	f.must(err)
	cc, err := grpc.NewClient("xds:///api", grpc.WithResolvers(resolver), grpc.WithTransportCredentials(insecure.NewCredentials()))
	f.must(err)
	t.Cleanup(func() { f.check(cc.Close()) })
	client := healthpb.NewHealthClient(cc)
	who := func(pairs ...string) string {
		ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(t.Context(), pairs...), limit)
		defer cancel()
		var header metadata.MD
		if _, err := client.Check(ctx, &healthpb.HealthCheckRequest{}, grpc.Header(&header), grpc.WaitForReady(true)); err != nil {
			return err.Error()
		}
		return strings.Join(header.Get("x-app"), ",")
	}
	counts := func(calls int) map[string]int {
		out := map[string]int{}
		for range calls {
			out[who()]++
		}
		return out
	}

	if got := counts(100); got["api-1"]+got["api-1b"] != 100 || got["api-1"] == 0 || got["api-1b"] == 0 {
		t.Errorf("100 calls with all weight on v1: %v", got)
	}
	if got := who("x-beta", "yes"); got != "api-2" {
		t.Errorf("the header leads to %q", got)
	}
	f.must(f.consul.SetHealth("api-1", "critical"))
	f.must(rig.Until(t.Context(), limit, func() error {
		if got := counts(20); got["api-1b"] != 20 {
			return fmt.Errorf("with api-1 critical: %v", got)
		}
		return nil
	}))
	f.reload(grpcSplit(0, 100))
	f.must(rig.Until(t.Context(), limit, func() error {
		if got := counts(20); got["api-2"] != 20 {
			return fmt.Errorf("with all weight on v2: %v", got)
		}
		return nil
	}))
	if got := f.ask("xds", "status"); !strings.Contains(got, "shop-1") || !strings.Contains(got, "gRPC Go") {
		t.Errorf("the client is not shown:\n%s", got)
	}
}
