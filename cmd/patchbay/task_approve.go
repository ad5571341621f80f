package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/user"
	"strings"

	"patchbay/agent/client"
	"patchbay/tasks"

	"github.com/spf13/cobra"
)

func (c *cli) taskApprove() *cobra.Command {
	cmd := &cobra.Command{
		Use: "approve [options] <task name>", DisableFlagsInUseLine: true,
		Short: "Look at a held plan and let it through",
		Long: "Show a task's held plan with the evidence, ask, and let exactly this plan through: the agent\n" +
			"plans again and applies only when input, changes and state are still the same.",
		Args: c.oneTask,
	}
	v := &approving{api: apiFlags(cmd), output: outputFlag(cmd), raw: rawFlag(cmd)}
	cmd.Flags().BoolVar(&v.auto, "auto-approve", false, "do not ask")
	cmd.Flags().StringVar(&v.reason, "reason", "", "why, for the record")
	c.completeTask(cmd, v.api, anyTask)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(v.reason) > client.MaxReason {
			return c.flagError(cmd, fmt.Errorf("reason has %d bytes, at most %d are kept", len(v.reason), client.MaxReason))
		}
		return c.approve(cmd.Context(), v, args[0])
	}
	return cmd
}

// approving is one approve command.
type approving struct {
	api    *api
	output *output
	raw    *bool
	auto   bool
	reason string
}

func (c *cli) approve(ctx context.Context, v *approving, name string) error {
	api, err := v.api.connect(c)
	if err != nil {
		return err
	}
	defer api.Close()
	held, err := c.showHeld(ctx, api, v, name)
	if err != nil {
		return err
	}
	if !v.auto {
		ok, err := c.confirm(v, name)
		if err != nil || !ok {
			return err
		}
	}
	approved, err := api.Approve(ctx, name, client.ApproveRequest{By: person(), Reason: v.reason, Changes: held.Changes})
	if e, ok := errors.AsType[*client.Error](err); ok && e.Status == http.StatusConflict {
		return fail(fmt.Sprintf("unable to approve the plan of '%s'", name), err,
			"Nothing was approved. Look at what is held now: patchbay task show "+name)
	}
	if err != nil {
		return refused(fmt.Sprintf("unable to approve the plan of '%s'", name), err)
	}
	value := struct {
		Approved tasks.HeldPlan `json:"approved"`
	}{approved}
	return c.show(*v.output, value, func(p *page) {
		p.line(0, "==> The plan of '%s' was approved; the agent plans again and applies exactly this", name)
		p.line(4, "Follow it with: patchbay task show %s", name)
	})
}

// showHeld shows the held plan and gives it, so that what is approved is what was
// shown.
func (c *cli) showHeld(ctx context.Context, api *client.Client, v *approving, name string) (tasks.HeldPlan, error) {
	what := fmt.Sprintf("unable to read the held plan of '%s'", name)
	s, err := api.State(ctx, name)
	if err != nil {
		return tasks.HeldPlan{}, refused(what, err)
	}
	if s.Held == nil {
		return tasks.HeldPlan{}, fail(fmt.Sprintf("no plan of '%s' is held", name), nil, "There is nothing to approve; the task is "+string(stand(s))+".")
	}
	run, err := heldRun(ctx, api, s)
	if missing(err) {
		return tasks.HeldPlan{}, fail(what, err, "Nothing was approved. The history dropped the plan; make it again: patchbay task run "+name)
	}
	if err != nil {
		return tasks.HeldPlan{}, refused(what, err)
	}
	if run.Plan.Digest != s.Held.Changes {
		return tasks.HeldPlan{}, fail(what, errChanged, "Nothing was approved. Try again: patchbay task approve "+name)
	}
	p := page{raw: *v.raw}
	p.held(c.now(), run, *s.Held)
	if _, err := io.WriteString(c.beside(v), p.String()); err != nil {
		return tasks.HeldPlan{}, fail("unable to show the held plan", err)
	}
	return *s.Held, nil
}

// beside is where a person reads: standard output, which -o json keeps for JSON.
func (c *cli) beside(v *approving) io.Writer {
	if *v.output == asJSON {
		return c.stderr
	}
	return c.stdout
}

// confirm asks; only yes approves.
func (c *cli) confirm(v *approving, name string) (bool, error) {
	var p page
	p.line(0, "==> Do you want to let this plan of '%s' through?", name)
	p.line(4, " - This action cannot be undone.")
	p.line(4, "Only 'yes' will be accepted to approve, enter 'no' or leave blank to reject.")
	to := c.beside(v)
	if _, err := io.WriteString(to, p.String()+"Enter a value: "); err != nil {
		return false, fail("unable to ask for approval", err)
	}
	answer, err := bufio.NewReader(io.LimitReader(c.stdin, 4096)).ReadString('\n')
	if err != nil && answer == "" {
		return false, fail("unable to ask for approval", fmt.Errorf("Error asking for approval: %w", err))
	}
	if strings.TrimRight(answer, "\r\n") == "yes" {
		return true, nil
	}
	p = page{}
	p.line(0, "==> Cancelled approving the plan of '%s'", name)
	if _, err := io.WriteString(to, p.String()); err != nil {
		return false, fail("unable to write the answer", err)
	}
	return false, nil
}

// person names who approves; "" when the system does not tell.
func person() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	name := strings.ToValidUTF8(u.Username, "")
	return name[:min(len(name), client.MaxBy)]
}
