package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"patchbay/agent"
	"patchbay/tasks"

	"github.com/spf13/cobra"
)

func (c *cli) compare() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "compare",
		Short: "Tell whether Patchbay would do what a running Consul-Terraform-Sync does",
		Long: "Render and plan every enabled task beside a running Consul-Terraform-Sync, and tell what\n" +
			"Patchbay would write and change in its place. Nothing is written, locked or applied. Run it\n" +
			"from the directory that Consul-Terraform-Sync runs in, with the same configuration.",
		Args: c.noArguments,
	}
	list, o := configFlags(cmd.Flags()), outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return c.compareTasks(cmd.Context(), *list, *o) }
	return cmd
}

// The results of a comparison.
const (
	resultSame     = "same"
	resultChange   = "would change"
	resultNone     = "cannot be compared"
	resultDisabled = "disabled"
)

// compared is a comparison as -o json writes it.
type compared struct {
	Task        string     `json:"task"`
	Result      string     `json:"result"`
	Differences []string   `json:"differences"`
	NoState     bool       `json:"no_state"`
	Plan        tasks.Plan `json:"plan"`
	Error       string     `json:"error,omitempty"`
}

func newCompared(x agent.Comparison) compared {
	out := compared{Task: x.Task, Result: resultChange, Differences: append([]string{}, x.Differences...), NoState: x.NoState, Plan: x.Plan}
	switch {
	case x.Disabled:
		out.Result = resultDisabled
	case x.Err != nil:
		out.Result, out.Error = resultNone, x.Err.Error()
	case x.Same():
		out.Result = resultSame
	}
	return out
}

func (c *cli) compareTasks(ctx context.Context, paths []string, o output) error {
	if len(paths) == 0 {
		return c.misuse("compare", "unable to compare", "no config file provided")
	}
	cfg, err := c.daemon.load(paths)
	if err != nil {
		return badConfig("the configuration is not valid; nothing was compared", err)
	}
	cfg.Syslog.Enabled = false // it belongs to the one that runs beside
	l := agent.Options{Config: cfg, Log: c.logger(cfg), Version: build().Version}
	for _, w := range cfg.Warnings {
		l.Log.Named("config").Warn("configuration is doubtful", "warning", w)
	}
	var list []agent.Comparison
	if err := signals(func(stop <-chan struct{}) error {
		l.Stop = stop
		list, err = c.daemon.compare(ctx, l)
		return err
	}); err != nil {
		return ended(err, "unable to compare the tasks")
	}
	return c.showCompared(list, o)
}

// showCompared tells all results and gives the exit code that sums them up.
func (c *cli) showCompared(list []agent.Comparison, o output) error {
	out, counts := make([]compared, 0, len(list)), map[string]int{}
	var failed []error
	for _, x := range list {
		y := newCompared(x)
		out = append(out, y)
		counts[y.Result]++
		if y.Result == resultNone {
			failed = append(failed, fmt.Errorf("task %s: %w", x.Task, x.Err))
		}
	}
	value := struct {
		Tasks   []compared `json:"tasks"`
		Summary string     `json:"summary"`
	}{out, comparedSummary(counts)}
	if err := c.show(o, value, func(p *page) { p.comparisons(out, value.Summary) }); err != nil {
		return err
	}
	switch {
	case len(failed) > 0:
		return ended(errors.Join(failed...), "unable to compare "+count(len(failed), "task"))
	case counts[resultChange] > 0:
		return &failure{code: exitDifferent}
	}
	return nil
}

// comparedSummary is the closing line.
func comparedSummary(counts map[string]int) string {
	same, change, none := counts[resultSame], counts[resultChange], counts[resultNone]
	switch {
	case same+change+none == 0:
		return "No task is enabled, so nothing was compared."
	case change+none == 0:
		return "Patchbay would write and plan the same for " + count(same, "task") + "; in the place of CTS it would change nothing."
	}
	var parts []string
	for _, p := range []struct {
		n    int
		what string
	}{{same, "the same"}, {change, "different"}, {none, "not compared"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	return "Of " + count(same+change+none, "task") + ": " + strings.Join(parts, ", ") + ". Nothing was written, locked or applied."
}

func (p *page) comparisons(list []compared, summary string) {
	for _, x := range list {
		switch {
		case x.Result == resultDisabled:
			p.line(0, "%s: is disabled, was not compared", x.Task)
		case x.Result == resultNone:
			p.line(0, "%s: cannot be compared", x.Task)
			p.text(2, x.Error)
			p.differences(x)
		case x.Result == resultSame:
			p.line(0, "%s: same", x.Task)
		default:
			p.comparison(x)
		}
		p.blank()
	}
	p.line(0, "%s", summary)
}

// comparison shows what differs: the files, then the plan.
func (p *page) comparison(x compared) {
	switch {
	case x.NoState:
		p.line(0, "%s: there is no state yet, would be %s", x.Task, summary(x.Plan))
	case x.Plan.Empty():
		p.line(0, "%s: files would be written that mean something else, nothing would change", x.Task)
	default:
		p.line(0, "%s: would be %s", x.Task, summary(x.Plan))
	}
	p.differences(x)
	p.plan(2, x.Task, x.Plan)
}

// differences shows those of the files.
func (p *page) differences(x compared) {
	for n, d := range x.Differences {
		if n == maxLines {
			p.line(2, "and %s more; -o json has all of them", count(len(x.Differences)-n, "difference"))
			return
		}
		p.line(2, "%s", clip(d, 2*maxValue))
	}
}
