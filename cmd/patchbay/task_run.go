package main

import (
	"context"
	"fmt"
	"time"

	"patchbay/agent/client"
	"patchbay/tasks"

	"github.com/spf13/cobra"
)

func (c *cli) taskRun() *cobra.Command {
	cmd := &cobra.Command{
		Use: "run [options] <task name>", DisableFlagsInUseLine: true,
		Short: "Ask for a run of a task now",
		Long: "Ask for a run of a task now. With -wait, wait for its end: the exit code is 3 when the plan\n" +
			"is held and 11 when the run failed, though the agent goes on trying.",
		Args: c.oneTask,
	}
	a, o := apiFlags(cmd), outputFlag(cmd)
	wait := cmd.Flags().Bool("wait", false, "wait for the end of the run")
	c.completeTask(cmd, a, anyTask)
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return c.runTask(cmd.Context(), a, *o, args[0], *wait) }
	return cmd
}

// asked is what task run -o json writes.
type asked struct {
	Task string `json:"task"`
	// Run is null without -wait.
	Run *tasks.Run `json:"run"`
}

func (c *cli) runTask(ctx context.Context, a *api, o output, name string, wait bool) error {
	api, err := a.connect(c)
	if err != nil {
		return err
	}
	defer api.Close()
	what := fmt.Sprintf("unable to run '%s'", name)
	before, err := api.State(ctx, name)
	if err != nil {
		return refused(what, err)
	}
	if err := api.RunNow(ctx, name); err != nil {
		return refused(what, err)
	}
	if !wait {
		return c.show(o, asked{Task: name}, func(p *page) {
			p.line(0, "==> The run of '%s' was asked for; follow it with: patchbay task show %s", name, name)
		})
	}
	run, err := c.await(ctx, api, before)
	if err != nil {
		return refused(fmt.Sprintf("unable to wait for the run of '%s'", name), err)
	}
	if err := c.show(o, asked{name, &run}, func(p *page) { p.run(c.now(), "run", run, nil) }); err != nil {
		return err
	}
	switch {
	case run.Phase.Success():
		return nil
	case run.Phase == tasks.Held:
		return &failure{code: exitHeld, what: fmt.Sprintf("the plan of '%s' is held", name),
			details: []string{fmt.Sprintf("Nothing was changed. Look at it and let it through with: patchbay task approve %s", name)}}
	}
	f := &failure{code: exitError, what: fmt.Sprintf("the run of '%s' is %s", name, run.Phase)}
	if run.Phase == tasks.Retrying {
		f.advice = []string{"The agent tries again until it succeeds."}
	}
	return f
}

// pollEvery is the time between two looks at a run that is waited for.
const pollEvery = 300 * time.Millisecond

// await follows the first run that is newer than before until it ends or fails
// once.
func (c *cli) await(ctx context.Context, api *client.Client, before client.State) (tasks.Run, error) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	var id string
	var phase tasks.Phase
	for {
		run, err := newer(ctx, api, before, id)
		if err != nil {
			return tasks.Run{}, err
		}
		if run != nil {
			id = run.ID
			if run.Phase != phase {
				phase = run.Phase
				fmt.Fprintf(c.stderr, "    %s\n", printable(string(phase)))
			}
			if phase.Ended() || phase == tasks.Retrying {
				return *run, nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return tasks.Run{}, ctx.Err()
		}
	}
}

// newer gives the run with the ID or, when that is "", the newest one if it is
// not the one from before; nil when there is none yet.
func newer(ctx context.Context, api *client.Client, before client.State, id string) (*tasks.Run, error) {
	s, err := api.State(ctx, before.Name)
	if err != nil {
		return nil, err
	}
	if id == "" {
		if s.Newest == nil || before.Newest != nil && s.Newest.ID == before.Newest.ID {
			return nil, nil
		}
		return s.Newest, nil
	}
	if s.Newest != nil && s.Newest.ID == id {
		return s.Newest, nil
	}
	run, err := api.Run(ctx, before.Name, id)
	return &run, err
}
