// Package consul turns Consul's answers into snapshots of the catalog.
//
// It promises that a snapshot is never made of an answer that Consul cannot
// confirm: a large shrink counts only after consistent reads agreed, a failing
// query keeps its last good view and says so, and removing one of several waits
// for nothing. In goes how to reach Consul and what tasks select; out come the
// snapshots of [catalog.Source] and whether Consul answers. Beside that it keeps
// Patchbay registered as a service ([Client.RegisterLoop]) and advises on
// the token ([Client.AdviseToken]).
//
// # Design
//
// One goroutine owns one distinct query: it reads ([Client.Run] starts and stops
// it), follows Consul's index (cursor), judges and confirms (settle) and
// publishes views to the hub, which shares them between watchers. Only the hub
// and the seats hold a lock; a view never changes once published.
//
// Blocking reads and plain reads are two streams with indexes of their own: for a
// service without instances the plain index follows the last extinction of any
// service, the streaming backend's does not. So an answer counts as backwards
// only against what its own kind must not fall below, and a blocking answer older
// than the index that was asked for is never taken but read again plainly.
//
// An agent refuses more than 200 connections of one address, so at most MaxPolls
// requests are open: a tenth for short reads, the rest for long polls. With more
// queries than seats the seats go round, and those without one are read again in
// turn, each every second or, past 100 of them, all together at 100 a second: 910
// waiting queries see a change after at most about 9 s, at a few per cent of one
// core. The choice refused was cancelling long polls to rotate faster: Consul
// keeps the connection of a cancelled blocking query counted until its wait ends.
package consul
