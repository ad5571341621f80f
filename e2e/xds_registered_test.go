package e2e

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"patchbay/e2e/internal/rig"

	"github.com/hashicorp/consul/api"
)

// beside registers a sidecar proxy of an instance at a port, with upstreams as
// "service:port" and the time for a connection to them in milliseconds; its program
// listens at another port.
func (f *fleet) beside(service, id string, port, program, timeout int, upstreams ...string) {
	f.t.Helper()
	p := &api.AgentServiceConnectProxyConfig{DestinationServiceName: service, DestinationServiceID: id, LocalServicePort: program,
		Config: map[string]any{"bind_address": "127.0.0.1"}}
	for _, u := range upstreams {
		name, at, _ := strings.Cut(u, ":")
		out := api.Upstream{DestinationName: name, Config: map[string]any{"connect_timeout_ms": timeout}}
		_, err := fmt.Sscan(at, &out.LocalBindPort)
		f.must(err)
		p.Upstreams = append(p.Upstreams, out)
	}
	f.must(f.consul.Client.Agent().ServiceRegister(&api.AgentServiceRegistration{Kind: api.ServiceKindConnectProxy, ID: id + "-sidecar-proxy",
		Name: service + "-sidecar-proxy", Address: "127.0.0.1", Port: port, Proxy: p}))
}

func sorted(list ...string) string { return strings.Join(slices.Sorted(slices.Values(list)), " ") }

// registered starts the Envoy of a proxy that is registered.
func (f *fleet) registered(service, id string) *rig.Envoy {
	f.t.Helper()
	proxy := id + "-sidecar-proxy"
	text := f.ask("xds", "bootstrap", "-service", service, "-proxy-id", proxy, "-node-name", "node-1", "-address", fmt.Sprintf("127.0.0.1:%d", f.port))
	return startEnvoy(f.t, filepath.Join(f.dir, proxy), text)
}

// newRegistered is a world in which web and shop have sidecars that are registered in
// Consul and nothing is declared in files; shop-1 reaches web at the port that ports[3]
// is, through the Envoy that is given.
func newRegistered(t *testing.T) (f *fleet, ports []int, shop *rig.Envoy) {
	t.Helper()
	f = &fleet{world: emptyWorld(t)}
	t.Cleanup(f.saveLogs)
	var err error
	f.consul, err = rig.NewConsulMesh(t.Context(), filepath.Join(f.dir, "consul"))
	f.must(err)
	t.Cleanup(func() { f.consul.Kill() })
	ports, err = rig.Ports(6)
	f.must(err)
	f.port = ports[0]
	web := f.app("web", "web-1")
	f.app("shop", "shop-1")
	f.app("shop", "shop-2")
	f.entries(&api.ServiceConfigEntry{Kind: api.ServiceDefaults, Name: "web", Protocol: "http"})
	f.beside("web", "web-1", ports[1], web.Port(), 1234)
	f.beside("shop", "shop-1", ports[2], 9, 1234, fmt.Sprintf("web:%d", ports[3]))
	f.beside("shop", "shop-2", ports[2], 9, 1234, fmt.Sprintf("web:%d", ports[4]))
	f.start(f.declares())
	f.registered("web", "web-1")
	return f, ports, f.registered("shop", "shop-1")
}

func TestSidecarsFollowTheirRegistrationsInConsul(t *testing.T) {
	t.Parallel()
	f, ports, shop := newRegistered(t)
	through := func(port int) {
		t.Helper()
		c := knock(t, port)
		f.eventually(c, "web-1")
		got, err := c.call("GET /who")
		if err != nil || got.Echo.Path != "/who" || !strings.Contains(got.Echo.Header.Get("X-Forwarded-Client-Cert"), "/svc/shop") {
			t.Errorf("%v: web was asked %+v", err, got.Echo)
		}
	}
	through(ports[3])
	listeners := func() string {
		t.Helper()
		list, err := shop.Listeners()
		f.must(err)
		return strings.Join(slices.Sorted(maps.Values(list)), " ")
	}
	inbound := fmt.Sprintf("127.0.0.1:%d", ports[2])
	if got, want := listeners(), sorted(inbound, fmt.Sprintf("127.0.0.1:%d", ports[3])); got != want {
		t.Errorf("the Envoy of shop listens at %s, want %s", got, want)
	}

	// The program has its upstream elsewhere from now on.
	f.beside("shop", "shop-1", ports[2], 9, 1234, fmt.Sprintf("web:%d", ports[5]))
	through(ports[5])
	f.must(rig.Until(t.Context(), limit, func() error {
		if got, want := listeners(), sorted(inbound, fmt.Sprintf("127.0.0.1:%d", ports[5])); got != want {
			return fmt.Errorf("the Envoy of shop listens at %s, want %s", got, want)
		}
		return nil
	}))

	out, _ := f.patch("xds", "status")
	if !strings.Contains(out, "sidecar/shop#") || !strings.Contains(out, "web-1-sidecar-proxy@node-1") {
		t.Errorf("the status does not tell of registered sidecars:\n%s", out)
	}
}

func TestAChangedRegistrationDropsNoRequest(t *testing.T) {
	t.Parallel()
	f, ports, shop := newRegistered(t)
	c := knock(t, ports[3])
	f.eventually(c, "web-1")
	load := rig.StartLoadOf(c.put, 4)
	for n := range 10 {
		before, err := shop.Texts("cluster_manager.cds.version_text")
		f.must(err)
		f.beside("shop", "shop-1", ports[2], 9, 2000+n, fmt.Sprintf("web:%d", ports[3]))
		f.must(rig.Until(t.Context(), limit, func() error {
			now, err := shop.Texts("cluster_manager.cds.version_text")
			if err == nil && maps.Equal(now, before) {
				err = fmt.Errorf("the clusters of shop are still %v", now)
			}
			return err
		}))
	}
	requests, failures := load.Stop()
	if len(failures) > 0 || requests < 100 {
		t.Errorf("%d requests, failed: %v", requests, failures)
	}
	t.Logf("%d requests", requests)
}
