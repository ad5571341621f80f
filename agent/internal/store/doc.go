// Package store keeps on disk what must survive a restart: every task's runs and
// its record (the input last applied, the plan that is held, the guard's memory).
//
// It promises that what was saved without an error is there after a crash, a kill
// or a full disk, and that a file it cannot read is left as it is. In go
// [patchbay/tasks.Run] and [patchbay/tasks.Record]; out come the same, newest first,
// as many and as old as [Keep] allows. [Acquire] makes sure that one agent at a time
// works in a directory, and names that agent to a second one.
//
// Everything lies in <dir>/.patchbay: patchbay.db and lock, readable by their owner
// only.
//
// # Design
//
// One bbolt file, one transaction with its fsync per write, values in JSON, runs in
// the order in which they were first saved: a clock that jumps back must not make
// an old run the newest. The choice refused was a journal of JSON lines: simpler to
// read by hand, but bounding it means rewriting it, and a torn last line is a
// question at every start.
package store
