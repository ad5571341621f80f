// Package trial makes what a module is tried with before it meets a device.
//
// It promises sets that are the same at each call, and that hold what real catalogs
// hold and modules forget: no instance, IPv6, one address twice, names that are no
// identifiers, metadata that nobody expects. [Awkward] gives them; [Recorded] reads the
// values that a task's terraform.tfvars has. Out comes what a task renders its module
// from, so that a trial is given in the same way as a run.
//
// # Design
//
// Sets are catalog instances and not files of variables, so that keys, order and types
// come from the one place that gives them to tasks. The choice refused was random
// values: what fails must fail again, and its set must have a name to speak of.
package trial
