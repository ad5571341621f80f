package terraform

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"patchbay/tasks"
)

// stageError tells which stage of a run failed and what Terraform said. It wraps
// nothing but the context's error: the errors of terraform-exec hold Terraform's
// output as it came, with its secrets.
type stageError struct {
	product string
	stage   tasks.Stage
	text    string
	ctxErr  error
}

// Error implements error.
func (e *stageError) Error() string {
	return fmt.Sprintf("run %s %s: %s", strings.ToLower(e.product), e.stage, e.text)
}

// Unwrap gives [context.Canceled] or [context.DeadlineExceeded] when the run was
// stopped, else nil.
func (e *stageError) Unwrap() error { return e.ctxErr }

// finished tells whether a command of terraform-exec ended by itself and well. It
// gives an error without a cause when ctx ended after the command had.
func finished(err error) bool {
	return err == nil || isStop(err) && errors.Unwrap(err) == nil && err != context.Canceled && err != context.DeadlineExceeded
}

func isStop(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// failed makes the error of a stage from that of a command, which may have told
// its own problems.
func (j *job) failed(ctx context.Context, stage tasks.Stage, err error, problems []string) error {
	e := &stageError{product: j.binary.Product, stage: stage}
	text := strings.Join(problems, "\n")
	if isStop(err) {
		e.ctxErr = cmp.Or(ctx.Err(), context.Canceled)
		e.text = "it was stopped before it was done"
		if text != "" {
			e.text += ": " + j.scrub.failure(text)
		}
		return e
	}
	if text == "" && err != nil {
		text = err.Error()
	}
	e.text = j.scrub.failure(text) + advice(text)
	return e
}

// advice adds what to do where Terraform's words alone do not tell it here.
func advice(text string) string {
	switch {
	case strings.Contains(text, "Lock Info:"):
		return "\nNothing was changed. The state is locked as told above: wait until its holder is done, or, when the holder is certainly dead, remove the lock with terraform force-unlock in the task's directory. Patchbay tries again."
	case strings.Contains(text, "Saved plan is stale"):
		return "\nNothing was changed: the state moved between plan and apply, so another one works on it. Patchbay plans again."
	}
	return ""
}
