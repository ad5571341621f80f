package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"patchbay/agent/client"

	"github.com/spf13/cobra"
)

// canary is the group of commands on canaries.
func (c *cli) canary() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "canary",
		Short: "Look at canaries and move them",
		Args:  cobra.ArbitraryArgs,
		RunE:  c.unknownCommand,
	}
	cmd.Flags().SetInterspersed(false)
	cmd.AddCommand(c.canaryList(), c.canaryShow())
	for _, verb := range []struct{ name, short, done string }{
		{"promote", "Let the next step come now", "its next step comes when tasks and instances are ready"},
		{"pause", "Stop the steps; a failing candidate is rolled back still", "its steps are stopped"},
		{"resume", "Let the steps go on", "its steps go on"},
		{"abort", "Take all traffic back to the stable subset", "all traffic is back on the stable subset"},
		{"restart", "Begin a canary anew that was aborted, rolled back or refused a changed plan", "it begins before its first step"},
	} {
		cmd.AddCommand(c.canaryVerb(verb.name, verb.short, verb.done))
	}
	return cmd
}

func (c *cli) oneCanary(cmd *cobra.Command, args []string) error {
	if len(args) == 1 {
		return nil
	}
	_, command, _ := strings.Cut(cmd.CommandPath(), " ")
	return c.misuse(command, "this command requires one argument: [options] <service>", fmt.Sprintf("%d arguments were passed to the command", len(args)))
}

func (c *cli) canaryList() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List the canaries", Args: c.noArguments}
	a, o := apiFlags(cmd), outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return c.listCanaries(cmd.Context(), a, *o) }
	return cmd
}

func (c *cli) listCanaries(ctx context.Context, a *api, o output) error {
	api, err := a.connect(c)
	if err != nil {
		return err
	}
	defer api.Close()
	list, err := api.Canaries(ctx)
	if err != nil {
		return refused("unable to list the canaries", err)
	}
	value := struct {
		Canaries []client.Canary `json:"canaries"`
	}{list}
	return c.show(o, value, func(p *page) {
		if len(list) == 0 {
			p.line(0, "no canaries are declared")
			return
		}
		rows := [][]string{{"CANARY", "PHASE", "STEP", "WEIGHTS", "SINCE", "WAITS FOR"}}
		for _, k := range list {
			rows = append(rows, []string{k.Service, string(k.Phase), step(k), split(k), ago(c.now(), k.Since), clip(waits(k), maxValue)})
		}
		p.table(0, rows)
	})
}

func (c *cli) canaryShow() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show [options] <service>", DisableFlagsInUseLine: true,
		Short: "Show a canary with what it waits for and what happened",
		Args:  c.oneCanary,
	}
	a, o := apiFlags(cmd), outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		api, err := a.connect(c)
		if err != nil {
			return err
		}
		defer api.Close()
		k, err := api.Canary(cmd.Context(), args[0])
		if err != nil {
			return refused(fmt.Sprintf("unable to show the canary of '%s'", args[0]), err)
		}
		return c.show(*o, k, func(p *page) { p.canary(c.now(), k) })
	}
	return cmd
}

func (c *cli) canaryVerb(verb, short, done string) *cobra.Command {
	cmd := &cobra.Command{
		Use: verb + " [options] <service>", DisableFlagsInUseLine: true,
		Short: short,
		Args:  c.oneCanary,
	}
	a, o := apiFlags(cmd), outputFlag(cmd)
	reason := cmd.Flags().String("reason", "", "why, for the record")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(*reason) > client.MaxReason {
			return c.flagError(cmd, fmt.Errorf("reason has %d bytes, at most %d are kept", len(*reason), client.MaxReason))
		}
		api, err := a.connect(c)
		if err != nil {
			return err
		}
		defer api.Close()
		k, err := api.CommandCanary(cmd.Context(), args[0], verb, client.CanaryRequest{By: person(), Reason: *reason})
		what := fmt.Sprintf("unable to %s the canary of '%s'", verb, args[0])
		if e, ok := errors.AsType[*client.Error](err); ok && e.Status == http.StatusConflict {
			return fail(what, err, "Look at how it stands: patchbay canary show "+args[0])
		}
		if err != nil {
			return refused(what, err)
		}
		return c.show(*o, k, func(p *page) {
			p.line(0, "==> The canary of '%s' is %s at %s: %s", k.Service, k.Phase, split(k), done)
		})
	}
	return cmd
}

// canary tells all of one.
func (p *page) canary(now time.Time, k client.Canary) {
	p.line(0, "%s: %s, step %s, %s, since %s", k.Service, k.Phase, step(k), split(k), when(now, k.Since))
	if k.Last != nil {
		p.line(2, "judged %s ago: %s", ago(now, k.Last.At), k.Last.Result)
		for _, e := range k.Last.Evidence {
			p.line(4, "%s", e)
		}
	}
	if k.Failures > 0 {
		p.line(2, "%s failed in a row, %d roll back", count(k.Failures, "judgement"), k.Threshold)
	}
	for _, h := range k.Holds {
		p.line(2, "waits (%s): %s", h.Rule, strings.Join(h.Evidence, "; "))
		p.line(4, "until %s", h.Release)
	}
	p.blank()
	rows := [][]string{{"AT", "EVENT", "CANDIDATE", "BY", "BECAUSE"}}
	for _, e := range k.Events {
		rows = append(rows, []string{e.At.Local().Format(time.DateTime), string(e.Kind), percent(e.From) + " -> " + percent(e.To), e.By,
			clip(strings.Join(e.Evidence, "; "), maxValue)})
	}
	p.table(2, rows)
}

func step(k client.Canary) string { return fmt.Sprintf("%d of %d", k.Step, len(k.Steps)) }

// split tells the weights: "v1 95%, v2 5%".
func split(k client.Canary) string {
	var parts []string
	for _, name := range []string{k.Stable, k.Candidate} {
		parts = append(parts, name+" "+percent(k.Weights[name]))
	}
	return strings.Join(parts, ", ")
}

func percent(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) + "%" }

// waits tells in one line what a canary waits for.
func waits(k client.Canary) string {
	for _, h := range k.Holds {
		if len(h.Evidence) > 0 {
			return h.Evidence[0]
		}
	}
	return ""
}
