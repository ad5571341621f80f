package tasks

import (
	"context"
	"time"
)

// Stage is a step of a run in a workspace, for progress and timings.
type Stage string

// The stages in their order. Init is left out when nothing asks for it.
const (
	StageInit  Stage = "init"
	StagePlan  Stage = "plan"
	StageShow  Stage = "show"
	StageApply Stage = "apply"
)

// Outcome is what a run in a workspace did.
type Outcome struct {
	Plan Plan
	// Applied is true when the plan was applied wholly.
	Applied bool
	// Took is the time of each stage that ran.
	Took map[Stage]time.Duration
	// Text is Terraform's own human-readable plan; only when asked for.
	Text string
}

// Workspace runs Terraform on one task's root module.
type Workspace interface {
	// Run writes the files, plans, calls review exactly once with the complete
	// plan if planning succeeded and the plan is not empty, and applies exactly
	// that plan if review returned true; otherwise it changes nothing. A failed
	// or interrupted apply returns an error with the Outcome so far. Cancelling
	// ctx interrupts Terraform, which saves its state and frees its lock, and
	// kills it if it does not end. At most one Run per Files.Dir at a time.
	Run(ctx context.Context, files Files, review func(Plan) bool) (Outcome, error)
	// Remove deletes the workspace with its state and the directory of files. It
	// refuses while the state still holds objects. What is gone already is no error.
	Remove(ctx context.Context, files Files) error
}
