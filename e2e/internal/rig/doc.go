// Package rig starts the real servers that the tests, the demo and the benchmark
// run Patchbay against: a Consul agent, an NGINX with tiny HTTP services behind it,
// an Envoy, a Prometheus, and the built Patchbay itself.
//
// It promises that everything listens on loopback only, lives in the directory it
// was given, and is ended by the one who started it: a server is its process,
// whose output is in a file, and Stop waits until it is gone. In go directories
// and configuration texts; out come addresses, answers and records of runs.
//
// # Design
//
// It imports no package of the product: Patchbay is seen as its operator sees it,
// through its command line, its HTTP API and the answers of NGINX. The choice
// refused was the test servers of Consul's SDK: they cannot be stopped and
// started again over the same data and ports.
package rig
