// Package agent is Patchbay's daemon: it wires Consul, Terraform, the store and
// the HTTP API together and runs every task until it is told to stop.
//
// It promises that a task's wanted input is compared with what was applied until
// both agree, whatever fails on the way, and that no run is forgotten. In go a
// configuration and a stop signal; out come runs on disk and devices as wanted.
//
// # Design
//
// One goroutine owns one task and all of its state; it takes snapshots, commands
// and results from channels and hands out immutable [tasks.State] values, so task
// state has no lock. Everything works on levels, not on edges: a snapshot that
// was missed changes nothing, because only the newest counts. The choice refused
// was a queue of events, which can lose one or act on an old one.
package agent
