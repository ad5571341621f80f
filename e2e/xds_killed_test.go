package e2e

import (
	"fmt"
	"testing"
	"time"

	"patchbay/e2e/internal/rig"
)

func TestAnInstanceThatDiesIsAskedNoMoreAndCostsNoRequest(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 1)
	f.serve("web", "web-1")
	dying, err := rig.NewBackend("web-2") // it is closed once, below
	f.must(err)
	f.must(f.consul.RegisterProbed("web-2", "web", dying)) // by Consul itself, once a second
	// Requests that were under way are sent again too, and more than Envoy's three at once.
	f.start(f.declares(`routes "web" {
  circuit_breaker { retries = 100 }
  route "again" {
    retry {
      attempts = 3
      on       = ["connect-failure", "refused-stream", "reset"]
    }
  }
}`, f.gatewayTo("web")))
	e := f.envoy("gateway", "edge")
	c := knock(t, f.doors[0])
	load := rig.StartLoadOf(func() (string, error) {
		got, err := c.call("GET /")
		if err == nil && got.Status != 200 {
			err = fmt.Errorf("answered %d: %s", got.Status, got.Body)
		}
		return got.Body, err
	}, 4)
	f.must(load.AwaitOnly(t.Context(), limit, "web-1", "web-2"))

	died := time.Now()
	f.must(dying.Close())
	f.must(rig.Until(t.Context(), limit, func() error {
		clusters, err := e.Clusters()
		if err != nil {
			return rig.Final(err)
		}
		for _, h := range clusters["web"] {
			if h.Addr == dying.Addr() && h.Health != "HEALTHY" {
				return nil
			}
		}
		return fmt.Errorf("Envoy does not show %s as unhealthy: %v", dying.Addr(), clusters["web"])
	}))
	t.Logf("it was out of Envoy %s after it died, of which Consul probes once a second", time.Since(died))
	f.must(load.AwaitOnly(t.Context(), limit, "web-1"))
	unhurt(t, load)
}
