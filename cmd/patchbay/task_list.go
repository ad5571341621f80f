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

// startsOn tells a condition in a few words; "" is a task without any.
func startsOn(c client.Condition) string {
	var text, in string
	switch {
	case c.Services != nil:
		text, in = like("services", c.Services.Regexp), c.Services.Datacenter
		if len(c.Services.Names) > 0 {
			text = "services " + strings.Join(c.Services.Names, ", ")
		}
		if c.Services.Filter != "" {
			in += " where " + c.Services.Filter
		}
	case c.CatalogServices != nil:
		text, in = like("names of services", &c.CatalogServices.Regexp), c.CatalogServices.Datacenter
	case c.ConsulKV != nil:
		text, in = "key "+c.ConsulKV.Path, c.ConsulKV.Datacenter
		if c.ConsulKV.Recurse {
			text = "keys below " + c.ConsulKV.Path
		}
	case c.Nodes != nil:
		text, in = like("nodes", &c.Nodes.Regexp), c.Nodes.Datacenter
	case c.Schedule != nil:
		text = "schedule " + c.Schedule.Cron
	}
	if in != "" && !strings.HasPrefix(in, " ") {
		in = " in " + in
	}
	return clip(text+in, maxValue)
}

// like tells what a regular expression selects.
func like(what string, expression *string) string {
	if expression == nil || *expression == "" {
		return "all " + what
	}
	return fmt.Sprintf("%s like %q", what, *expression)
}
