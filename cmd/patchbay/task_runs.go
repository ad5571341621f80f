package main

import (
	"context"
	"fmt"
	"time"

	"patchbay/agent/client"
	"patchbay/tasks"

	"github.com/spf13/cobra"
)

func (c *cli) taskRuns() *cobra.Command {
	cmd := &cobra.Command{
		Use: "runs [options] <task name>", DisableFlagsInUseLine: true,
		Short: "List a task's newest runs, newest first",
		Args:  c.oneTask,
	}
	a, o := apiFlags(cmd), outputFlag(cmd)
	limit := cmd.Flags().Int("limit", client.DefaultRuns, fmt.Sprintf("most runs to list, 1 to %d", client.MaxRuns))
	c.completeTask(cmd, a, anyTask)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *limit < 1 || *limit > client.MaxRuns {
			return c.flagError(cmd, fmt.Errorf("limit is %d, want 1 to %d", *limit, client.MaxRuns))
		}
		return c.listRuns(cmd.Context(), a, *o, args[0], *limit)
	}
	return cmd
}

func (c *cli) listRuns(ctx context.Context, a *api, o output, name string, limit int) error {
	api, err := a.connect(c)
	if err != nil {
		return err
	}
	defer api.Close()
	runs, err := api.Runs(ctx, name, limit)
	if err != nil {
		return refused(fmt.Sprintf("unable to list the runs of '%s'", name), err)
	}
	value := struct {
		Runs []tasks.Run `json:"runs"`
	}{runs}
	return c.show(o, value, func(p *page) {
		if len(runs) == 0 {
			p.line(0, "%s has not been run yet", name)
			return
		}
		rows := [][]string{{"RUN", "STARTED", "RESULT", "CHANGES", "TRIES", "BECAUSE"}}
		for _, r := range runs {
			why := cause(r)
			if e := r.Error(); e != "" {
				why += "; error: " + firstLine(e)
			}
			rows = append(rows, []string{r.ID, r.Started.Local().Format(time.DateTime), string(r.Phase), done(r), fmt.Sprint(r.Tries), clip(why, maxValue)})
		}
		p.table(0, rows)
	})
}
