package e2e

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"patchbay/e2e/internal/rig"

	"github.com/hashicorp/consul/api"
)

// entries writes configuration entries to Consul.
func (f *fleet) entries(list ...api.ConfigEntry) {
	f.t.Helper()
	for _, e := range list {
		ok, _, err := f.consul.Client.ConfigEntries().Set(e, nil)
		if err == nil && !ok {
			err = fmt.Errorf("%s %s was not written", e.GetKind(), e.GetName())
		}
		f.must(err)
	}
}

// versions are the entries of a service that has subsets v1 and v2.
func versions(service string) []api.ConfigEntry {
	return []api.ConfigEntry{
		&api.ServiceConfigEntry{Kind: api.ServiceDefaults, Name: service, Protocol: "http"},
		&api.ServiceResolverConfigEntry{Kind: api.ServiceResolver, Name: service, DefaultSubset: "v1", Subsets: map[string]api.ServiceResolverSubset{
			"v1": {Filter: "Service.Meta.version == 1"}, "v2": {Filter: "Service.Meta.version == 2"}}},
	}
}

// splitter splits web; the answers tell the weight of v2.
func splitter(v2 int) api.ConfigEntry {
	told := &api.HTTPHeaderModifiers{Set: map[string]string{"x-weight": fmt.Sprint(v2)}}
	return &api.ServiceSplitterConfigEntry{Kind: api.ServiceSplitter, Name: "web", Splits: []api.ServiceSplit{
		{Weight: float32(100 - v2), ServiceSubset: "v1", ResponseHeaders: told}, {Weight: float32(v2), ServiceSubset: "v2", ResponseHeaders: told}}}
}

// routed sends requests of a path elsewhere.
func routed(path string, to *api.ServiceRouteDestination) api.ServiceRoute {
	return api.ServiceRoute{Match: &api.ServiceRouteMatch{HTTP: &api.ServiceRouteHTTPMatch{PathPrefix: path}}, Destination: to}
}

func TestTheCanaryRulesOfConsulsEntriesAreFollowed(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 1)
	f.app("web", "web-1", "version=1")
	f.app("web", "web-2", "version=2")
	f.app("admin", "admin-1")
	f.entries(versions("web")...)
	beta := api.ServiceRoute{Match: &api.ServiceRouteMatch{HTTP: &api.ServiceRouteHTTPMatch{Header: []api.ServiceRouteHTTPMatchHeader{{Name: "x-beta", Exact: "yes"}}}},
		Destination: &api.ServiceRouteDestination{ServiceSubset: "v2"}}
	query := api.ServiceRoute{Match: &api.ServiceRouteMatch{HTTP: &api.ServiceRouteHTTPMatch{QueryParam: []api.ServiceRouteHTTPMatchQueryParam{{Name: "beta", Exact: "1"}}}},
		Destination: &api.ServiceRouteDestination{ServiceSubset: "v2"}}
	f.entries(&api.ServiceConfigEntry{Kind: api.ServiceDefaults, Name: "admin", Protocol: "http"}, splitter(10),
		&api.ServiceRouterConfigEntry{Kind: api.ServiceRouter, Name: "web", Routes: []api.ServiceRoute{beta, query,
			routed("/admin/", &api.ServiceRouteDestination{Service: "admin", PrefixRewrite: "/", RequestHeaders: &api.HTTPHeaderModifiers{Set: map[string]string{"x-by": "router"}}})}})
	f.start(f.declares(f.gatewayTo("web")))
	f.envoy("gateway", "edge")
	c := knock(t, f.doors[0])

	for name, r := range map[string]struct {
		what, header, id, path string
	}{
		"by a header": {"GET /x", "x-beta: yes", "web-2", "/x"},
		"by a query":  {"GET /x?beta=1", "x: y", "web-2", "/x?beta=1"},
		"by a path":   {"GET /admin/users", "x: y", "admin-1", "/users"},
	} {
		for range 20 {
			got, err := c.call(r.what, r.header)
			if err != nil || got.ID != r.id || got.Echo.Path != r.path || r.id == "admin-1" && got.Echo.Header.Get("X-By") != "router" {
				t.Fatalf("%s: %v, answered %d %s", name, err, got.Status, got.Body)
			}
		}
	}
	for _, weight := range []int{10, 37} {
		f.entries(splitter(weight))
		f.settles(c, weight)
		// A fair split is further off than 3 σ once in 370 times; twice is no chance.
		off := f.measure(c, weight)
		if math.Abs(off) > 3 {
			off = f.measure(c, weight)
		}
		if math.Abs(off) > 3 {
			t.Errorf("weight %d: off by %.1f σ twice", weight, off)
		}
	}
	f.reload(split("", 0, 100), f.gatewayTo("web"))
	f.settles(c, 100)
	f.reload(f.gatewayTo("web"))
	f.settles(c, 37)
}

// status waits until the note of web in xds status has a text, or has none when the
// text is "".
func (f *fleet) status(text string) {
	f.t.Helper()
	f.must(rig.Until(f.t.Context(), limit, func() error {
		for line := range strings.Lines(f.ask("xds", "status")) {
			fields := strings.Fields(line)
			if len(fields) < 3 || fields[0] != "web/v1" {
				continue
			}
			if note := strings.Join(fields[3:], " "); (text == "") != (note == "") || !strings.Contains(note, text) {
				return fmt.Errorf("the note of web/v1 is %q", note)
			}
			return nil
		}
		return errors.New("web/v1 is not in the status")
	}))
}

func TestAnEntryThatCannotBeServedLeavesTheLastGoodAndIsShown(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 1)
	f.app("web", "web-1", "version=1")
	f.app("web", "web-2", "version=2")
	f.entries(versions("web")...)
	f.entries(splitter(100))
	f.start(f.declares(f.gatewayTo("web")))
	f.envoy("gateway", "edge")
	c := knock(t, f.doors[0])
	f.settles(c, 100)
	f.status("")

	// Consul takes the expression, Envoy would not.
	refused := &api.ServiceRouterConfigEntry{Kind: api.ServiceRouter, Name: "web", Routes: []api.ServiceRoute{
		{Match: &api.ServiceRouteMatch{HTTP: &api.ServiceRouteHTTPMatch{PathRegex: "/" + strings.Repeat("[a-z]", 120)}},
			Destination: &api.ServiceRouteDestination{ServiceSubset: "v1"}}}}
	f.entries(refused)
	f.status("the rules are those of before")
	f.entries(splitter(0))
	for range 50 {
		if id, err := c.served("GET /"); err != nil || id != "web-2" {
			t.Fatalf("answered by %q, %v", id, err)
		}
	}
	f.check(f.patchbay.Stop(limit))
	f.start(f.declares(f.gatewayTo("web")))
	f.status("the rules are those of before")
	for range 50 {
		if id, err := c.served("GET /"); err != nil || id != "web-2" {
			t.Fatalf("after a restart: answered by %q, %v", id, err)
		}
	}
	_, err := f.consul.Client.ConfigEntries().Delete(api.ServiceRouter, "web", nil)
	f.must(err)
	f.status("")
	f.settles(c, 0)
}
