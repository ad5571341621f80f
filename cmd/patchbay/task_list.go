package main

import (
	"context"
	"fmt"
	"strings"

	"patchbay/agent/client"

	"github.com/spf13/cobra"
)

func (c *cli) taskList() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List the tasks as configured", Args: c.noArguments}
	a, o := apiFlags(cmd), outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return c.listTasks(cmd.Context(), a, *o) }
	return cmd
}

func (c *cli) listTasks(ctx context.Context, a *api, o output) error {
	api, err := a.connect(c)
	if err != nil {
		return err
	}
	defer api.Close()
	list, err := api.Tasks(ctx)
	if err != nil {
		return refused("unable to list the tasks", err)
	}
	value := struct {
		Tasks []client.Task `json:"tasks"`
	}{list}
	return c.show(o, value, func(p *page) {
		if len(list) == 0 {
			p.line(0, "no tasks are configured")
			return
		}
		rows := [][]string{{"TASK", "ENABLED", "MODULE", "STARTS ON", "DESCRIPTION"}}
		for _, t := range list {
			rows = append(rows, []string{t.Name, fmt.Sprint(t.Enabled), strings.TrimSpace(t.Module + " " + t.Version), startsOn(t.Condition),
				clip(firstLine(t.Description), maxValue)})
		}
		p.table(0, rows)
	})
}

// startsOn tells a condition in a few words.
func startsOn(c client.Condition) string {
	s := c.Services
	if s == nil {
		return ""
	}
	text := "services " + strings.Join(s.Names, ", ")
	if s.Regexp != nil && len(s.Names) == 0 {
		text = fmt.Sprintf("services like %q", *s.Regexp)
	}
	if s.Datacenter != "" {
		text += " in " + s.Datacenter
	}
	if s.Filter != "" {
		text += " where " + s.Filter
	}
	return clip(text, maxValue)
}
