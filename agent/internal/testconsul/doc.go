// Package testconsul starts real Consul servers for the tests of the agent's packages.
//
// # Design
//
// The server is that of Consul's own test kit. What the kit lacks on a busy machine is
// here: it gives a server two seconds to answer and does not wait for a leader, so a
// start is tried again, and a server is handed over only when it leads and its node's
// own check has arrived, without which a first write fails and a first read is empty.
package testconsul
