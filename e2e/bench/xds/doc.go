// Command xds measures how long a change in Consul takes to the last sidecar, with
// Patchbay and, beside it in one run, with Consul's own xDS server. It promises that
// every figure it prints was measured in that run, and that the simulated sidecars
// are in a process of their own and each saw the very weight that was written.
//
// In go the built binary, a real Consul and how many sidecars to simulate; out comes
// a table on standard output. Start it by `make bench-xds`.
//
// # Design
//
// A sidecar is one TCP connection with one aggregated stream of differences, as an
// Envoy has; the time ends when its acknowledgement was sent. Sharing connections
// between sidecars was refused: it measures a cheaper server than there will be.
package main
