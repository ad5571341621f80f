package e2e

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"patchbay/e2e/internal/rig"
)

// startEnvoy starts Envoy; the test's end stops it, and shows the end of its log
// when the test failed.
func startEnvoy(t *testing.T, dir, bootstrap string, args ...string) *rig.Envoy {
	t.Helper()
	e, err := rig.StartEnvoy(t.Context(), dir, bootstrap, args...)
	if err != nil {
		t.Fatal(err)
	}
	endWith(t, e.Process)
	return e
}

// startPrometheus is [startEnvoy] for Prometheus.
func startPrometheus(t *testing.T, dir string, jobs ...rig.Job) *rig.Prometheus {
	t.Helper()
	p, err := rig.StartPrometheus(t.Context(), dir, jobs...)
	if err != nil {
		t.Fatal(err)
	}
	endWith(t, p.Process)
	return p
}

func endWith(t *testing.T, p *rig.Process) {
	t.Cleanup(func() {
		if !p.Exited() {
			if err := p.Stop(limit); err != nil {
				t.Error(err)
			}
		}
		if t.Failed() {
			keepLog(t, p)
		}
	})
}

// keepLog shows the end of a log and keeps the whole of it below .tools/e2e-logs.
func keepLog(t *testing.T, p *rig.Process) {
	root, err := rig.Root()
	if err != nil {
		t.Error(err)
		return
	}
	to := filepath.Join(root, ".tools", "e2e-logs", strings.ReplaceAll(t.Name(), "/", "_"), filepath.Base(p.Log))
	if err := copyFile(p.Log, to); err != nil {
		t.Error(err)
	}
	// Envoy lists its extensions in lines without end.
	lines := strings.Split(regexp.MustCompile(`(?m)^(.{400}).*$`).ReplaceAllString(p.Output(), "$1..."), "\n")
	t.Logf("the end of %s's log, %s:\n%s", p.Name, to, strings.Join(lines[max(0, len(lines)-40):], "\n"))
}

// httpManager is a filter that routes everything to the cluster app.
const httpManager = `{
  "name": "envoy.filters.network.http_connection_manager",
  "typed_config": {
    "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    "stat_prefix": "web",
    "route_config": {"name": "to-app", "virtual_hosts": [{"name": "all", "domains": ["*"],
      "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "app"}}]}]},
    "http_filters": [{"name": "envoy.filters.http.router",
      "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}]
  }
}`

// staticBootstrap is one in YAML whose listener web goes to a server. The admin
// address that it names is one that no one may listen on.
func staticBootstrap(server string) string {
	host, port, _ := strings.Cut(server, ":")
	return fmt.Sprintf(`node:
  id: web-1
  cluster: web
admin:
  address:
    socket_address: {address: 192.0.2.1, port_value: 1}
static_resources:
  listeners:
  - name: web
    address:
      socket_address: {address: 127.0.0.1, port_value: 0}
    filter_chains:
    - filters:
      - %s
  clusters:
  - name: app
    type: STATIC
    load_assignment:
      cluster_name: app
      endpoints:
      - locality: {zone: rack-1}
        lb_endpoints:
        - load_balancing_weight: 7
          endpoint:
            address:
              socket_address: {address: %s, port_value: %s}
`, strings.ReplaceAll(httpManager, "\n", " "), host, port)
}

func TestARealEnvoyCarriesARequestAndTellsOfIt(t *testing.T) {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "app got %s", r.URL.Path)
	}))
	defer app.Close()
	server := app.Listener.Addr().String()
	e := startEnvoy(t, filepath.Join(t.TempDir(), "envoy"), staticBootstrap(server))
	if got := askThrough(t, e, "web", "/hello"); got != "app got /hello" {
		t.Errorf("the answer through Envoy is %q", got)
	}
	stats, err := e.Stats("cluster.app.upstream_rq_")
	if err != nil {
		t.Fatal(err)
	}
	if stats["cluster.app.upstream_rq_200"] != 1 || stats["cluster.app.upstream_rq_total"] != 1 {
		t.Errorf("one request was sent, Envoy counts %v", stats)
	}
	for name := range stats {
		if !strings.HasPrefix(name, "cluster.app.upstream_rq_") {
			t.Errorf("the stat %s has another prefix", name)
		}
	}
	clusters, err := e.Clusters()
	if err != nil {
		t.Fatal(err)
	}
	for _, hosts := range clusters {
		for i := range hosts {
			hosts[i].Stats = map[string]uint64{"rq_total": hosts[i].Stats["rq_total"]}
		}
	}
	wanted := map[string][]rig.Host{
		"app": {{Addr: server, Health: "HEALTHY", Weight: 7, Zone: "rack-1", Stats: map[string]uint64{"rq_total": 1}}},
	}
	if diff := cmp.Diff(wanted, clusters); diff != "" {
		t.Errorf("clusters (-wanted +got):\n%s", diff)
	}
	configured := states(t, e)
	for _, piece := range []string{"static Bootstrap  ", "static Listener web ", "static Cluster app ", "static RouteConfiguration to-app ", "static ClusterLoadAssignment app "} {
		if !configured[piece] {
			t.Errorf("Envoy's configuration lacks %q: %v", piece, configured)
		}
	}
	if err := e.Stop(limit); err != nil {
		t.Error(err)
	}
	if code, err := e.Wait(limit); err != nil || code != 0 {
		t.Errorf("Envoy ended with code %d, %v", code, err)
	}
}

