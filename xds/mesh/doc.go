// Package mesh is what is declared about services as Envoys see them: how a
// service's requests are routed, what a sidecar reaches and what a gateway offers.
// It promises that a [Mesh] which [Mesh.Validate] accepts gives resources that
// Envoy accepts.
//
// Values come from the configuration (agent/config) or from Consul's discovery
// chains; patchbay/xds makes resources of them.
//
// # Design
//
// One set of types serves both sources, so a rule means the same wherever it was
// declared. What depends on the catalog of the moment, such as a subset without
// instances, is no mistake here: it is status. The refused way, Envoy's own
// messages as the declared form, would leave neither names nor positions to tell a
// mistake by.
package mesh
