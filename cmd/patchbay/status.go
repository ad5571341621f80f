package main

import (
	"context"
	"errors"
	"fmt"

	"patchbay/agent/client"

	"github.com/spf13/cobra"
)

func (c *cli) status() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Tell how all tasks stand",
		Long:  "Tell how all tasks stand. With -check the exit code is 11 when a task is failing, else 3 when one is held.",
		Args:  c.noArguments,
	}
	a, o := apiFlags(cmd), outputFlag(cmd)
	check := cmd.Flags().Bool("check", false, "exit with 11 when a task is failing, with 3 when one is held")
	watch := cmd.Flags().BoolP("watch", "w", false, "go on and show every change")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *watch && *check {
			return c.flagError(cmd, errors.New("-w never ends, so that -check has nothing to tell"))
		}
		return c.showStatus(cmd.Context(), a, *o, *check, *watch)
	}
	return cmd
}

// overview is what status -o json writes.
type overview struct {
	client.Readiness
	Tasks []client.State `json:"tasks"`
}

func (c *cli) showStatus(ctx context.Context, a *api, o output, check, watch bool) error {
	api, err := a.connect(c)
	if err != nil {
		return err
	}
	defer api.Close()
	if watch {
		return c.watchStatus(ctx, api, o)
	}
	var all overview
	if all.Tasks, err = api.States(ctx); err != nil {
		return refused("unable to read the status", err)
	}
	if all.Readiness, err = api.Ready(ctx); err != nil {
		return refused("unable to read the agent's health", err)
	}
	if err := c.show(o, all, func(p *page) { p.overview(c, all) }); err != nil || !check {
		return err
	}
	return checked(all.Tasks)
}

// checked turns the tasks' standings into an exit code, without a text.
func checked(states []client.State) error {
	code := exitDone
	for _, s := range states {
		switch {
		case stand(s) == failing:
			return &failure{code: exitError}
		case s.Held != nil && s.Enabled:
			code = exitHeld
		}
	}
	if code == exitDone {
		return nil
	}
	return &failure{code: code}
}

func (p *page) overview(c *cli, all overview) {
	now := c.now()
	p.line(0, "%s", header(all.Tasks, now))
	for _, r := range all.Reasons {
		p.line(0, "not ready: %s", r)
	}
	if len(all.Tasks) == 0 {
		return
	}
	p.blank()
	rows := [][]string{{"TASK", "STATE", "LAST RUN", "CHANGES", "MEMBERS", "NOTE"}}
	for _, s := range all.Tasks {
		last, changes, members := "never", "", ""
		if s.Newest != nil {
			last = fmt.Sprintf("%s %s ago", s.Newest.Phase, ago(now, s.Newest.Updated))
			changes = done(*s.Newest)
		}
		if s.Applied != nil {
			members = fmt.Sprint(s.Applied.Members)
		}
		rows = append(rows, []string{s.Name, string(stand(s)), last, changes, members, clip(firstLine(s.Note), maxValue)})
	}
	p.table(0, rows)
}
