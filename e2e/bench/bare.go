package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"

	"patchbay/e2e/internal/rig"
)

const bareApply = "bare terraform apply"

var portLine = regexp.MustCompile(`(?m)^(\s*port\s*=\s*)\d+`)

// bare applies in a copy of the directory that Patchbay left, with the instance's
// port changed in terraform.tfvars each time.
func (b *bench) bare(ctx context.Context, program rig.Program, changes int) (row, error) {
	fmt.Fprintf(os.Stderr, "%s: %d bare applies\n", b.module.name, changes)
	r := row{module: b.module.name, what: bareApply, ratio: 1}
	dir := filepath.Join(b.dir, "bare")
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(program.Dir, "sync-tasks", taskName(0)))); err != nil {
		return r, fmt.Errorf("copy the task's directory: %w", err)
	}
	terraform, err := rig.Tool("terraform", "tofu")
	if err != nil {
		return r, err
	}
	env, err := rig.Env(b.dir)
	if err != nil {
		return r, err
	}
	tfvars := filepath.Join(dir, "terraform.tfvars")
	for n := range changes {
		text, err := os.ReadFile(tfvars)
		if err != nil {
			return r, fmt.Errorf("change the input: %w", err)
		}
		text = portLine.ReplaceAll(text, fmt.Appendf(nil, "${1}%d", 30000+n))
		if err := os.WriteFile(tfvars, text, 0o644); err != nil {
			return r, fmt.Errorf("change the input: %w", err)
		}
		cmd := exec.CommandContext(ctx, terraform, "apply", "-auto-approve", "-input=false", "-no-color")
		cmd.Dir, cmd.Env = dir, append(env, "TF_IN_AUTOMATION=1")
		began := time.Now()
		out, err := cmd.CombinedOutput()
		if err != nil {
			return r, fmt.Errorf("apply: %w\n%s", err, out)
		}
		r.times = append(r.times, time.Since(began))
		r.cpu += (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()) / time.Duration(changes)
		if !regexp.MustCompile(`[1-9] (added|changed)`).Match(out) {
			return r, fmt.Errorf("the bare apply changed nothing:\n%s", out)
		}
	}
	return r, nil
}
