package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"patchbay/agent/client"
	"patchbay/tasks"

	"github.com/spf13/cobra"
)

func (c *cli) taskShow() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show [options] <task name>", DisableFlagsInUseLine: true,
		Short: "Show a task, its newest run and what it waits for",
		Args:  c.oneTask,
	}
	a, o, raw := apiFlags(cmd), outputFlag(cmd), rawFlag(cmd)
	c.completeTask(cmd, a, anyTask)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return c.showTask(cmd.Context(), a, *o, *raw, args[0])
	}
	return cmd
}

// shown is what task show -o json writes.
type shown struct {
	client.State
	// HeldRun is the run whose plan is held; null when none is.
	HeldRun *tasks.Run `json:"held_run"`
}

func (c *cli) showTask(ctx context.Context, a *api, o output, raw bool, name string) error {
	api, err := a.connect(c)
	if err != nil {
		return err
	}
	defer api.Close()
	s := shown{}
	if s.State, err = api.State(ctx, name); err != nil {
		return refused(fmt.Sprintf("unable to read task '%s'", name), err)
	}
	if s.Held != nil {
		run, err := heldRun(ctx, api, s.State)
		switch {
		case err == nil:
			s.HeldRun = &run
		case !missing(err): // one that history dropped already is no reason to show nothing
			return refused(fmt.Sprintf("unable to read the held plan of '%s'", name), err)
		}
	}
	return c.show(o, s, func(p *page) {
		p.raw = raw
		p.task(c.now(), s)
	})
}

// heldRun gives the run whose plan is held.
func heldRun(ctx context.Context, api *client.Client, s client.State) (tasks.Run, error) {
	if s.Newest != nil && s.Newest.ID == s.Held.Run {
		return *s.Newest, nil
	}
	return api.Run(ctx, s.Name, s.Held.Run)
}

// missing tells whether the server does not have what was asked for.
func missing(err error) bool {
	e, ok := errors.AsType[*client.Error](err)
	return ok && e.Status == http.StatusNotFound
}

func (p *page) task(now time.Time, s shown) {
	p.line(0, "%s: %s", s.Name, stand(s.State))
	rows := [][]string{}
	add := func(what, value string) {
		if value != "" {
			rows = append(rows, []string{what, value})
		}
	}
	add("description", clip(firstLine(s.Description), maxValue))
	add("module", s.Module)
	add("status", string(s.Status))
	if s.Applied != nil {
		add("applied", fmt.Sprintf("%s at %s", count(s.Applied.Members, "member"), when(now, s.Applied.At)))
	}
	add("note", clip(firstLine(s.Note), 2*maxValue))
	p.table(2, rows)
	if s.Newest != nil {
		p.blank()
		p.run(now, "newest run", *s.Newest, s.Held)
	}
	if s.Held == nil {
		return
	}
	p.blank()
	switch {
	case s.HeldRun == nil:
		p.line(0, "held run %s is not in the history any more; the guard said:", s.Held.Run)
		p.findings(2, now, s.Held.Findings)
		p.blank()
		p.line(0, "Plan again with:")
		p.line(2, "patchbay task run %s", s.Name)
		return
	case s.Newest == nil || s.HeldRun.ID != s.Newest.ID:
		p.run(now, "held run", *s.HeldRun, s.Held)
		p.blank()
	}
	p.line(0, "Let exactly this plan through with:")
	p.line(2, "patchbay task approve %s", s.Name)
}

// maxCauses is how many causes of a run a person is shown.
const maxCauses = 20

// run shows one run: why, what it changed, what the guard said, what failed.
func (p *page) run(now time.Time, title string, r tasks.Run, h *tasks.HeldPlan) {
	p.line(0, "%s %s: %s, started %s, trigger: %s", title, r.ID, r.Phase, when(now, r.Started), r.Trigger)
	if t := took(r); t != "" {
		p.line(2, "took %s", t)
	}
	for n, d := range r.Causes {
		if n == maxCauses {
			break
		}
		p.line(2, "because %s", clip(d.String(), 2*maxValue))
		if d.Output != "" {
			p.line(4, "check output: %s", clip(d.Output, maxValue))
		}
	}
	if more := max(0, len(r.Causes)-maxCauses) + r.MoreCauses; more > 0 {
		p.line(2, "because of %s more", count(more, "change"))
	}
	if !r.Plan.Empty() || r.Phase.Success() {
		p.line(2, "%s", p.changes(r))
		p.devices(4, now, effectOf(r))
	}
	findings := r.Findings
	if h != nil && h.Run == r.ID {
		findings = h.Findings
	}
	p.findings(2, now, findings)
	p.attempts(r)
}

// changes tells whether a plan was applied or only made; what it changes follows in
// the words of the devices, where those are known.
func (p *page) changes(r tasks.Run) string {
	what := " " + summary(r.Plan)
	if len(r.Devices) > 0 && !p.raw {
		what = ""
	}
	switch r.Phase {
	case tasks.Applied, tasks.Unchanged:
		return "changed on the devices:" + what
	case tasks.Held:
		return "changed nothing yet; the plan:" + what
	}
	return "the plan:" + what
}

// attempts shows the first error and, if another, the newest.
func (p *page) attempts(r tasks.Run) {
	if r.Error() == "" {
		return
	}
	first, last := r.Attempts[0], r.Attempts[len(r.Attempts)-1]
	if first.Error != last.Error {
		p.line(2, "first error, while %s at %s:", first.Phase, first.At.Local().Format(time.DateTime))
		p.text(4, first.Error)
	}
	p.line(2, "error after %s, while %s at %s:", tries(r.Tries), last.Phase, last.At.Local().Format(time.DateTime))
	p.text(4, last.Error)
}

func tries(n int) string {
	if n == 1 {
		return "1 try"
	}
	return fmt.Sprintf("%d tries", n)
}

// errChanged tells that the held plan was replaced between two reads.
var errChanged = errors.New("the held plan was replaced while it was read")

// held shows a held plan with its evidence, before a person decides.
func (p *page) held(now time.Time, r tasks.Run, h tasks.HeldPlan) {
	p.line(0, "==> Plan of '%s', held for %s", h.Task, ago(now, h.Since))
	p.run(now, "run", r, &h)
	p.blank()
	p.line(2, "plan %s over state serial %d", strings.TrimSpace(h.Changes.Short()), h.Serial)
}
