package main

import "github.com/spf13/cobra"

// task is the group of commands on tasks.
func (c *cli) task() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "task",
		Short: "Look at tasks, make, change and run them, approve their held plans",
		Args:  cobra.ArbitraryArgs,
		RunE:  c.unknownCommand,
	}
	cmd.Flags().SetInterspersed(false)
	cmd.AddCommand(c.taskList(), c.taskShow(), c.taskRuns(), c.taskRun(), c.taskApprove(),
		c.taskCreate(), c.taskEnable(), c.taskDisable(), c.taskDelete(), c.taskUpdate(), c.taskLogs())
	return cmd
}
