package config

import (
	"reflect"
	"slices"

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

// meshChanges tells what changes of services, sidecars and gateways. Envoys take all
// of it over without a restart.
func meshChanges(a, b mesh.Mesh) []string {
	const stays = ""
	return slices.Concat(
		changes("routes", a.Services, b.Services, func(s mesh.Service) string { return s.Own("").String() }, fields(withoutPlaces), stays),
		changes("sidecar", a.Sidecars, b.Sidecars, func(s mesh.Sidecar) string { return s.Service }, fields(sidecarWithoutPlaces), stays),
		changes("gateway", a.Gateways, b.Gateways, func(g mesh.Gateway) string { return g.Name }, fields(gatewayWithoutPlaces), stays))
}

// fieldNames are how people call fields whose names in files differ.
var fieldNames = map[string]string{"Subsets": "subset", "DefaultSubset": "default_subset", "Routes": "route", "Default": "to",
	"ConnectTimeout": "connect_timeout", "Panic": "panic_threshold", "Balance": "load_balancer", "Outlier": "outlier_detection",
	"Breaker": "circuit_breaker", "Failover": "failover", "Sticky": "sticky", "Protocol": "protocol", "Inbound": "listen",
	"Upstreams": "upstream", "Listeners": "listener"}

// fields names the fields in which two values differ; clean leaves out what does
// not count.
func fields[T any](clean func(T) T) func(a, b T) []string {
	return func(a, b T) (out []string) {
		before, after := reflect.ValueOf(clean(a)), reflect.ValueOf(clean(b))
		for n := range before.NumField() {
			if reflect.DeepEqual(before.Field(n).Interface(), after.Field(n).Interface()) {
				continue
			}
			name := before.Type().Field(n).Name
			if known, ok := fieldNames[name]; ok {
				name = known
			}
			out = append(out, name)
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
