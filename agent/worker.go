package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"patchbay/agent/internal/afterapply"
	"patchbay/agent/internal/canaries"
	"patchbay/agent/internal/filter"
	"patchbay/tasks"
	"patchbay/tasks/catalog"
	"patchbay/tasks/diff/reason"
	"patchbay/tasks/diff/text"
	"patchbay/templates"

	"github.com/hashicorp/cronexpr"
	"github.com/hashicorp/go-hclog"
	"golang.org/x/sync/errgroup"
)

// journal keeps runs and records on disk.
type journal interface {
	SaveRun(run tasks.Run) error
	SaveRecord(task string, record tasks.Record) error
}

// worker makes one attempt of one task, one at a time. It keeps nothing between
// attempts but what steps keep.
type worker struct {
	task      tasks.Task
	inputs    makeInputs
	filters   map[string]tasks.Matcher
	schedule  *cronexpr.Expression // nil for tasks without
	workspace tasks.Workspace
	inspector tasks.Workspace // as workspace, and gives Terraform's text of a plan
	store     journal
	metrics   *metrics
	newID     func(time.Time) string
	now       func() time.Time
	log       hclog.Logger
	legacy    *legacyLog
	// missing tells what Consul said of answers that are missing; nil knows nothing.
	missing func() error
	steps   afterapply.Steps // what the task's providers need after an apply
	// takes tells whether the module takes the weights of canaries, which records
	// gives; applied tells them when those of the task changed. Both may be nil.
	takes   bool
	records func() []canaries.Record
	applied func()
}

// job is what an attempt is given; it shares nothing that anybody changes.
type job struct {
	run      tasks.Run
	snapshot catalog.Snapshot
	input    tasks.Input
	record   tasks.Record
	// seen tells since when instances are as the snapshot shows them.
	seen reason.Seen
	// report takes progress; nil when nobody listens.
	report chan<- tasks.Run
	// inspect plans and reviews only; no run is recorded. text asks for
	// Terraform's own text of the plan.
	inspect, text bool
	// destroy runs without the module: what it made goes, then its workspace.
	destroy bool
}

// result is what came of an attempt.
type result struct {
	run tasks.Run
	// record is the task's new record; saved tells whether it is on disk.
	record tasks.Record
	saved  bool
	// text is Terraform's own of the plan, when it was asked for.
	text string
	// weights are those that the module was given; takes tells whether it takes any,
	// which of a downloaded one is known after its init.
	weights weights
	takes   bool
	err     error
	// operation is the change that this was part of; nil for the task's own runs.
	operation *operation
	// unslotted: it ended before it had a slot.
	unslotted bool
}

// compileFilters makes the matchers of all filters of a task.
func compileFilters(t tasks.Task) (map[string]tasks.Matcher, error) {
	out := map[string]tasks.Matcher{}
	for _, expr := range t.Filters() {
		m, err := filter.Compile(expr)
		if err != nil {
			return nil, fmt.Errorf("compile filter of task %s: %w", t.Name, err)
		}
		out[expr] = m
	}
	return out, nil
}

func (w *worker) matcher(filter string) tasks.Matcher { return w.filters[filter] }

func (w *worker) project(s catalog.Snapshot) tasks.Input { return tasks.NewInput(w.task, s, w.matcher) }

func (w *worker) newRun(trigger tasks.Trigger, causes []catalog.Delta) *tasks.Run {
	now := w.now()
	run := &tasks.Run{ID: w.newID(now), Task: w.task.Name, Trigger: trigger, Phase: tasks.Waiting,
		Started: now, Updated: now, Module: w.task.Module, Providers: w.task.Providers, Services: w.task.OldServices}
	if n := len(causes); n > tasks.MaxCauses {
		causes, run.MoreCauses = causes[:tasks.MaxCauses], n-tasks.MaxCauses
	}
	run.Causes = causes
	return run
}

