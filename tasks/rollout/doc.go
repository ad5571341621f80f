// Package rollout decides how a canary moves: which share of a service's traffic
// its candidate gets now, when the next step comes and when all goes back.
//
// It promises that [Step] changes the weights at most once per call, never
// forward on doubt, and that the same inputs at the same time change nothing
// more. In go a [Plan], which a canary block declares, the stored [State], what
// was observed and the time; out come the next State and the events to record.
// [Weights] are read by both data planes, [Next] says when to call again.
//
// Going forward needs everything at once: the hold is over, the newest judgement
// passed, both views are trusted, the candidate has passing instances, and each
// task that uses the weights has applied the present ones. Going back needs one
// proof: no candidate instance passes, judgements failed Threshold times in a row, or
// a step could not go on until its Deadline; it waits for no task. A view that is
// not trusted proves nothing; a metric that breaches its limit still does.
//
// # Design
//
// A State is a value to be stored before its weights are published; all memory is
// in it, so a restart continues where it was. What a plan change does is told at
// [State]. The choice refused was a goroutine per canary with timers: it cannot be
// replayed, and a late timer, a jumped clock or a crash between two of its lines
// shifts traffic that nobody judged.
package rollout
