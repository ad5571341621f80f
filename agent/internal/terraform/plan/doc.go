// Package plan reads what a saved plan of Terraform or OpenTofu would do.
//
// It promises that a plan is read wholly or not at all, and that both ways of
// reading give the same values, so the same digest. In go a plan file with the
// messages of the command that made it, or the output of terraform show; out come
// [Contents], which become a [tasks.Plan] without a sensitive value in it.
//
// # Design
//
// [File.Contents] decodes Terraform's own format, which may change: it knows
// terraform_data only, refuses every field that it does not know and compares the
// result with what the plan command announced. Whoever calls it asks terraform
// show when it refuses. The choice refused was show alone, a third of the time of a
// small run.
package plan
