// Package chain turns what Consul compiles of a service's configuration entries
// (service-router, -splitter, -resolver, -defaults) into what patchbay/xds/mesh
// declares. It promises that nothing is dropped in silence: what has no counterpart
// is named, and a rule that would send a request elsewhere than Consul would is
// refused as a whole.
//
// In goes the answer of /v1/discovery-chain/:service as it came, hostile as all of
// Consul's answers; out come a [mesh.Service] of the service with its routes and
// split, and those of the other services that they lead to, as far as their
// instances are concerned: subsets, timeouts, load balancing and failover.
//
// # Design
//
// Consul compiles the entries; its result is taken as it is, so the shares are exact
// ([mesh.Leg.Exact]) and are not multiplied out again. The choice refused was to read
// the entries themselves and to compile them here: that would be a second compiler
// whose rules of precedence would drift from Consul's with every release.
package chain
