// Package canaries moves the canaries that are declared. It promises that weights are
// stored before anybody is told of them, that each canary has one owner, and that a
// restart goes on where the last process was.
//
// In come declared canaries, views of Consul, answers of Prometheus, what tasks have
// applied and what people ask for; out come [Record]s, which [Weigh] lays over a mesh
// and [Weights] turns into numbers for tasks. What moves when is decided by
// patchbay/tasks/rollout alone.
//
// # Design
//
// One goroutine owns a canary and works level-triggered: whatever woke it, it
// observes all, lets rollout decide, stores and publishes. Metrics are asked for
// shortly before a judgement falls due, so that the judgement never waits for a
// server. The refused way, asking within the step, lets a slow Prometheus delay the
// rollback that Consul's checks demand.
package canaries
