package config

import (
	"reflect"
	"regexp"
	"slices"
	"strings"

	"patchbay/tasks/rollout"
	"patchbay/xds/mesh"
)

func xdsSettings(a, b Config) []setting {
	return []setting{
		{name: "xds.address", before: a.XDS.Address, after: b.XDS.Address, shown: true},
		{name: "xds.port", before: a.XDS.Port, after: b.XDS.Port, shown: true},
		{name: "xds.tls", before: a.XDS.TLS, after: b.XDS.TLS},
		{name: "observe", before: a.Mesh.Observe, after: b.Mesh.Observe, live: true},
	}
}

// meshChanges tells what changes of services, sidecars, gateways and canaries. Envoys take all
// of it over without a restart.
func meshChanges(before, after Config) []string {
	const stays = ""
	a, b := before.Mesh, after.Mesh
	return slices.Concat(
		changes("routes", a.Services, b.Services, func(s mesh.Service) string { return s.Own("").String() }, fields(withoutPlaces), stays),
		changes("sidecar", a.Sidecars, b.Sidecars, func(s mesh.Sidecar) string { return s.Service }, fields(sidecarWithoutPlaces), stays),
		changes("gateway", a.Gateways, b.Gateways, func(g mesh.Gateway) string { return g.Name }, fields(gatewayWithoutPlaces), stays),
		changes("canary", before.Canaries, after.Canaries, func(c Canary) string { return c.Service }, canaryChanges, stays))
}

func canaryChanges(a, b Canary) []string {
	out := fields(func(p rollout.Plan) rollout.Plan { return p })(a.Plan, b.Plan)
	if a.Prometheus != b.Prometheus {
		out = append(out, "prometheus")
	}
	return out
}

// fieldNames are how files call fields that are not called the same.
var fieldNames = map[string]string{"Subsets": "subset", "Routes": "route", "Default": "to", "Panic": "panic_threshold", "Balance": "load_balancer",
	"Outlier": "outlier_detection", "Breaker": "circuit_breaker", "Inbound": "listen", "Upstreams": "upstream", "Listeners": "listener",
	"Cohort": "match", "Metrics": "metric"}

var capital = regexp.MustCompile(`([a-z])([A-Z])`)

// inFiles is how files call a field.
func inFiles(name string) string {
	if known, ok := fieldNames[name]; ok {
		return known
	}
	return strings.ToLower(capital.ReplaceAllString(name, "${1}_$2"))
}

// fields names the fields in which two values differ; clean leaves out what does
// not count.
func fields[T any](clean func(T) T) func(a, b T) []string {
	return func(a, b T) (out []string) {
		before, after := reflect.ValueOf(clean(a)), reflect.ValueOf(clean(b))
		for n := range before.NumField() {
			if reflect.DeepEqual(before.Field(n).Interface(), after.Field(n).Interface()) {
				continue
			}
			out = append(out, inFiles(before.Type().Field(n).Name))
		}
		slices.Sort(out)
		return out
	}
}

// withoutPlaces leaves out where things stand in files.
func withoutPlaces(s mesh.Service) mesh.Service {
	s.Position, s.Routes = "", slices.Clone(s.Routes)
	for n := range s.Routes {
		s.Routes[n].Position = ""
	}
	return s
}

func sidecarWithoutPlaces(s mesh.Sidecar) mesh.Sidecar {
	s.Position, s.Upstreams = "", slices.Clone(s.Upstreams)
	for n := range s.Upstreams {
		s.Upstreams[n].Position = ""
	}
	return s
}

func gatewayWithoutPlaces(g mesh.Gateway) mesh.Gateway {
	g.Position, g.Listeners = "", slices.Clone(g.Listeners)
	for n := range g.Listeners {
		g.Listeners[n].Position = ""
	}
	return g
}