// askThrough makes one request of a listener and gives the body of its answer.
func askThrough(t *testing.T, e *rig.Envoy, listener, path string) string {
	t.Helper()
	listeners, err := e.Listeners()
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Timeout: limit, Transport: &http.Transport{DisableKeepAlives: true}}
	got, err := client.Get("http://" + listeners[listener] + path)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// states tells every resource as "state Type name version".
func states(t *testing.T, e *rig.Envoy) map[string]bool {
	t.Helper()
	resources, err := e.ConfigDump()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for _, r := range resources {
		out[fmt.Sprintf("%s %s %s %s", r.State, r.Type[strings.LastIndex(r.Type, ".")+1:], r.Name, r.Version)] = true
	}
	return out
}

// dynamic writes a file that Envoy takes resources of a version from.
func dynamic(t *testing.T, file, version string, resources ...string) {
	t.Helper()
	text := fmt.Sprintf(`{"version_info": %q, "resources": [%s]}`, version, strings.Join(resources, ","))
	// Envoy watches for a file moved to the name.
	if err := os.WriteFile(file+".new", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

// listenerOf is a listener that goes to the cluster app; Envoy takes it with one chain
// of filters, and refuses it with two for the same connections.
func listenerOf(name string, chains int) string {
	chain := fmt.Sprintf(`{"filters": [%s]}`, httpManager)
	return fmt.Sprintf(`{"@type": "type.googleapis.com/envoy.config.listener.v3.Listener", "name": %q,
  "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
  "filter_chains": [%s]}`, name, strings.TrimSuffix(strings.Repeat(chain+",", chains), ","))
}

func TestARealEnvoyTellsWhatItAcceptedAndWhatItRefused(t *testing.T) {
	dir := t.TempDir()
	lds, cds, eds := filepath.Join(dir, "lds.json"), filepath.Join(dir, "cds.json"), filepath.Join(dir, "eds.json")
	source := func(file string) string { return fmt.Sprintf(`{"path_config_source": {"path": %q}}`, file) }
	dynamic(t, eds, "e1", `{"@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment", "cluster_name": "web", "endpoints": [
  {"priority": 0, "lb_endpoints": [{"health_status": "UNHEALTHY", "endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 9}}}}]},
  {"priority": 1, "lb_endpoints": [{"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 10}}}}]}]}`)
	dynamic(t, cds, "c1", fmt.Sprintf(`{"@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster", "name": "app", "type": "EDS",
  "eds_cluster_config": {"service_name": "web", "eds_config": %s}}`, source(eds)))
	dynamic(t, lds, "l1", listenerOf("web", 1))
	e := startEnvoy(t, filepath.Join(dir, "envoy"), fmt.Sprintf(`{"node": {"id": "web-1", "cluster": "web"},
  "dynamic_resources": {"lds_config": %s, "cds_config": %s}}`, source(lds), source(cds)))

	accepted := states(t, e)
	for _, piece := range []string{"active Listener web l1", "active Cluster app c1", "active ClusterLoadAssignment web "} {
		if !accepted[piece] {
			t.Errorf("Envoy's configuration lacks %q: %v", piece, accepted)
		}
	}
	texts, err := e.Texts("cluster.app.")
	if err != nil {
		t.Fatal(err)
	}
	if got := texts["cluster.app.version_text"]; got != "e1" {
		t.Errorf("the endpoints' version is %q: %v", got, texts)
	}
	clusters, err := e.Clusters()
	if err != nil {
		t.Fatal(err)
	}
	got := []string{}
	for _, h := range clusters["app"] {
		got = append(got, fmt.Sprint(h.Addr, " ", h.Health, " ", h.Priority))
	}
	if diff := cmp.Diff([]string{"127.0.0.1:9 UNHEALTHY 0", "127.0.0.1:10 HEALTHY 1"}, got); diff != "" {
		t.Errorf("hosts (-wanted +got):\n%s", diff)
	}

	dynamic(t, lds, "l2", listenerOf("web", 2))
	err = rig.Until(t.Context(), limit, func() error {
		resources, err := e.ConfigDump()
		if err != nil {
			return rig.Final(err)
		}
		for _, r := range resources {
			if r.State == "rejected" && r.Name == "web" && strings.Contains(r.Error, "same matching rules") {
				return nil
			}
		}
		return errors.New("no listener was rejected")
	})
	if err != nil {
		t.Error(err)
	}
	if kept := states(t, e); !kept["active Listener web l1"] {
		t.Errorf("the accepted listener is gone: %v", kept)
	}
}

func TestAnEnvoyThatCannotStartSaysWhy(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "envoy")
	e, err := rig.StartEnvoy(t.Context(), dir, `{"no_such_field": 1}`)
	if err == nil {
		endWith(t, e.Process)
		t.Fatal("Envoy started from a wrong bootstrap")
	}
	if !strings.Contains(err.Error(), "no_such_field") {
		t.Errorf("the error does not have Envoy's words: %v", err)
	}
}

func TestAnEnvoyWithoutItsControlPlaneIsThereButDoesNotServe(t *testing.T) {
	e, err := rig.LaunchEnvoy(t.Context(), filepath.Join(t.TempDir(), "envoy"), `{"node": {"id": "web-1", "cluster": "web"},
  "dynamic_resources": {
    "ads_config": {"api_type": "DELTA_GRPC", "grpc_services": [{"envoy_grpc": {"cluster_name": "control"}}]},
    "cds_config": {"ads": {}, "initial_fetch_timeout": "0s"}},
  "static_resources": {"clusters": [{"name": "control", "type": "STATIC", "load_assignment": {"cluster_name": "control"}}]}}`)
	if err != nil {
		t.Fatal(err)
	}
	endWith(t, e.Process)
	if err := e.AwaitReady(t.Context(), 0); !errors.Is(err, rig.StatusError(http.StatusServiceUnavailable)) {
		t.Errorf("Envoy is ready, or not for another reason than the one expected: %v", err)
	}
	stats, err := e.Stats("control_plane.connected_state")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]uint64{"control_plane.connected_state": 0}, stats); diff != "" {
		t.Errorf("the connection to the control plane (-wanted +got):\n%s", diff)
	}
}

