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

var (
	portLine = regexp.MustCompile(`(?m)^(\s*port\s*=\s*)\d+`)
	changed  = regexp.MustCompile(`[1-9] (added|changed)`)
)

// bareSide applies without Patchbay, in a copy of the directory of its task.
type bareSide struct {
	dir, terraform string
	env            []string
	times          []time.Duration
	cpu            time.Duration
}

// newBare copies the directory of a task that was applied.
func (b *bench) newBare(task string) (*bareSide, error) {
	s := &bareSide{dir: filepath.Join(b.dir, "bare")}
	if err := os.CopyFS(s.dir, os.DirFS(task)); err != nil {
		return nil, fmt.Errorf("copy the task's directory: %w", err)
	}
	var err error
	if s.terraform, err = rig.Tool("terraform", "tofu"); err != nil {
		return nil, err
	}
	env, err := rig.Env(b.dir)
	s.env = append(env, "TF_IN_AUTOMATION=1")
	return s, err
}

// apply changes the instance's port in terraform.tfvars and applies.
func (s *bareSide) apply(ctx context.Context) error {
	tfvars := filepath.Join(s.dir, "terraform.tfvars")
	text, err := os.ReadFile(tfvars)
	if err != nil {
		return fmt.Errorf("change the input: %w", err)
	}
	text = portLine.ReplaceAll(text, fmt.Appendf(nil, "${1}%d", 30000+len(s.times)))
	if err := os.WriteFile(tfvars, text, 0o644); err != nil {
		return fmt.Errorf("change the input: %w", err)
	}
	cmd := exec.CommandContext(ctx, s.terraform, "apply", "-auto-approve", "-input=false", "-no-color")
	cmd.Dir, cmd.Env = s.dir, s.env
	began := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("apply: %w\n%s", err, out)
	}
	s.times = append(s.times, time.Since(began))
	s.cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if !changed.Match(out) {
		return fmt.Errorf("the bare apply changed nothing:\n%s", out)
	}
	return nil
}

func (s *bareSide) row(module string) row {
	return row{module: module, what: bareApply, times: s.times, cpu: s.cpu / time.Duration(len(s.times))}
}
