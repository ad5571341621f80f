package terraform

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"patchbay/tasks"
)

// slow is a module of n objects, one after the other; each appends to done and
// then waits until go is there.
func slow(n int, done, open string) string {
	var b strings.Builder
	for i := range n {
		depends := ""
		if i > 0 {
			depends = fmt.Sprintf("depends_on = [terraform_data.s%d]\n", i-1)
		}
		fmt.Fprintf(&b, "resource \"terraform_data\" \"s%d\" {\n%sprovisioner \"local-exec\" {\n"+
			"interpreter = [\"/bin/sh\", \"-c\"]\ncommand = \"echo %d >>'%s'; while [ %d -ge 2 ] && [ ! -e '%s' ]; do sleep 0.05; done\"\n}\n}\n",
			i, depends, i, done, i, open)
	}
	return b.String()
}

func TestACancelledApplyKeepsWhatIsDoneAndTheNextRunCarriesOn(t *testing.T) {
	b := newBench(t, nil)
	done, open := filepath.Join(t.TempDir(), "done"), filepath.Join(t.TempDir(), "open")
	files := b.root(slow(5, done, open))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	var out tasks.Outcome
	go func() {
		var err error
		out, err = b.Run(ctx, files, yes)
		ended <- err
	}()
	waitFor(t.Context(), t, "the third object", func() bool {
		text, _ := os.ReadFile(done)
		return strings.Count(string(text), "\n") >= 3
	})
	cancel()
	err := <-ended
	if !errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || out.Applied || !strings.Contains(err.Error(), "apply") {
		t.Fatalf("applied %v, error is %v", out.Applied, err)
	}
	state := b.state(t)
	for _, want := range []string{"terraform_data.s0", "terraform_data.s1"} {
		if !slices.Contains(state, want) {
			t.Errorf("state misses %s: %v", want, state)
		}
	}
	if locks, _ := filepath.Glob(filepath.Join(b.dir, "terraform.tfstate.d/web/.*.lock.info")); len(locks) > 0 {
		t.Errorf("a lock is left: %v", locks)
	}
	if left, _ := os.ReadDir(filepath.Join(b.dir, runDir)); len(left) > 0 {
		t.Errorf("a plan is left: %v", left)
	}
	if err := os.WriteFile(open, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	out = b.run(t, files)
	if got := b.state(t); len(got) != 5 || out.Plan.Count(tasks.Create)+out.Plan.Count(tasks.Replace) != 3 {
		t.Errorf("the next run planned %s, state %v", out.Plan.Summary(), got)
	}
}

func TestATerraformThatDoesNotEndIsKilled(t *testing.T) {
	stuck := filepath.Join(t.TempDir(), "stuck")
	started := filepath.Join(t.TempDir(), "started")
	real := tool(t, "terraform", "tofu")
	script := fmt.Sprintf("#!/bin/sh\nif [ \"$1\" = plan ]; then trap '' INT; : >'%s'; while :; do sleep 0.05; done; fi\nexec '%s' \"$@\"\n", started, real)
	if err := os.WriteFile(stuck, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	b := newBenchOf(t, stuck, func(o *Options) { o.KillAfter = 50 * time.Millisecond })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := b.Run(ctx, b.root(data("a", "input = 1")), yes)
		ended <- err
	}()
	waitFor(t.Context(), t, "the plan to start", func() bool { _, err := os.Stat(started); return err == nil })
	cancel()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error is %v", err)
		}
	case <-time.After(DefaultKillAfter / 2):
		t.Fatal("the process was not killed")
	}
}

func TestACancelledRunWaitsForNoProcessor(t *testing.T) {
	b := newBench(t, nil)
	for b.options.CPU.TryAcquire(1) {
		continue
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.Run(ctx, b.root(data("a", "input = 1")), yes)
	if !errors.Is(err, context.Canceled) || len(b.commands(t)) > 0 {
		t.Errorf("commands %v, error %v", b.commands(t), err)
	}
}

func TestACommandThatEndedBeforeTheStopIsDone(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"no error":                         {nil, true},
		"an error of the command":          {errors.New("exit status 1"), false},
		"stopped before the start":         {context.Canceled, false},
		"stopped, exit with an error":      {stopped{errors.New("exit status 1")}, false},
		"ended well, then the context did": {stopped{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := finished(c.err); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

// stopped is like terraform-exec's error of a command whose context ended.
type stopped struct{ cause error }

func (s stopped) Error() string { return s.cause.Error() }
func (s stopped) Unwrap() error { return s.cause }
func (s stopped) Is(target error) bool {
	return target == context.Canceled || target == context.DeadlineExceeded
}
