package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

func (c *cli) taskDelete() *cobra.Command {
	cmd := &cobra.Command{
		Use: "delete [options] <task name>", DisableFlagsInUseLine: true,
		Short: "Delete a task; what it made stays",
		Args:  c.oneTask,
	}
	d := &deleting{api: apiFlags(cmd), auto: autoApprove(cmd)}
	if !c.legacy {
		cmd.Short += " unless -destroy is given"
		cmd.Flags().BoolVar(&d.destroy, "destroy", false, "destroy what the task made, then remove its workspace, state and files")
	}
	c.completeTask(cmd, d.api, anyTask)
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return c.delete(cmd.Context(), d, args[0]) }
	return cmd
}

// deleting is one delete command.
type deleting struct {
	api     *api
	auto    *bool
	destroy bool
}

func (c *cli) delete(ctx context.Context, d *deleting, name string) error {
	t := c.talk()
	api, err := d.api.connect(c)
	if err != nil {
		return err
	}
	defer api.Close()
	if !*d.auto {
		d.explain(t, name)
		if ok, err := t.approve(fmt.Sprintf("deleting task '%s'", name)); !ok || err != nil {
			return err
		}
	}
	end := "deletion and will be deleted when not running"
	if d.destroy {
		t.headline("Marking task '%s' for destruction...\n", name)
		end = "destruction: when it is not running, what it made is destroyed, then it is deleted"
	} else {
		t.headline("Marking task '%s' for deletion...\n", name)
	}
	if t.err != nil {
		return t.err
	}
	if err := api.DeleteTask(ctx, name, d.destroy); err != nil {
		return refused(fmt.Sprintf("unable to delete '%s'", name), err)
	}
	t.headline("Task '%s' has been marked for %s.", name, end)
	return t.err
}

// explain says what a person agrees to.
func (d *deleting) explain(t *talk, name string) {
	if d.destroy {
		t.headline("Do you want to delete '%s' and destroy everything that it made?", name)
		t.detail(" - This action cannot be undone.")
		t.detail(" - All infrastructure managed by the task will be destroyed.")
		t.detail(" - Then its workspace, its state and its files will be removed.")
		t.detail(" - If the task is running, this begins once the run has completed.")
		return
	}
	t.headline("Do you want to delete '%s'?", name)
	t.detail(" - This action cannot be undone.")
	t.detail(" - Deleting a task will not destroy the infrastructure managed by the task.")
	t.detail(" - If the task is not running, it will be deleted immediately.")
	t.detail(" - If the task is running, it will be deleted once it has completed.")
}
