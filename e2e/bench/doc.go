// Command bench measures Patchbay against a bare terraform apply, in one run on one
// machine: the time from Consul's change to applied for 1, 10 and 50 tasks, CPU per
// change, memory, and the ratio to the bare apply of the same module in a copy of
// the same warmed directory with the same backend and inputs.
//
// It promises that both sides do the same work: one attribute of one instance
// changes, and each task's one object is planned and applied. In goes the built
// binary, bin/patchbay; out comes a table of milliseconds.
//
// # Design
//
// The end of a run is the time that Patchbay records, which is later than the
// device's change; its begin is before the request that changes Consul. Both make
// Patchbay look slower, never faster. The choice refused was Go's benchmark
// framework: it repeats until a time is stable, which fifty Terraforms never are.
package main
