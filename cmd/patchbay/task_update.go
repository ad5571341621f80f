package main

import (
	"context"
	"fmt"
	"maps"

	"patchbay/agent/client"
	"patchbay/tasks"

	"github.com/spf13/cobra"
)

func (c *cli) taskUpdate() *cobra.Command {
	cmd := &cobra.Command{
		Use: "update [options] -task-file=<task config> <task name>", DisableFlagsInUseLine: true,
		Short: "Show what a changed task would change, ask, change and run it",
		Args:  c.oneTask,
	}
	a, auto := apiFlags(cmd), autoApprove(cmd)
	file := cmd.Flags().String("task-file", "", "file with the task, .hcl or .json; what it does not set stays as it is")
	c.completeTask(cmd, a, anyTask)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return c.updateTask(cmd.Context(), a, args[0], *file, *auto)
	}
	return cmd
}

func (c *cli) updateTask(ctx context.Context, a *api, name, file string, auto bool) error {
	changes, err := c.readChanges(name, file)
	if err != nil {
		return err
	}
	api, err := a.connect(c)
	if err != nil {
		return err
	}
	defer api.Close()
	t := c.talk()
	t.headline("Inspecting changes to resource if updating task '%s'...\n", name)
	t.detail("Generating plan that %s will use Terraform to execute\n", c.product())
	found, err := api.PatchTask(ctx, name, changes, tasks.RunInspect)
	if err != nil {
		return refused(fmt.Sprintf("unable to generate plan for '%s'", name), err)
	}
	if found == nil {
		return fail(fmt.Sprintf("unable to retrieve a plan for '%s'", name), nil)
	}
	if err := t.payload(changes); err != nil {
		return err
	}
	t.plan(*found)
	if !found.ChangesPresent {
		if _, err := api.PatchTask(ctx, name, changes, tasks.RunLater); err != nil {
			return refused(fmt.Sprintf("unable to update '%s'", name), err)
		}
		t.headline("'%s' update complete!", name)
		return t.err
	}
	if !auto {
		t.headline("Updating the task will perform the actions described above.")
		t.caution(c.product(), name)
		if ok, err := t.approve(fmt.Sprintf("updating task '%s'", name)); !ok || err != nil {
			return err
		}
	}
	t.headline("Updating and running '%s'...\n", name)
	if t.err != nil {
		return t.err
	}
	if _, err := api.PatchTask(ctx, name, changes, tasks.RunNow); err != nil {
		return refused(fmt.Sprintf("unable to update and run '%s'", name), err)
	}
	t.headline("'%s' update complete!", name)
	return t.err
}

// readChanges reads a task file for the fields to change; its name must be the
// task's.
func (c *cli) readChanges(name, file string) (client.Fields, error) {
	task, err := c.readTask(file, "task update", "unable to create request")
	if err != nil {
		return nil, err
	}
	if task["name"] != name {
		return nil, &failure{code: exitError, what: "unable to create request",
			details: []string{fmt.Sprintf("task file '%s' holds task '%v', not '%s'", file, task["name"], name)},
			advice:  []string{"Nothing was changed. A task cannot be renamed: create one of the new name and delete the old one."}}
	}
	changes := maps.Clone(task)
	delete(changes, "name")
	return changes, nil
}
