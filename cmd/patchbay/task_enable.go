package main

import (
	"context"
	"fmt"

	"patchbay/agent/client"
	"patchbay/tasks"

	"github.com/spf13/cobra"
)

func (c *cli) taskEnable() *cobra.Command {
	cmd := &cobra.Command{
		Use: "enable [options] <task name>", DisableFlagsInUseLine: true,
		Short: "Show what an enabled task would change, ask, enable and run it",
		Args:  c.oneTask,
	}
	a := apiFlags(cmd)
	auto := autoApprove(cmd)
	c.completeTask(cmd, a, disabledTask)
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return c.enable(cmd.Context(), a, args[0], *auto) }
	return cmd
}

// autoApprove adds -auto-approve to a command.
func autoApprove(cmd *cobra.Command) *bool {
	return cmd.Flags().Bool("auto-approve", false, "do not ask")
}

func (c *cli) enable(ctx context.Context, a *api, name string, auto bool) error {
	t := c.talk()
	t.headline("Inspecting changes to resource if enabling '%s'...\n", name)
	t.detail("Generating plan that %s will use Terraform to execute\n", c.product())
	api, err := a.connect(c)
	if err != nil {
		return err
	}
	defer api.Close()
	yes := client.Fields{"enabled": true}
	found, err := api.PatchTask(ctx, name, yes, tasks.RunInspect)
	if err != nil {
		return refused(fmt.Sprintf("unable to generate plan for '%s'", name), err)
	}
	if found == nil {
		return fail(fmt.Sprintf("unable to retrieve a plan for '%s'", name), nil)
	}
	t.detail("%s", found.Plan)
	if found.RemoteURL != "" {
		t.detail("Terraform Cloud Run URL: %s\n", found.RemoteURL)
	}
	if !found.ChangesPresent {
		if _, err := api.PatchTask(ctx, name, yes, tasks.RunLater); err != nil {
			return refused(fmt.Sprintf("unable to enable '%s'", name), err)
		}
		t.headline("'%s' enable complete!", name)
		return t.err
	}
	if !auto {
		t.headline("Enabling the task will perform the actions described above.")
		t.caution(c.product(), name)
		if ok, err := t.approve(fmt.Sprintf("enabling task '%s'", name)); !ok || err != nil {
			return err
		}
	}
	t.headline("Enabling and running '%s'...\n", name)
	if t.err != nil {
		return t.err
	}
	if _, err := api.PatchTask(ctx, name, yes, tasks.RunNow); err != nil {
		return refused(fmt.Sprintf("unable to enable and run '%s'", name), err)
	}
	t.headline("'%s' enable complete!", name)
	return t.err
}
