package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"patchbay/tasks/catalog"
	"patchbay/xds"
	"patchbay/xds/mesh"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	statusv3 "github.com/envoyproxy/go-control-plane/envoy/service/status/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	grpcxds "google.golang.org/grpc/xds"
	"google.golang.org/grpc/xds/csds"
)

// backend is a service that tells its name in a header of every answer.
type backend struct {
	grpc_health_v1.UnimplementedHealthServer
	name string
	port int
}

func (b *backend) Check(ctx context.Context, _ *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	return &grpc_health_v1.HealthCheckResponse{}, grpc.SetHeader(ctx, metadata.Pairs("who", b.name))
}

func newBackend(t *testing.T, name string) *backend {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &backend{name: name, port: listener.Addr().(*net.TCPAddr).Port}
	s := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(s, b)
	served := make(chan error, 1)
	go func() { served <- s.Serve(listener) }()
	t.Cleanup(func() {
		s.Stop()
		if err := <-served; err != nil {
			t.Errorf("serve %s: %v", name, err)
		}
	})
	return b
}

// grpcWorld is a server of the role of gRPC clients, on TCP.
type grpcWorld struct {
	t       *testing.T
	store   *Store
	server  *Server
	meter   *meter
	address string
}

func newGRPCWorld(t *testing.T) *grpcWorld {
	t.Helper()
	w := &grpcWorld{t: t, store: NewStore(), meter: &meter{}}
	w.server = New(Options{Store: w.store, Meter: w.meter, Admit: func(_ context.Context, node *core.Node) (Peer, error) {
		return Peer{Node: node.GetId(), Role: node.GetMetadata().GetFields()[xds.RoleKey].GetStringValue(), Agent: node.GetUserAgentName()}, nil
	}})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.address = listener.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- w.server.Serve(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return w
}

// declare publishes what a mesh gives to gRPC clients.
func (w *grpcWorld) declare(m *mesh.Mesh) {
	w.t.Helper()
	if mistakes := m.Validate(); len(mistakes) > 0 {
		w.t.Fatalf("the mesh has mistakes: %+v", mistakes)
	}
	roles, err := xds.NewRoles(m)
	if err != nil {
		w.t.Fatal(err)
	}
	n := slices.IndexFunc(roles, func(r xds.Role) bool { return r.Name == xds.GRPCRole })
	if n < 0 {
		w.t.Fatal("there is no role for gRPC clients")
	}
	w.store.Publish(Change{Scope: xds.GRPCRole, Upserts: roles[n].Resources})
}

// place tells where a target's instances are: name of a backend to its health.
func (w *grpcWorld) place(t mesh.Target, list ...catalog.Instance) {
	w.t.Helper()
	r, omitted, err := xds.NewEndpoints(t, xds.Group{Instances: list})
	if err != nil || len(omitted) > 0 {
		w.t.Fatal(err, omitted)
	}
	w.store.Publish(Change{Scope: Shared, Upserts: []*xds.Resource{r}})
}

func at(b *backend, checks ...catalog.Check) catalog.Instance {
	return catalog.Instance{ID: b.name, Name: "web", Address: "127.0.0.1", Port: b.port, Checks: checks,
		Weights: catalog.Weights{Passing: 1, Warning: 1}, Node: catalog.Node{Name: "n1", Datacenter: "dc1"}}
}

func (w *grpcWorld) bootstrap() []byte {
	w.t.Helper()
	text, err := xds.GRPCBootstrap{Node: "shop/1", Server: w.address}.JSON()
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}

// dial makes a client with an xDS client of its own.
func (w *grpcWorld) dial(target string) grpc_health_v1.HealthClient {
	w.t.Helper()
	resolver, err := grpcxds.NewXDSResolverWithConfigForTesting(w.bootstrap())
	if err != nil {
		w.t.Fatal(err)
	}
	conn, err := grpc.NewClient("xds:///"+target, grpc.WithResolvers(resolver), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			w.t.Error(err)
		}
	})
	return grpc_health_v1.NewHealthClient(conn)
}

// who calls and tells who answered.
func (w *grpcWorld) who(c grpc_health_v1.HealthClient, pairs ...string) (string, error) {
	ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(context.Background(), pairs...), patience)
	defer cancel()
	var header metadata.MD
	_, err := c.Check(ctx, &grpc_health_v1.HealthCheckRequest{}, grpc.Header(&header), grpc.WaitForReady(true))
	return strings.Join(header.Get("who"), ","), err
}

func (w *grpcWorld) split(c grpc_health_v1.HealthClient, calls int) map[string]int {
	w.t.Helper()
	out := map[string]int{}
	for range calls {
		name, err := w.who(c)
		if err != nil {
			w.t.Fatal(err)
		}
		out[name]++
	}
	return out
}

