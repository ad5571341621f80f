// Package proxies keeps what Envoys are served true to the catalog and to what is
// declared. It promises that a role is served only once every one of its services
// was answered, and that one service's change builds that service's endpoints and
// nothing else.
//
// In come changed views, news of Consul Connect and the declared
// [patchbay/xds/mesh.Mesh]; out go changes to the store of patchbay/xds/server, and who
// may have which role: a client gets that of its own service alone.
//
// # Design
//
// One goroutine owns all state, and works level-triggered: it compares what is
// wanted with what was published, service by service. The refused way, a graph that
// is rebuilt at each event, costs the most when the catalog is busiest.
package proxies
