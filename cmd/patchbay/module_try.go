package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"patchbay/agent"
	"patchbay/agent/config"
	"patchbay/tasks"
	"patchbay/templates/trial"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"
)

// trialTask is the task that a module is tried in, as addresses of a plan have it.
const trialTask = "trial"

// notKnown closes every trial.
const notKnown = "Nothing was applied, so whether a second plan would be empty is not known: apply the module in a lab to know."

type tryFlags struct {
	services, terraform string
	variables           []string
}

func (c *cli) moduleTry() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "test DIR",
		Short: "Plan a module with awkward or recorded services; nothing is applied",
		Long: "Plan a module with sets of services, as the module of a task would be, over an empty state in a\n" +
			"temporary directory. Nothing is applied; providers are asked as by every plan and configured by\n" +
			"the environment. DIR is the directory of the module, or builtin/NAME for a shipped one.",
		Args: c.arguments(1, 1, "<directory of a module>"),
	}
	o := outputFlag(cmd)
	var x tryFlags
	f := cmd.Flags()
	f.StringVar(&x.services, "services", "", "terraform.tfvars of a task or .json whose services are used instead of the built-in sets")
	f.Var(paths{&x.variables}, "variables", "file of the module's own variables, .tfvars or .json (repeatable)")
	f.StringVar(&x.terraform, "terraform", "", "name or path of the Terraform or OpenTofu to use; by default the first of terraform and tofu on PATH")
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return c.tryModule(cmd.Context(), args[0], x, *o) }
	return cmd
}

func (c *cli) tryModule(ctx context.Context, arg string, x tryFlags, o output) error {
	source, files, err := located(arg)
	if err != nil {
		return err
	}
	if _, err := parsed(arg, files); err != nil {
		return err
	}
	t := agent.Trial{Module: source, Sets: trial.Awkward(), Binary: x.terraform,
		Log: hclog.New(&hclog.LoggerOptions{Level: hclog.Warn, Output: c.stderr})}
	if err := x.read(&t); err != nil {
		return err
	}
	var list []agent.Tried
	if err := signals(func(stop <-chan struct{}) error {
		t.Stop = stop
		list, err = c.daemon.try(ctx, t)
		return err
	}); err != nil {
		return ended(err, fmt.Sprintf("unable to try the module '%s'", arg))
	}
	return c.showTried(arg, list, o)
}

// read reads the files that the flags name.
func (x tryFlags) read(t *agent.Trial) (err error) {
	dir, err := filepath.Abs(".")
	if err != nil {
		return fail("unable to find the working directory", err)
	}
	options := config.Options{WorkDir: dir}
	if t.Variables, err = config.Variables(x.variables, options); err != nil {
		return badConfig("the variables cannot be read; nothing was planned", err)
	}
	if x.services == "" {
		return nil
	}
	values, err := config.Variables([]string{x.services}, options)
	if err != nil {
		return badConfig("the services cannot be read; nothing was planned", err)
	}
	set, err := trial.Recorded(filepath.Base(x.services), values)
	if err != nil {
		return &failure{code: exitConfig, what: "the services cannot be used; nothing was planned", details: []string{x.services + ": " + err.Error()}}
	}
	t.Sets = []trial.Set{set}
	return nil
}

// triedSet is one set as -o json writes it.
type triedSet struct {
	Set       string     `json:"set"`
	About     string     `json:"about"`
	Instances int        `json:"instances"`
	Planned   bool       `json:"planned"`
	Plan      tasks.Plan `json:"plan"`
	Seconds   float64    `json:"seconds"`
	Error     string     `json:"error,omitempty"`
}

func (c *cli) showTried(arg string, list []agent.Tried, o output) error {
	out, refused := make([]triedSet, 0, len(list)), 0
	for _, x := range list {
		y := triedSet{Set: x.Set.Name, About: x.Set.About, Instances: len(x.Set.Services), Planned: x.Err == nil, Plan: x.Plan,
			Seconds: x.Took.Round(time.Millisecond).Seconds()}
		if x.Err != nil {
			y.Error = x.Err.Error()
			refused++
		}
		out = append(out, y)
	}
	value := struct {
		Module string     `json:"module"`
		Sets   []triedSet `json:"sets"`
		Note   string     `json:"note"`
	}{arg, out, notKnown}
	if err := c.show(o, value, func(p *page) { p.trial(arg, out, refused) }); err != nil {
		return err
	}
	if refused > 0 {
		return &failure{code: exitFindings}
	}
	return nil
}

func (p *page) trial(module string, list []triedSet, refused int) {
	rows := [][]string{{"SET", "INSTANCES", "RESULT", "TOOK", "PLAN"}}
	for _, x := range list {
		result, plan := "planned", madeBy(x.Plan)
		if !x.Planned {
			result, plan = "refused", ""
		}
		rows = append(rows, []string{x.Set, fmt.Sprint(x.Instances), result, fmt.Sprintf("%.1f s", x.Seconds), clip(plan, maxValue)})
	}
	p.table(0, rows)
	p.refusals(list)
	if n := slices.IndexFunc(list, growing); n >= 0 {
		p.blank()
		p.line(0, "Warning: set %s makes one object or more per instance (%s); see: patchbay module lint %s", list[n].Set, madeBy(list[n].Plan), module)
	}
	p.blank()
	if refused > 0 {
		p.line(0, "%s: %s of %d refused. A refusal is right when its message says what to do.", module, count(refused, "set"), len(list))
	} else {
		p.line(0, "%s: %s planned.", module, count(len(list), "set"))
	}
	p.line(0, "%s", notKnown)
}

// refusals tells each error once, with the sets that have it.
func (p *page) refusals(list []triedSet) {
	var errors []string
	sets := map[string][]string{}
	for _, x := range list {
		if x.Planned {
			continue
		}
		if sets[x.Error] == nil {
			errors = append(errors, x.Error)
		}
		sets[x.Error] = append(sets[x.Error], fmt.Sprintf("%s (%s)", x.Set, x.About))
	}
	for _, e := range errors {
		p.blank()
		p.line(0, "refused with %s:", strings.Join(sets[e], ", "))
		p.text(4, e)
	}
}

// growing tells whether a set of many instances made as many objects.
func growing(x triedSet) bool {
	return x.Instances >= 50 && x.Plan.Count(tasks.Create) >= x.Instances
}

// madeBy names the blocks of a plan: "fw_member.m x 100, fw_pool.p".
func madeBy(plan tasks.Plan) string {
	var parts []string
	for _, d := range devices(trialTask, plan.Changes) {
		name := d.name
		if len(d.changes) > 1 {
			name = fmt.Sprintf("%s x %d", name, len(d.changes))
		}
		parts = append(parts, name)
	}
	if len(parts) == 0 {
		return "no resource"
	}
	return strings.Join(parts, ", ")
}
