// Package lint judges a Terraform module without running it: what would make it fail,
// hang, leak or become slow as the module of a task.
//
// It promises that every finding has a place in a file, says what was found, why it
// matters and what to do, and that equal files give equal findings. In goes a module as
// package source reads it, out come its [Finding]s. Files that cannot be parsed are
// findings too. Modules that this one calls are not looked into.
//
// # Design
//
// Rules judge the text alone: nothing is evaluated and no provider is asked, because a
// module must be judged before anything of it runs. What grows with the number of
// instances is followed through locals by a small abstract interpretation, which has no
// values but knows what has one entry per instance and what one per service. The choice
// refused was to plan with 100 and 1,000 instances and to look at the times: that takes
// minutes, needs the module's providers, and names no line. A rule that is wrong about
// a module is silenced where it is, by a comment that names the rule.
package lint
