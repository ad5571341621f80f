// Package xds turns views of Consul's catalog and declared routes into the
// resources that Envoy and gRPC clients read. It promises that equal input gives
// equal bytes and so equal versions, on every machine and after every restart.
//
// In come views ([patchbay/tasks/catalog.View]) and what [patchbay/xds/mesh]
// declares; out come [Resource] values, each encoded once and shared by all who
// get it. It does no I/O and knows no clock; patchbay/xds/server serves what is
// made here.
//
// # Design
//
// A resource is made from one service's view or from one role's configuration,
// never from the world: a change of one service builds that service's endpoints
// and nothing else. Certificates are resources of their own, which clusters and
// listeners name: Consul's own server puts them inside, so that each renewal drains
// every listener. Endpoints are named by what they select, never by who reads
// them, so that a thousand sidecars share one encoded value. The refused way, a
// snapshot of everything per sidecar as stock control planes keep it, costs
// encoding and comparing all resources of every sidecar at each change.
package xds