// until calls until the answer is the wanted one.
func (w *grpcWorld) until(what string, ok func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(patience); !ok(); {
		if time.Now().After(deadline) {
			w.t.Fatalf("never %s", what)
		}
	}
}

func (w *grpcWorld) noRefusals() {
	w.t.Helper()
	w.until("everything is accepted", func() bool {
		w.meter.mu.Lock()
		defer w.meter.mu.Unlock()
		return !slices.Contains(w.meter.pushed[:xds.Secret], 0) && !slices.Contains(w.meter.pushed[xds.Listener:], 0)
	})
	w.meter.mu.Lock()
	defer w.meter.mu.Unlock()
	if w.meter.refused != [xds.Types]int{} {
		w.t.Errorf("the client refused %v of %v; it says %+v", w.meter.refused, w.meter.pushed, w.server.Clients())
	}
}

// everything is a mesh that uses all that a gRPC client cannot do.
func everything(weights ...uint32) *mesh.Mesh {
	v1, v2 := mesh.Target{Service: "web", Subset: "v1"}, mesh.Target{Service: "web", Subset: "v2"}
	headers := mesh.Headers{Set: map[string]string{"x-leg": "1"}, Remove: []string{"x-old"}}
	return &mesh.Mesh{
		Observe: mesh.Observe{AccessLog: "/dev/stdout", Tracing: "127.0.0.1:4317", Sample: 100},
		Services: []mesh.Service{{Name: "web", Protocol: mesh.GRPC,
			Subsets: []mesh.Subset{{Name: "v1", Filter: `Service.Meta.v == "1"`}, {Name: "v2", Filter: `Service.Meta.v == "2"`}},
			Balance: mesh.Balance{Policy: mesh.Maglev, Hash: []mesh.Hash{{Cookie: &mesh.Cookie{Name: "c"}}, {SourceIP: true}}},
			Outlier: &mesh.Outlier{Failures: 3}, Breaker: &mesh.Breaker{Connections: 10, Requests: 1000},
			Sticky: &mesh.Cookie{Name: "leg", TTL: time.Hour},
			Routes: []mesh.Route{
				{Name: "query", Match: mesh.Match{Queries: []mesh.Field{{Name: "beta"}}}, To: []mesh.Leg{{Target: v2, Weight: mesh.Whole}}},
				{Name: "get", Match: mesh.Match{Methods: []string{"GET"}}, To: []mesh.Leg{{Target: v2, Weight: mesh.Whole}}},
				{Name: "beta", Match: mesh.Match{Methods: []string{"GET", "POST"}, Headers: []mesh.Field{{Name: "x-beta", Exact: "yes"}}},
					Timeout: time.Minute, Retry: &mesh.Retry{Attempts: 2, On: []string{"5xx"}, Codes: []int{503}},
					Mirror: &mesh.Mirror{Target: v1, Share: 100}, Limit: &mesh.Limit{Requests: 1}, Request: headers,
					Rewrite: &mesh.Rewrite{Host: "other"}, To: []mesh.Leg{{Target: v2, Weight: mesh.Whole, Response: headers}}},
				{Name: "broken", Match: mesh.Match{Headers: []mesh.Field{{Name: "x-fault"}}}, Fault: &mesh.Fault{Status: 503, AbortShare: mesh.Whole},
					To: []mesh.Leg{{Target: v1, Weight: mesh.Whole}}},
				{Name: "gone", Match: mesh.Match{Headers: []mesh.Field{{Name: "x-gone"}}}, Respond: &mesh.Respond{Status: 410}},
			},
			Default: []mesh.Leg{{Target: v1, Weight: weights[0], Request: headers}, {Target: v2, Weight: weights[1]}}}},
	}
}

func TestAGRPCClientFollowsWeightsHeadersFaultsAndHealth(t *testing.T) {
	w := newGRPCWorld(t)
	v1, v2 := mesh.Target{Service: "web", Subset: "v1"}, mesh.Target{Service: "web", Subset: "v2"}
	one, other, beta := newBackend(t, "one"), newBackend(t, "other"), newBackend(t, "beta")
	w.place(v1, at(one), at(other, catalog.Check{ID: "c", Status: catalog.Critical}))
	w.place(v2, at(beta))
	w.declare(everything(mesh.Whole, 0))
	c := w.dial("web")
	if got := w.split(c, 50); got["one"] != 50 {
		t.Errorf("with all weight on one: %v", got)
	}
	if got, err := w.who(c, "x-beta", "yes"); err != nil || got != "beta" {
		t.Errorf("the header is routed to %q, %v", got, err)
	}
	for header, want := range map[string]codes.Code{"x-fault": codes.Unavailable, "x-gone": codes.Unavailable} {
		if got, err := w.who(c, header, "1"); status.Code(err) != want {
			t.Errorf("with %s: %q, %v, want %v", header, got, err, want)
		}
	}
	w.place(v1, at(one, catalog.Check{ID: "c", Status: catalog.Critical}), at(other))
	w.until("the healthy one answers", func() bool { got, err := w.who(c); return err == nil && got == "other" })
	if got := w.split(c, 50); got["other"] != 50 {
		t.Errorf("after the change of health: %v", got)
	}
	w.declare(everything(7000, 3000))
	w.until("the candidate answers", func() bool { got, err := w.who(c); return err == nil && got == "beta" })
	const calls = 2000
	got := w.split(c, calls)
	if off, sigma := math.Abs(float64(got["beta"])-0.3*calls), math.Sqrt(calls*0.3*0.7); off > 5*sigma || got["one"] > 0 {
		t.Errorf("30 percent of %d calls: %v", calls, got)
	}
	w.noRefusals()
}

