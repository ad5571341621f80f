package main

import (
	"context"
	"encoding/json"
	"fmt"

	"patchbay/agent/client"
	"patchbay/tasks"

	"github.com/spf13/cobra"
)

func (c *cli) taskCreate() *cobra.Command {
	cmd := &cobra.Command{
		Use: "create [options] -task-file=<task config>", DisableFlagsInUseLine: true,
		Short: "Show what a new task would change, ask, create and run it",
		Args:  cobra.ArbitraryArgs,
	}
	a, auto := apiFlags(cmd), autoApprove(cmd)
	file := cmd.Flags().String("task-file", "", "file with the task, .hcl or .json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return c.create(cmd.Context(), a, *file, *auto) }
	return cmd
}

func (c *cli) create(ctx context.Context, a *api, file string, auto bool) error {
	task, err := c.readTask(file, "task create", "unable to create request")
	if err != nil {
		return err
	}
	name := fmt.Sprint(task["name"])
	api, err := a.connect(c)
	if err != nil {
		return err
	}
	defer api.Close()
	t := c.talk()
	t.headline("Inspecting changes to resource if creating task '%s'...\n", name)
	t.detail("Generating plan that %s will use Terraform to execute\n", c.product())
	found, err := api.CreateTask(ctx, task, tasks.RunInspect)
	if err != nil {
		return refused(fmt.Sprintf("unable to generate plan for '%s'", name), err)
	}
	if found.Run == nil {
		return fail(fmt.Sprintf("unable to retrieve a plan for '%s'", name), nil)
	}
	t.detail("Request ID: %s", found.RequestID)
	if err := t.payload(map[string]any{"task": task}); err != nil {
		return err
	}
	t.plan(*found.Run)
	if !auto {
		t.headline("Creating the task will perform the actions described above.")
		t.caution(c.product(), name)
		if ok, err := t.approve(fmt.Sprintf("creating task '%s'", name)); !ok || err != nil {
			return err
		}
	}
	t.headline("Creating and running task '%s'...", name)
	t.detail("The task creation request has been sent to the %s server.", c.short())
	t.detail("Please be patient as it may take some time to see a confirmation that this task has completed.")
	t.detail("Warning: Terminating this process will not stop task creation.\n")
	if t.err != nil {
		return t.err
	}
	made, err := api.CreateTask(ctx, task, tasks.RunNow)
	if err != nil {
		return refused(fmt.Sprintf("unable to create '%s'", name), err)
	}
	t.headline("Task '%s' created", made.Task.Name)
	t.detail("Request ID: '%s'", made.RequestID)
	return t.err
}

// payload shows what is sent.
func (t *talk) payload(body any) error {
	text, err := json.MarshalIndent(body, "    ", "  ")
	if err != nil {
		return fail("unable to write the request", err)
	}
	t.detail("Request Payload:")
	t.detail("%s\n", text)
	return t.err
}

// plan shows what a task would do.
func (t *talk) plan(i client.Inspection) {
	t.detail("Plan: \n%s", i.Plan)
	if i.RemoteURL != "" {
		t.detail("Terraform Cloud Run URL: %s\n", i.RemoteURL)
	}
}