// attempt renders, plans, reviews and applies once. soft ends it before the
// plan is approved; after that only hard does.
func (w *worker) attempt(soft, hard context.Context, j job) result {
	a := attempt{worker: w, job: j, started: w.now()}
	a.run.Tries++
	a.enter(tasks.Rendering)
	if err := a.baseline(); err != nil {
		return a.failed(err)
	}
	a.weights = w.given(takesWeights(w.task))
	files, err := a.render(hard)
	if err != nil {
		return a.failed(fmt.Errorf("render task: %w", err))
	}
	a.enter(tasks.Planning)
	var saving errgroup.Group // beside the plan, which takes longer than a disk
	planning := a.run
	saving.Go(func() error { return a.save(planning) })

	ctx, cancel := context.WithCancel(hard)
	defer cancel()
	a.commit = context.AfterFunc(soft, cancel)
	defer a.commit()
	workspace := w.workspace
	if j.text {
		workspace = w.inspector
	}
	outcome, err := workspace.Run(ctx, files, func(p tasks.Plan) bool {
		if err := saving.Wait(); err != nil {
			a.declined = err
			return false
		}
		return a.review(p)
	})
	if err := saving.Wait(); err != nil {
		a.declined = errors.Join(a.declined, err)
	}
	a.run.Took = outcome.Took
	err = errors.Join(a.declined, err)
	if err == nil {
		err = a.takeOver(ctx, outcome)
	}
	if err == nil && j.destroy {
		err = workspace.Remove(ctx, files)
	}
	if err != nil {
		return a.failed(err)
	}
	return a.ended(outcome)
}

// attempt is one attempt under way.
type attempt struct {
	*worker
	job
	started  time.Time
	commit   func() bool // keeps a stop from cancelling; false: it came already
	verdict  tasks.Verdict
	reviewed bool
	declined error // why an allowed plan was not applied
	// providers are the task's blocks with their values filled in.
	providers []tasks.Provider
	// recorded is true when record was saved during the attempt.
	recorded bool
	weights  weights
}