func TestAGRPCClientCallsAServiceThatOnlyASidecarNames(t *testing.T) {
	w := newGRPCWorld(t)
	db := mesh.Target{Service: "db"}
	w.place(db, at(newBackend(t, "db-1")))
	w.declare(&mesh.Mesh{Sidecars: []mesh.Sidecar{{Service: "shop", Upstreams: []mesh.Upstream{{Target: db, Port: 9001}}}}})
	if got, err := w.who(w.dial("db")); err != nil || got != "db-1" {
		t.Errorf("got %q, %v", got, err)
	}
	w.noRefusals()
}

func TestEveryBalanceIsOneThatGRPCAccepts(t *testing.T) {
	w := newGRPCWorld(t)
	b := newBackend(t, "web-1")
	for _, policy := range []string{"", mesh.RoundRobin, mesh.LeastRequest, mesh.Random, mesh.RingHash, mesh.Maglev} {
		name := "web-" + policy
		w.place(mesh.Target{Service: name}, at(b))
		s := mesh.Service{Name: name, Protocol: mesh.GRPC, Balance: mesh.Balance{Policy: policy}}
		if policy == mesh.RingHash || policy == mesh.Maglev {
			s.Balance.Hash = []mesh.Hash{{Header: "x-user"}, {SourceIP: true}}
		}
		w.declare(&mesh.Mesh{Services: []mesh.Service{s}})
		if got, err := w.who(w.dial(name)); err != nil || got != "web-1" {
			t.Errorf("with %q: %q, %v", policy, got, err)
		}
	}
	w.noRefusals()
}

// clientEnv makes the test's binary the client of a bootstrap: only clients that are
// made from the environment tell what they have.
const clientEnv = "PATCHBAY_TEST_GRPC_CLIENT"

func TestAProgramStartedFromTheBootstrapHasEverythingAcknowledged(t *testing.T) {
	w := newGRPCWorld(t)
	v1, v2 := mesh.Target{Service: "web", Subset: "v1"}, mesh.Target{Service: "web", Subset: "v2"}
	b := newBackend(t, "web-1")
	w.place(v1, at(b))
	w.place(v2, at(b))
	w.declare(everything(5000, 5000))
	file := filepath.Join(t.TempDir(), "bootstrap.json")
	if err := os.WriteFile(file, w.bootstrap(), 0o600); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), clientEnv+"=web", "GRPC_XDS_BOOTSTRAP="+file)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	text, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, complaints.String())
	}
	var got map[string]string
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if len(got) != 6 {
		t.Errorf("the client has %v, want listener, routes, two clusters and their endpoints", got)
	}
	for name, state := range got {
		if state != "ACKED" {
			t.Errorf("%s is %s", name, state)
		}
	}
	w.noRefusals()
}

// clientMain is the program that is started from a bootstrap: it calls a service
// once and prints what its xDS client has.
func clientMain(service string) int {
	err := func() error {
		conn, err := grpc.NewClient("xds:///"+service, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if _, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{}, grpc.WaitForReady(true)); err != nil {
			return fmt.Errorf("call: %w", err)
		}
		server, err := csds.NewClientStatusDiscoveryServer()
		if err != nil {
			return err
		}
		defer server.Close()
		answer, err := server.FetchClientStatus(ctx, &statusv3.ClientStatusRequest{})
		if err != nil {
			return err
		}
		states := map[string]string{}
		for _, client := range answer.GetConfig() {
			for _, r := range client.GetGenericXdsConfigs() {
				t, _ := xds.TypeOf(r.GetTypeUrl())
				states[t.String()+" "+r.GetName()] = r.GetClientStatus().String()
			}
		}
		if err := json.NewEncoder(os.Stdout).Encode(states); err != nil {
			return err
		}
		return conn.Close()
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
