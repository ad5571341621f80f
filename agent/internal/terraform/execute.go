package terraform

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"patchbay/agent/internal/terraform/plan"
	"patchbay/tasks"

	"github.com/hashicorp/terraform-exec/tfexec"
)

// planName is the saved plan, relative to the task's directory.
const planName = runDir + "/plan"

// plan makes the saved plan and reads it into the outcome. When Terraform says
// that init is needed after all, it is run once and planning tried again.
func (j *job) plan(ctx context.Context) error {
	err := j.planOnce(ctx)
	var stage *stageError
	if j.initialised || !errors.As(err, &stage) || stage.ctxErr != nil || !needsInit(stage.text) {
		return err
	}
	j.options.Log.Info("ran init again because planning asked for it", "task", j.files.Workspace)
	if err := j.initialise(ctx); err != nil {
		return err
	}
	return j.planOnce(ctx)
}

// needsInit tells whether an error of plan tells the reader to run init.
func needsInit(text string) bool {
	return strings.Contains(text, "terraform init") || strings.Contains(text, "tofu init")
}

func (j *job) planOnce(ctx context.Context) error {
	start := time.Now()
	if err := j.options.CPU.Acquire(ctx, 1); err != nil {
		return j.failed(ctx, tasks.StagePlan, err, nil)
	}
	defer j.options.CPU.Release(1)
	m := &plan.Messages{Print: j.print}
	changed, err := j.tf.PlanJSON(ctx, m, tfexec.Out(planName), tfexec.Lock(!j.unlocked), tfexec.LockTimeout(j.options.LockTimeout.String()))
	j.took(tasks.StagePlan, start)
	if !finished(err) {
		return j.failed(ctx, tasks.StagePlan, err, m.Errors)
	}
	defer j.took(tasks.StageShow, time.Now())
	// The command prints nothing but the plan from here on.
	j.tf.SetStdout(io.Discard)
	if err := j.read(ctx, changed, m); err != nil {
		return err
	}
	if !j.options.Text {
		return nil
	}
	text, err := j.tf.ShowPlanFileRaw(ctx, planName)
	if !finished(err) {
		return j.failed(ctx, tasks.StageShow, err, nil)
	}
	j.out.Text = j.scrub.text(text)
	return nil
}

// read puts the saved plan into the outcome.
func (j *job) read(ctx context.Context, changed bool, m *plan.Messages) error {
	if err := j.root.Chmod(planName, secretMode); err != nil {
		return fmt.Errorf("protect plan: %w", err)
	}
	file, ferr := plan.ReadFile(filepath.Join(j.files.Dir, planName))
	if ferr != nil {
		j.options.Log.Debug("did not read the plan file", "task", j.files.Workspace, "err", ferr)
	}
	var contents plan.Contents
	var err error
	if changed {
		contents, err = j.contents(ctx, file, m)
	}
	if err != nil {
		return err
	}
	j.out.Plan, err = contents.Plan(file.State, j.scrub.text)
	return err
}

// contents reads the plan file itself if that is safe, else asks show.
func (j *job) contents(ctx context.Context, file plan.File, m *plan.Messages) (plan.Contents, error) {
	if !j.alwaysShow {
		contents, err := file.Contents(m)
		if err == nil {
			return contents, nil
		}
		j.options.Log.Debug("asked show for the plan", "task", j.files.Workspace, "cause", err)
	}
	shown, err := j.tf.ShowPlanFile(ctx, planName, tfexec.JSONNumber(true))
	if !finished(err) {
		return plan.Contents{}, j.failed(ctx, tasks.StageShow, err, nil)
	}
	return plan.FromShow(shown)
}

// apply applies the saved plan and nothing else.
func (j *job) apply(ctx context.Context) error {
	defer j.took(tasks.StageApply, time.Now())
	m := &plan.Messages{Print: j.print}
	err := j.tf.ApplyJSON(ctx, m, tfexec.DirOrPlan(planName), tfexec.LockTimeout(j.options.LockTimeout.String()))
	if !finished(err) {
		return j.failed(ctx, tasks.StageApply, err, m.Errors)
	}
	return nil
}
