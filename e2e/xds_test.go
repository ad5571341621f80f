package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"patchbay/e2e/internal/rig"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
)

// everyProtocol has a program behind a sidecar, one that calls through a sidecar, and
// both behind a gateway.
func (f *fleet) everyProtocol(local int) string {
	return fmt.Sprintf(`
routes "web" {}
routes "h2" { protocol = "http2" }
routes "api" { protocol = "grpc" }

sidecar "web" {
  port = %[1]d
  listen {
    address = "127.0.0.1"
    port    = %[2]d
  }
}
sidecar "shop" {
  upstreams = ["web:%[3]d", "h2:%[4]d", "api:%[5]d", "db:%[6]d"]
}
gateway "edge" {
  listener {
    port = %[7]d
    service "web" {}
    service "h2" { hosts = ["H2.test", "*.h2.Test"] }
    service "api" { hosts = ["api.test"] }
  }
  listener {
    port     = %[8]d
    protocol = "tcp"
    service "db" { hosts = ["DB.test"] }
    service "archive" { hosts = ["*.Archive.test"] }
  }
}`, local, f.doors[0], f.doors[1], f.doors[2], f.doors[3], f.doors[4], f.doors[5], f.doors[6])
}

func TestTwoSidecarsAndAGatewayCarryEveryProtocol(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 7)
	program, err := rig.NewApp("web-1") // reached through its sidecar alone
	f.must(err)
	t.Cleanup(func() { f.check(program.Close()) })
	f.register("web", "web-1", f.doors[0])
	f.app("h2", "h2-1")
	remote, err := rig.NewGRPCApp("api-1")
	f.wire("api", "api-1", remote, err)
	ca, err := rig.NewCA(f.dir, "ca")
	f.must(err)
	cert, key, err := ca.Issue("tcp")
	f.must(err)
	for service, id := range map[string]string{"db": "db-1", "archive": "archive-1"} {
		app, err := rig.NewTLSApp(id, cert, key)
		f.wire(service, id, app, err)
	}
	f.start(f.declares(f.everyProtocol(program.Port())))
	envoys := map[string]*rig.Envoy{}
	for _, e := range [][2]string{{"service", "web"}, {"service", "shop"}, {"gateway", "edge"}} {
		envoys[node(e[0], e[1])] = f.envoy(e[0], e[1])
	}

	shop, edge := f.doors[1:5], f.doors[5:]
	for name, c := range map[string]struct {
		port            int
		host, id, proto string
	}{
		"from sidecar to sidecar":           {shop[0], "shop.test", "web-1", "HTTP/1.1"},
		"HTTP/2 behind a sidecar":           {shop[1], "shop.test", "h2-1", "HTTP/2.0"},
		"through the gateway to a sidecar":  {edge[0], "other.test", "web-1", "HTTP/1.1"},
		"HTTP/2 behind the gateway":         {edge[0], "h2.test", "h2-1", "HTTP/2.0"},
		"a host name with a port":           {edge[0], "h2.test:8080", "h2-1", "HTTP/2.0"},
		"one of many host names":            {edge[0], "a.h2.test", "h2-1", "HTTP/2.0"},
		"one of many names with a port":     {edge[0], "a.h2.test:8080", "h2-1", "HTTP/2.0"},
		"a host name in capitals":           {edge[0], "H2.Test", "h2-1", "HTTP/2.0"},
		"a host that only ends like a name": {edge[0], "noth2.test", "web-1", "HTTP/1.1"},
	} {
		got, err := knock(t, c.port).call("GET /path?q=1", "Host: "+c.host)
		if err != nil || got.ID != c.id || got.Proto != c.proto || got.Echo.Path != "/path?q=1" || got.Host != c.host {
			t.Errorf("%s: %v; answered %d %s", name, err, got.Status, got.Body)
		}
	}
	for name, c := range map[string]struct {
		port int
		host string
	}{"gRPC through a sidecar": {shop[2], "x.test"}, "gRPC through the gateway": {edge[0], "api.test"}} {
		if got := healthThrough(t, c.port, c.host); got != "api-1 SERVING" {
			t.Errorf("%s: %s", name, got)
		}
	}
	for name, c := range map[string]struct {
		port       int
		sni, greet string
	}{
		"TCP through a sidecar":               {shop[3], "any.test", "db-1 any.test"},
		"TCP by its name":                     {edge[1], "db.test", "db-1 db.test"},
		"TCP by one of many names":            {edge[1], "2024.archive.test", "archive-1 2024.archive.test"},
		"TCP with a name that nobody expects": {edge[1], "other.test", ""},
	} {
		if got := greeting(c.port, c.sni); got != c.greet {
			t.Errorf("%s: greeted by %q, want %q", name, got, c.greet)
		}
	}
	for name, e := range envoys {
		f.agrees(name, e)
	}
}

