// Package terraform runs Terraform or OpenTofu on a task's root module: it is the
// [tasks.Workspace] of this machine.
//
// It promises that what was reviewed is what is applied: a plan is saved, its
// changes are read and reviewed, and exactly that file is applied or nothing. In
// go [tasks.Files] and a review; out come the plan as values and an Outcome.
// Secrets reach Terraform by environment and 0600 files only, and every error and
// every line of output is scrubbed of them.
//
// # Design
//
// A run is plan -out, review, apply of the saved plan. init runs only when what
// it depends on changed, the workspace is chosen only then, and there is no
// separate validate: planning validates. The plan's values come from the plan
// file itself when every change is of the built-in terraform_data and the file
// agrees with what the plan command said, else from terraform show, so that a
// misread file can never decide. The choice refused was to apply without a saved
// plan and to show always: the first may do what nobody saw, the second is a third
// of the time of a small run.
//
// An executable that is not there is installed by hc-install where the [Choice]
// lets it; [FilesOnly] is a workspace for places where none shall run.
//
// terraform-exec asks for the version once per value, so there is one value per
// directory as long as the executable stays the same.
package terraform
