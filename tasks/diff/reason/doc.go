// Package reason finds out from Consul's catalog why members of a device come and go.
//
// It promises that a reason is what the views show or what the agent itself saw, with
// the time at which it first saw it, and that nothing is guessed: where neither tells,
// there is no reason or no time. In go the members that were applied and those that are
// wanted, the views with the instances that left, and what was [Seen]; out come
// [tasks.Why]s for members, or for texts by which a device knows them.
//
// # Design
//
// The agent remembers each instance's state and since when ([Seen]), because Consul
// tells no times and an instance that left is in no view. The choice refused was to
// take the time of the run: a run is held, fails and is tried again, while the check
// that caused it failed once.
package reason
