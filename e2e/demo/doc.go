// Command demo shows Patchbay at its main jobs: real Consul, Terraform, NGINX and
// Envoy on loopback, two tasks, and an operator's day of changes, each told in plain
// words with the time from Consul's change to NGINX's answer; then two canaries behind
// Envoy, of which a bad one is rolled back.
//
// It promises that nothing is simulated, that it ends by itself, and that nothing
// of it is left, whether it ends well, badly or by Ctrl-C. In goes the built
// binary, bin/patchbay; out come some fifty lines for a person. With DEMO_HOLD=1
// it keeps running after the last scene, for looking around.
//
// # Design
//
// What it prints of Patchbay is what the HTTP API tells, and the times are measured
// from outside: from Consul's own answer to a blocking query to the answers of
// NGINX. The choice refused was reading Patchbay's log: it tells less and no user
// would.
package main
