package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"patchbay/e2e/internal/rig"

	"github.com/hashicorp/consul/api"
)

func TestACallerStaysOnItsLegWhileTheWeightsChange(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 1)
	f.app("web", "web-1", "version=1")
	f.app("web", "web-2", "version=2")
	sticky := `sticky {
    cookie = "leg"
    ttl    = "1h"
  }`
	// Tracing writes into the ids of requests, by which new callers go; nobody listens.
	traced := "observe {\n  tracing { address = \"127.0.0.1:1\" }\n}"
	f.start(f.declares(split(sticky, 90, 10), f.gatewayTo("web"), traced))
	f.envoy("gateway", "edge")
	c := knock(t, f.doors[0])

	const callers = 200
	cookies, legs := make([]string, callers), make([]string, callers)
	for n := range callers {
		got := c.must(t, "GET /")
		given := got.Header.Get("Set-Cookie")
		if !strings.HasPrefix(given, "leg=") || !strings.Contains(given, "Max-Age=3600") {
			t.Fatalf("a new caller is given the cookie %q", given)
		}
		cookies[n], _, _ = strings.Cut(given, ";")
		legs[n] = got.ID
	}
	candidates := []int{}
	for _, weight := range []int{10, 25, 50} {
		f.reload(split(sticky, 100-weight, weight), f.gatewayTo("web"), traced)
		f.settles(c, weight)
		now := 0
		for n := range callers {
			got := c.must(t, "GET /", "Cookie: "+cookies[n])
			if legs[n] == "web-2" && got.ID != "web-2" {
				t.Errorf("at %d a caller of web-2 went to %s", weight, got.ID)
			}
			if weight == 10 && got.ID != legs[n] {
				t.Errorf("a caller of %s went to %s though no weight changed", legs[n], got.ID)
			}
			if given := got.Header.Get("Set-Cookie"); given != "" {
				t.Errorf("a caller with a cookie is given %q", given)
			}
			if legs[n] = got.ID; got.ID == "web-2" {
				now++
			}
		}
		candidates = append(candidates, now)
	}
	// 4 σ of 200 callers at each weight.
	t.Logf("of %d callers %v were on web-2 at the weights 10, 25 and 50", callers, candidates)
	for n, bounds := range [][2]int{{3, 37}, {26, 74}, {72, 128}} {
		if candidates[n] < bounds[0] || candidates[n] > bounds[1] {
			t.Errorf("%d callers are on web-2 at step %d, want %d to %d", candidates[n], n, bounds[0], bounds[1])
		}
	}
}

// guards are rules by which an Envoy itself keeps requests from instances.
const guards = `
routes "web" { failover = ["spare"] }
routes "spare" {}
routes "flaky" {
  outlier_detection {
    failures    = 3
    interval    = "1s"
    max_percent = 100
  }
}
routes "tight" {
  circuit_breaker { requests = 1 }
}
gateway "edge" {
  listener {
    port = %d
    service "web" {}
    service "flaky" { hosts = ["flaky.test"] }
    service "tight" { hosts = ["tight.test"] }
  }
}`

func TestEnvoyKeepsRequestsFromInstancesThatFail(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 1)
	apps := map[string]*rig.App{}
	for id, service := range map[string]string{"web-1": "web", "spare-1": "spare", "flaky-1": "flaky", "flaky-2": "flaky", "tight-1": "tight"} {
		apps[id] = f.app(service, id)
	}
	f.start(f.declares(fmt.Sprintf(guards, f.doors[0])))
	f.envoy("gateway", "edge")
	c := knock(t, f.doors[0])

	f.eventually(c, "web-1")
	f.must(f.consul.SetHealth("web-1", api.HealthCritical))
	f.eventually(c, "spare-1")
	f.must(f.consul.SetHealth("web-1", api.HealthPassing))
	f.eventually(c, "web-1")

	apps["flaky-1"].SetStatus(http.StatusInternalServerError) // its check passes
	f.must(rig.Until(t.Context(), limit, func() error {
		for range 50 {
			if id, err := c.served("GET /", "Host: flaky.test"); err != nil || id != "flaky-2" {
				return fmt.Errorf("answered by %s, %w", id, err)
			}
		}
		return nil
	}))

	done := make(chan error, 1)
	go func() {
		_, err := c.served("GET /", "Host: tight.test", rig.HoldHeader+": yes")
		done <- err
	}()
	f.must(rig.Until(t.Context(), limit, func() error {
		if apps["tight-1"].Held() == 0 {
			return fmt.Errorf("no request is under way")
		}
		return nil
	}))
	if got := c.must(t, "GET /", "Host: tight.test"); got.Status != 503 || got.Header.Get("X-Envoy-Overloaded") != "true" {
		t.Errorf("a second request at once is answered by %d, %v", got.Status, got.Header)
	}
	apps["tight-1"].Release()
	if err := <-done; err != nil {
		t.Errorf("the first request failed: %v", err)
	}
	f.eventually(c, "tight-1", "Host: tight.test")
}
