// Package tasks holds what Patchbay knows of a task and what it decides about
// one: the task itself, its buffer, the files of its Terraform root module, the
// plan, the guard that reviews it, the run that records it and the status that
// runs fold into.
//
// It promises that deciding is pure: no I/O, no clock, no logger, no context, so
// that a recorded input gives the same verdict again. In go a [Task], the
// instances that Consul has and a [Plan]; out come an [Input] with its digests, a
// [Verdict] and a [Status].
//
// # Design
//
// One Task type serves configuration, API and engine. There is one way to apply:
// [Workspace.Run] plans, calls the review once with the whole plan and applies
// exactly that or nothing. Inspecting is a review that declines; an approval is a
// review that compares digests. The choice refused was an apply of its own: what
// is shown and what is done could differ.
package tasks
