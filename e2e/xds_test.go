package e2e

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"patchbay/e2e/internal/rig"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
)

// fleet is a world with Envoys.
type fleet struct {
	*world
	port  int // of the xDS server
	doors []int
	// unchecked are instances that are registered without a check.
	unchecked bool
}

// newFleet makes a world with free ports for so many listeners of Envoys.
func newFleet(t *testing.T, doors int) *fleet {
	t.Helper()
	f := &fleet{world: newWorld(t)}
	ports, err := rig.Ports(doors + 1)
	f.must(err)
	f.port, f.doors = ports[0], ports[1:]
	return f
}

// declares is a configuration of this fleet.
func (f *fleet) declares(blocks ...string) string {
	return f.config(local, append([]string{fmt.Sprintf("xds {\n  port = %d\n}", f.port)}, blocks...)...)
}

// reload changes the configuration and has it taken over.
func (f *fleet) reload(blocks ...string) {
	f.t.Helper()
	f.file("patchbay.hcl", f.declares(blocks...))
	f.send("POST", "/v1/reload", "", 200)
}

// node is what an Envoy of the fleet calls itself.
func node(kind, name string) string { return kind + "-" + name }

// envoy starts an Envoy from the bootstrap that Patchbay prints: kind is service or
// gateway.
func (f *fleet) envoy(kind, name string) *rig.Envoy {
	f.t.Helper()
	return startEnvoy(f.t, filepath.Join(f.dir, node(kind, name)), f.bootstrap(kind, name))
}

func (f *fleet) bootstrap(kind, name string) string {
	f.t.Helper()
	return f.ask("xds", "bootstrap", "-"+kind, name, "-node", node(kind, name), "-address", fmt.Sprintf("127.0.0.1:%d", f.port))
}

// app starts apps that are instances of a service, with metadata as "name=value".
func (f *fleet) app(service, id string, meta ...string) *rig.App {
	f.t.Helper()
	a, err := rig.NewApp(id)
	f.must(err)
	f.t.Cleanup(func() { f.check(a.Close()) })
	f.register(service, id, a.Port(), meta...)
	return a
}

func (f *fleet) register(service, id string, port int, meta ...string) {
	f.t.Helper()
	i := rig.Instance{ID: id, Service: service, Port: port, Meta: map[string]string{}, Unchecked: f.unchecked}
	for _, m := range meta {
		name, value, _ := strings.Cut(m, "=")
		i.Meta[name] = value
	}
	f.must(f.consul.RegisterInstance(i))
}

// gatewayTo is a gateway "edge" with one listener, which leads to a service.
func (f *fleet) gatewayTo(service string) string {
	return fmt.Sprintf("gateway \"edge\" {\n  listener {\n    port = %d\n    service %q {}\n  }\n}", f.doors[0], service)
}

// caller makes requests of one address, over connections that are kept.
type caller struct {
	client *http.Client
	url    string
}

// knock makes a caller of a port of loopback.
func knock(t *testing.T, port int) caller {
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	return caller{url: fmt.Sprintf("http://127.0.0.1:%d", port), client: &http.Client{Transport: transport, Timeout: limit,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// reply is an answer; Echo is what the app said, if it was one.
type reply struct {
	Status int
	Header http.Header
	Body   string
	rig.Echo
}

// call makes a request as "METHOD /path" with headers as "name: value".
func (c caller) call(what string, headers ...string) (reply, error) {
	return c.send(nil, what, headers...)
}

// send is call with a body.
func (c caller) send(body io.Reader, what string, headers ...string) (reply, error) {
	method, path, _ := strings.Cut(what, " ")
	r, err := http.NewRequestWithContext(context.Background(), method, c.url+path, body)
	if err != nil {
		return reply{}, err
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if r.Header.Add(name, value); name == "Host" {
			r.Host = value
		}
	}
	got, err := c.client.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	out := reply{Status: got.StatusCode, Header: got.Header, Body: string(text)}
	_ = json.Unmarshal(text, &out.Echo) // what is none stays in Body
	return out, err
}

// served gives who answered a request that must succeed.
func (c caller) served(what string, headers ...string) (id string, err error) {
	got, err := c.call(what, headers...)
	if err == nil && got.Status != http.StatusOK {
		err = fmt.Errorf("%s: %d %s", what, got.Status, got.Body)
	}
	return got.ID, err
}

// put is a request that the client's library never repeats by itself, so that every
// failure is seen: it has a body that can be read once.
func (c caller) put() (id string, err error) {
	got, err := c.send(io.MultiReader(strings.NewReader("x")), "POST /")
	if err == nil && got.Status != http.StatusOK {
		err = fmt.Errorf("%d %s", got.Status, got.Body)
	}
	return got.ID, err
}

// eventually waits until a request is answered by one.
func (f *fleet) eventually(c caller, id string, headers ...string) {
	f.t.Helper()
	f.must(rig.Until(f.t.Context(), limit, func() error {
		got, err := c.served("GET /", headers...)
		if err == nil && got != id {
			err = fmt.Errorf("answered by %q, want %q", got, id)
		}
		return err
	}))
}

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
    service "h2" { hosts = ["h2.test", "*.h2.test"] }
    service "api" { hosts = ["api.test"] }
  }
  listener {
    port     = %[8]d
    protocol = "tcp"
    service "db" { hosts = ["db.test"] }
    service "archive" { hosts = ["*.archive.test"] }
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

// shown is a resource in the table of xds show.
var shown = regexp.MustCompile(`(?m)^\s+([CELSR]DS)\s+(\S+)\s+(\S+)$`)

// agrees waits until what Patchbay shows of a node is what Envoy itself has,
// and that is something.
func (f *fleet) agrees(node string, e *rig.Envoy) {
	f.t.Helper()
	err := rig.Until(f.t.Context(), limit, func() error {
		told := map[string]string{}
		for _, m := range shown.FindAllStringSubmatch(f.ask("xds", "show", node), -1) {
			told[m[1]+" "+m[2]] = m[3]
			if m[1] == "EDS" { // Envoy does not tell the version of endpoints
				told["EDS "+m[2]] = ""
			}
		}
		has, err := taken(e)
		if err != nil {
			return err
		}
		if diff := cmp.Diff(has, told); diff != "" || len(has) == 0 {
			return fmt.Errorf("%s (-Envoy +Patchbay):\n%s", node, diff)
		}
		return nil
	})
	f.check(err)
}

// taken is what an Envoy took of a server: the version of every resource.
func taken(e *rig.Envoy) (map[string]string, error) {
	resources, err := e.ConfigDump()
	if err != nil {
		return nil, err
	}
	short := map[string]string{"Cluster": "CDS", "Listener": "LDS", "RouteConfiguration": "RDS", "ClusterLoadAssignment": "EDS"}
	out := map[string]string{}
	for _, r := range resources {
		kind := short[r.Type[strings.LastIndex(r.Type, ".")+1:]]
		inline := kind == "EDS" && r.Name == "local_app" // the program beside a sidecar
		if kind != "" && r.State == "active" && !inline {
			out[kind+" "+r.Name] = r.Version
		}
	}
	return out, nil
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
