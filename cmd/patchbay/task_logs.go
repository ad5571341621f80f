package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"patchbay/agent/client"
	"patchbay/tasks"

	"github.com/spf13/cobra"
)

func (c *cli) taskLogs() *cobra.Command {
	cmd := &cobra.Command{
		Use: "logs [options] <task name>", DisableFlagsInUseLine: true,
		Short: "Tell the attempts and errors of a task's newest run",
		Args:  c.oneTask,
	}
	a, o := apiFlags(cmd), outputFlag(cmd)
	on := cmd.Flags().BoolP("follow", "f", false, "go on with what happens from now on")
	c.completeTask(cmd, a, anyTask)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *on && *o == asJSON {
			return c.flagError(cmd, fmt.Errorf("-f writes text only"))
		}
		return c.logs(cmd.Context(), a, *o, args[0], *on)
	}
	return cmd
}

func (c *cli) logs(ctx context.Context, a *api, o output, name string, on bool) error {
	api, err := a.connect(c)
	if err != nil {
		return err
	}
	defer api.Close()
	j := &journal{c: c}
	if on {
		for e, err := range api.Events(ctx, name) {
			if err == nil {
				err = j.tell(e)
			}
			if err != nil {
				return refused(fmt.Sprintf("unable to follow '%s'", name), err)
			}
			if e.Removed != "" {
				return nil
			}
		}
	}
	s, err := api.State(ctx, name)
	if err != nil {
		return refused(fmt.Sprintf("unable to read task '%s'", name), err)
	}
	value := struct {
		Run *tasks.Run `json:"run"`
	}{s.Newest}
	return c.show(o, value, func(p *page) { j.page(p, s) })
}

// journal tells of one task's runs what it has not told yet.
type journal struct {
	c *cli
	// run, phase and newest are what was told last.
	run    string
	phase  tasks.Phase
	newest time.Time
	begun  bool
}

func (j *journal) tell(e client.Event) error {
	var p page
	if e.Removed != "" {
		p.line(0, "%s was removed", e.Removed)
	} else {
		j.page(&p, e.State)
	}
	_, err := io.WriteString(j.c.stdout, p.String())
	return err
}

func (j *journal) page(p *page, s client.State) {
	r := s.Newest
	if r == nil {
		if !j.begun {
			p.line(0, "%s has not been run yet", s.Name)
		}
		j.begun = true
		return
	}
	j.begun = true
	if j.run != r.ID {
		j.run, j.phase, j.newest = r.ID, "", time.Time{}
		why := ""
		if len(r.Causes) > 0 {
			why = ", because " + clip(cause(*r), maxValue)
		}
		p.line(0, "run %s, started %s, trigger: %s%s", r.ID, r.Started.Local().Format(time.DateTime), r.Trigger, why)
	}
	for n, a := range r.Attempts {
		if !a.At.After(j.newest) {
			continue
		}
		j.newest = a.At
		if n == 1 && r.Tries > len(r.Attempts) {
			p.line(2, "and %s in between", tries(r.Tries-len(r.Attempts)))
		}
		p.line(2, "%s  failed while %s:", a.At.Local().Format(time.DateTime), a.Phase)
		p.text(6, strings.TrimRight(a.Error, "\n"))
	}
	if j.phase != r.Phase {
		j.phase = r.Phase
		p.line(2, "%s  %s", r.Updated.Local().Format(time.DateTime), strings.TrimSpace(string(r.Phase)+" "+done(*r)))
	}
}
