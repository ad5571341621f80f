package main

import (
	"context"
	"fmt"

	"patchbay/agent/client"
	"patchbay/tasks"

	"github.com/spf13/cobra"
)

func (c *cli) taskDisable() *cobra.Command {
	cmd := &cobra.Command{
		Use: "disable [options] <task name>", DisableFlagsInUseLine: true,
		Short: "Let no change start a run of a task; nothing is destroyed",
		Args:  c.oneTask,
	}
	a := apiFlags(cmd)
	c.completeTask(cmd, a, enabledTask)
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return c.disable(cmd.Context(), a, args[0]) }
	return cmd
}

func (c *cli) disable(ctx context.Context, a *api, name string) error {
	t := c.talk()
	t.headline("Waiting to disable '%s'...\n", name)
	api, err := a.connect(c)
	if err != nil {
		return err
	}
	defer api.Close()
	if _, err := api.PatchTask(ctx, name, client.Fields{"enabled": false}, tasks.RunLater); err != nil {
		return refused(fmt.Sprintf("unable to disable '%s'", name), err)
	}
	t.headline("'%s' disable complete!", name)
	return t.err
}
