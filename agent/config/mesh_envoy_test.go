package config

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"patchbay/xds"
	"patchbay/xds/mesh"

	bootstrap "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/file/v3"
	hcm "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/retry/host/previous_hosts/v3"
	"github.com/rogpeppe/go-internal/txtar"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/anypb"
)

// envoy gives a real Envoy: the one on PATH, else the one that make tools brought.
func envoy(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"envoy", "../../.tools/bin/envoy"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("envoy is neither on PATH nor in .tools/bin: run make tools")
	return ""
}

// What the configuration takes Envoy takes too: every golden case with routes is
// given to a real one, with a sidecar that reaches all of its services.
func TestEnvoyTakesWhatTheConfigurationTakes(t *testing.T) {
	program, checked := envoy(t), 0
	for _, name := range goldenCases(t) {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		cfg, ok := loadMesh(t, archive)
		if !ok {
			continue
		}
		checked++
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			roles, err := xds.NewRoles(&cfg.Mesh)
			if err != nil {
				t.Fatal(err)
			}
			for _, role := range roles {
				if !strings.Contains(role.Name, "/") {
					continue // what gRPC clients get is not for Envoy
				}
				path := filepath.Join(t.TempDir(), "envoy.json")
				if err := os.WriteFile(path, static(t, role), 0o600); err != nil {
					t.Fatal(err)
				}
				said, err := exec.CommandContext(t.Context(), program, "--mode", "validate", "-c", path, "-l", "error", "--concurrency", "1").CombinedOutput()
				if err != nil {
					t.Errorf("%s: %v: %s", role.Name, err, said)
				}
			}
		})
	}
	if checked < 5 {
		t.Errorf("%d cases with routes", checked)
	}
}

// loadMesh loads a case; ok is false when it has mistakes or declares no service.
func loadMesh(t *testing.T, archive *txtar.Archive) (cfg Config, ok bool) {
	t.Helper()
	var files []source
	for _, f := range archive.Files {
		if isConfig(f.Name) {
			files = append(files, source{f.Name, f.Data})
		}
	}
	r := newReport()
	cfg = build(files, testOptions(t.TempDir(), nil), r)
	if r.err() != nil || len(cfg.Mesh.Services) == 0 {
		return Config{}, false
	}
	probe := mesh.Sidecar{Service: "probe"}
	for n, s := range cfg.Mesh.Services {
		probe.Upstreams = append(probe.Upstreams, mesh.Upstream{Target: s.Own(""), Port: 20000 + n})
	}
	cfg.Mesh.Sidecars = append(cfg.Mesh.Sidecars, probe)
	return cfg, true
}

// static makes a configuration file of a role: what Envoy would ask the server for
// stands in it.
func static(t *testing.T, role xds.Role) []byte {
	t.Helper()
	b := &bootstrap.Bootstrap{StaticResources: &bootstrap.Bootstrap_StaticResources{}}
	routes := map[string]*route.RouteConfiguration{}
	for _, r := range role.Resources {
		m, err := r.Body.UnmarshalNew()
		if err != nil {
			t.Fatal(err)
		}
		switch m := m.(type) {
		case *route.RouteConfiguration:
			routes[m.GetName()] = m
		case *cluster.Cluster:
			if m.GetEdsClusterConfig() != nil {
				m.EdsClusterConfig, m.ClusterDiscoveryType = nil, &cluster.Cluster_Type{Type: cluster.Cluster_STATIC}
			}
			b.StaticResources.Clusters = append(b.StaticResources.Clusters, m)
		case *listener.Listener:
			b.StaticResources.Listeners = append(b.StaticResources.Listeners, m)
		}
	}
	for _, l := range b.StaticResources.Listeners {
		for _, c := range l.GetFilterChains() {
			for _, f := range c.GetFilters() {
				inline(t, f, routes)
			}
		}
	}
	text, err := protojson.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// inline puts routes where their name stands.
func inline(t *testing.T, f *listener.Filter, routes map[string]*route.RouteConfiguration) {
	t.Helper()
	m := &hcm.HttpConnectionManager{}
	if !f.GetTypedConfig().MessageIs(m) {
		return
	}
	if err := f.GetTypedConfig().UnmarshalTo(m); err != nil {
		t.Fatal(err)
	}
	if m.GetRds() == nil {
		return
	}
	m.RouteSpecifier = &hcm.HttpConnectionManager_RouteConfig{RouteConfig: routes[m.GetRds().GetRouteConfigName()]}
	packed, err := anypb.New(m)
	if err != nil {
		t.Fatal(err)
	}
	f.ConfigType = &listener.Filter_TypedConfig{TypedConfig: packed}
}