func TestARealPrometheusScrapesAServiceAndEnvoy(t *testing.T) {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/metrics" {
			fmt.Fprint(w, "# TYPE orders_failed gauge\norders_failed{version=\"v2\"} 42\n")
		}
	}))
	defer app.Close()
	dir := t.TempDir()
	e := startEnvoy(t, filepath.Join(dir, "envoy"), staticBootstrap(app.Listener.Addr().String()))
	p := startPrometheus(t, filepath.Join(dir, "prometheus"),
		rig.Job{Name: "app", Addrs: []string{app.Listener.Addr().String()}},
		rig.Job{Name: "envoy", Path: "/stats/prometheus", Addrs: []string{e.Admin}})
	askThrough(t, e, "web", "/")
	for query, wanted := range map[string]float64{
		`orders_failed{version="v2", job="app"}`:                            42,
		`envoy_cluster_upstream_rq{job="envoy", envoy_response_code="200"}`: 1,
		`sum(up{job=~"app|envoy"})`:                                         2,
		`absent(orders_failed{version="v1"})`:                               1,
	} {
		if err := p.AwaitValue(t.Context(), query, limit, func(v float64) bool { return v == wanted }); err != nil {
			t.Errorf("wanted %g: %v", wanted, err)
		}
	}
	if value, err := p.Value("orders_failed_v9"); err == nil {
		t.Errorf("a query without samples gives %g", value)
	}
	if _, err := p.Value("orders_failed{"); err == nil || !strings.Contains(err.Error(), "parse error") {
		t.Errorf("a query that is wrong gives the error %v", err)
	}
}