// wire registers an app that was started.
func (f *fleet) wire(service, id string, app *rig.WireApp, err error) {
	f.t.Helper()
	f.must(err)
	f.t.Cleanup(func() { f.check(app.Close()) })
	f.register(service, id, app.Port())
}

// healthThrough asks a gRPC service how it is: who answered, and what.
func healthThrough(t *testing.T, port int, host string) string {
	t.Helper()
	cc, err := grpc.NewClient(fmt.Sprintf("passthrough:///127.0.0.1:%d", port),
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithAuthority(host))
	if err != nil {
		t.Fatal(err)
	}
	defer cc.Close()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	var header metadata.MD
	got, err := healthpb.NewHealthClient(cc).Check(ctx, &healthpb.HealthCheckRequest{}, grpc.Header(&header))
	if err != nil {
		return err.Error()
	}
	return strings.Join(header.Get("x-app"), ",") + " " + got.GetStatus().String()
}

// greeting is what a TLS connection with a name is told; "" when there is none.
func greeting(port int, name string) string {
	// Who answers is what matters here, not whether its certificate is good.
	c, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port), &tls.Config{ServerName: name, InsecureSkipVerify: true})
	if err != nil {
		return ""
	}
	defer c.Close()
	text, _ := io.ReadAll(c)
	return string(text)
}

// split are routes of web whose requests go to v1 and v2 by weight; the answers tell
// that of v2.
func split(more string, v1, v2 int) string {
	return fmt.Sprintf(`
routes "web" {
  subset "v1" { filter = "Service.Meta.version == 1" }
  subset "v2" { filter = "Service.Meta.version == 2" }
  to "v1" {
    weight = %[1]d
    response_headers { set = { x-weight = "%[2]d" } }
  }
  to "v2" {
    weight = %[2]d
    response_headers { set = { x-weight = "%[2]d" } }
  }
%[3]s
}`, v1, v2, more)
}

func TestRequestsAreSplitByTheirWeights(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 1)
	f.app("web", "web-1", "version=1")
	f.app("web", "web-2", "version=2")
	f.start(f.declares(split("", 90, 10), f.gatewayTo("web")))
	f.envoy("gateway", "edge")
	c := knock(t, f.doors[0])
	for _, weight := range []int{10, 37} {
		f.reload(split("", 100-weight, weight), f.gatewayTo("web"))
		f.settles(c, weight)
		// A fair split is further off than 3 σ once in 370 times; twice is no chance.
		off := f.measure(c, weight)
		if math.Abs(off) > 3 {
			t.Logf("measured again, as it was off by %.1f σ", off)
			off = f.measure(c, weight)
		}
		if math.Abs(off) > 3 {
			t.Errorf("weight %d: off by %.1f σ twice", weight, off)
		}
	}
}

// settles waits until requests are split by a weight of v2.
func (f *fleet) settles(c caller, weight int) {
	f.t.Helper()
	f.must(rig.Until(f.t.Context(), limit, func() error {
		got, err := c.call("GET /")
		if err == nil && got.Header.Get("X-Weight") != fmt.Sprint(weight) {
			err = fmt.Errorf("the weight is %q, want %d", got.Header.Get("X-Weight"), weight)
		}
		return err
	}))
}

// measure makes 5,000 requests and tells how far the share of web-2 is from its weight.
func (f *fleet) measure(c caller, weight int) (sigma float64) {
	f.t.Helper()
	const requests, workers = 5000, 8
	got := make(chan map[string]int, workers)
	for range workers {
		go func() {
			counts := map[string]int{}
			for range requests / workers {
				id, err := c.served("GET /")
				if err != nil {
					id = err.Error()
				}
				counts[id]++
			}
			got <- counts
		}()
	}
	sum := map[string]int{}
	for range workers {
		for id, n := range <-got {
			sum[id] += n
		}
	}
	if sum["web-1"]+sum["web-2"] != requests {
		f.t.Errorf("requests failed: %v", sum)
	}
	p := float64(weight) / 100
	sigma = (float64(sum["web-2"]) - requests*p) / math.Sqrt(requests*p*(1-p))
	f.t.Logf("weight %d of 100: %d of %d requests, %.2f σ off", weight, sum["web-2"], requests, sigma)
	return sigma
}