// baseline makes what an earlier tool left in the task's directory the guard's
// baseline, before the first attempt overwrites it. It is recorded at once, even
// by an inspection, so that what is only wanted never becomes the baseline.
func (a *attempt) baseline() error {
	if a.record.Applied != nil {
		return nil
	}
	content, err := os.ReadFile(filepath.Join(a.task.WorkingDir, "terraform.tfvars"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read baseline: %w", err)
	}
	given, err := templates.Baseline(content)
	if err != nil {
		return fmt.Errorf("read baseline of task %s from terraform.tfvars: %w; nothing was planned: mend or move the file", a.task.Name, err)
	}
	a.record.Applied = &tasks.AppliedInput{Members: given.Members, Sets: given.Sets, At: a.now()}
	if err := a.store.SaveRecord(a.task.Name, a.record); err != nil {
		return fmt.Errorf("save baseline: %w", err)
	}
	a.recorded = true
	return nil
}

// review asks the guard and records the plan before it is applied, so that a
// crash during the apply leaves a trace.
func (a *attempt) review(p tasks.Plan) bool {
	a.tell(p)
	a.run.Plan, a.reviewed = p.Brief(), true
	a.verdict = a.judge(p)
	a.run.Findings = a.verdict.Findings
	if a.inspect || a.verdict.Held() {
		return false
	}
	if !a.commit() {
		a.declined = tasks.ErrStopping
		return false
	}
	a.enter(tasks.Applying)
	if err := errors.Join(a.owe(), a.save(a.run)); err != nil {
		a.declined = err
		return false
	}
	return true
}

// judge asks the guard. A destroy was asked for by name: there is nothing to
// weigh, but it is written down.
func (a *attempt) judge(p tasks.Plan) tasks.Verdict {
	if a.destroy {
		return tasks.Verdict{Findings: []tasks.Finding{{Rule: tasks.RuleDestroy, Decision: tasks.Allow,
			Evidence: []string{"the deletion of the task with all that it made was asked for"}}}}
	}
	return a.task.Guard.Review(a.proposal(p))
}

func (a *attempt) proposal(p tasks.Plan) tasks.Proposal {
	out := tasks.Proposal{
		Wanted: a.input.Members(), WantedSets: a.input.Sets(), Input: a.input.Digest, Plan: p, Views: a.snapshot.Views(),
		Approval: a.record.Approval, Memory: a.record.Memory, Now: a.now(),
		Selected: func(service string) bool {
			s, ok := a.task.InputServices()
			return ok && s.Selects(service)
		},
	}
	if a.record.Applied != nil {
		out.Applied, out.AppliedSets, out.Baseline = a.record.Applied.Members, a.record.Applied.Sets, true
	}
	return out
}

// ended folds a finished attempt into the run and the record.
func (a *attempt) ended(outcome tasks.Outcome) result {
	switch {
	case a.inspect:
		a.run.Phase = tasks.Inspected
		return result{run: a.run, record: a.record, saved: a.recorded, text: outcome.Text}
	case a.reviewed && a.verdict.Held():
		a.run.Phase = tasks.Held
		a.record.Held = &tasks.HeldPlan{Task: a.task.Name, Run: a.run.ID, Input: a.input.Digest,
			Changes: a.run.Plan.Digest, Serial: a.run.Plan.Serial, Findings: a.verdict.Findings, Since: a.heldSince()}
	default:
		a.run.Phase = tasks.Unchanged
		if outcome.Applied {
			a.run.Phase = tasks.Applied
		}
		a.record.Applied = &tasks.AppliedInput{Run: a.run.ID, Input: a.input.Digest, Members: a.input.Members(), Sets: a.input.Sets(), Traits: a.input.Traits(), At: a.now()}
		a.record.Held = nil
	}
	a.record.Approval, a.record.Memory = nil, a.verdict.Memory
	if a.destroy {
		a.record = tasks.Record{}
	}
	a.enter(a.run.Phase)
	if err := errors.Join(a.store.SaveRecord(a.task.Name, a.record), a.save(a.run)); err != nil {
		return a.failed(fmt.Errorf("record run: %w", err))
	}
	return result{run: a.run, record: a.record, saved: true, text: outcome.Text, weights: a.weights, takes: takesWeights(a.task)}
}

func (a *attempt) heldSince() time.Time {
	since := a.now()
	for _, t := range a.verdict.Memory.HeldSince {
		if t.Before(since) {
			since = t
		}
	}
	return since
}

func (a *attempt) failed(err error) result {
	a.run.Fail(a.now(), err)
	a.run.Phase, a.run.Updated = tasks.Retrying, a.now()
	if serr := a.save(a.run); serr != nil {
		err = errors.Join(err, serr)
	}
	return result{run: a.run, record: a.record, saved: a.recorded, takes: takesWeights(a.task), err: err}
}

// enter moves the run to a phase: one line in the log, one report.
func (a *attempt) enter(p tasks.Phase) {
	a.run.Phase, a.run.Updated = p, a.now()
	line := []any{"task", a.task.Name, "run", a.run.ID, "phase", string(p), "cause", cause(a.run),
		"digest", a.input.Digest.Short(), "took", a.now().Sub(a.started).Round(time.Millisecond).String()}
	switch {
	case p == tasks.Held:
		a.log.Warn("plan was held", append(line, "plan", a.run.Plan.Summary(), "devices", text.Summary(a.run.Devices, a.run.MoreDevices), "why", why(a.verdict))...)
	case p == tasks.Applied:
		a.log.Info("task run", append(line, "plan", a.run.Plan.Summary(), "devices", text.Summary(a.run.Devices, a.run.MoreDevices))...)
	case p.Ended():
		a.log.Info("task run", line...)
	default:
		a.log.Debug("task run", line...)
	}
	if a.report != nil {
		a.report <- a.run
	}
}

func (a *attempt) save(run tasks.Run) error {
	if a.inspect {
		return nil
	}
	if err := a.store.SaveRun(run); err != nil {
		return fmt.Errorf("record run: %w", err)
	}
	return nil
}
