package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"patchbay/agent/client"

	"github.com/spf13/cobra"
)

func (c *cli) xdsStatus() *cobra.Command {
	cmd := &cobra.Command{
		Use: "status [options]", DisableFlagsInUseLine: true,
		Short: "List the connected Envoys with what they have, and the services they are given",
		Args:  c.noArguments,
	}
	a, o := apiFlags(cmd), outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return c.showXDS(cmd.Context(), a, *o) }
	return cmd
}

func (c *cli) showXDS(ctx context.Context, a *api, o output) error {
	api, err := a.connect(c)
	if err != nil {
		return err
	}
	defer api.Close()
	state, err := api.XDS(ctx)
	if err != nil {
		return refused("unable to read how Envoys are served", err)
	}
	return c.show(o, state, func(p *page) {
		if len(state.Clients) == 0 {
			p.line(0, "no Envoy is connected")
		} else {
			p.table(0, clientRows(state.Clients))
		}
		for _, x := range state.Clients {
			refusals(p, x)
		}
		p.line(0, "")
		rows := [][]string{{"SERVICE", "HEALTHY", "ENDPOINTS", "NOTE"}}
		for _, t := range state.Targets {
			rows = append(rows, []string{t.Name, fmt.Sprint(t.Healthy), fmt.Sprint(t.Total), targetNote(t)})
		}
		p.table(0, rows)
	})
}

func clientRows(list []client.XDSClient) [][]string {
	rows := [][]string{{"NODE", "ROLE", "AGENT", "FROM", "CDS", "EDS", "SDS", "LDS", "RDS", "LAG"}}
	for _, x := range list {
		row, lag := []string{x.Node, x.Role, x.Agent, x.Address}, 0.0
		for _, name := range []string{"CDS", "EDS", "SDS", "LDS", "RDS"} {
			cell := "-"
			for _, t := range x.Types {
				if t.Type == name {
					cell = typeCell(t)
					lag = max(lag, t.LagMS)
				}
			}
			row = append(row, cell)
		}
		rows = append(rows, append(row, (time.Duration(lag*float64(time.Millisecond))).Round(time.Millisecond).String()))
	}
	return rows
}

// typeCell tells what a client has of a type: all it asked for, a part, or that it
// refused the newest.
func typeCell(t client.XDSType) string {
	switch {
	case t.Rejected != "":
		return "REFUSED"
	case t.Pending > 0:
		return fmt.Sprintf("%d of %d", t.Subscribed-t.Pending, t.Subscribed)
	}
	return fmt.Sprint(t.Subscribed)
}

func refusals(p *page, x client.XDSClient) {
	for _, t := range x.Types {
		if t.Rejected != "" {
			p.line(0, "%s refused %s %s: %s", x.Node, t.Type, t.Rejected, firstLine(t.Reason))
		}
	}
}

func targetNote(t client.XDSTarget) string {
	var notes []string
	switch {
	case t.Version == "":
		notes = append(notes, "Consul has not answered for it yet")
	case t.Held != "":
		notes = append(notes, "held: "+t.Held)
	}
	if t.Rules != "" {
		notes = append(notes, t.Rules)
	}
	if len(t.Omitted) > 0 {
		notes = append(notes, fmt.Sprintf("%d left out: %s, as %s", len(t.Omitted), t.Omitted[0].Instance, t.Omitted[0].Why))
	}
	return strings.Join(notes, "; ")
}

func (c *cli) xdsShow() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show [options] <node>", DisableFlagsInUseLine: true,
		Short: "Show what one Envoy has, resource by resource",
		Args:  cobra.ArbitraryArgs,
	}
	a, o := apiFlags(cmd), outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return c.misuse("xds show", "this command requires one argument: [options] <node>")
		}
		return c.showXDSNode(cmd.Context(), a, *o, args[0])
	}
	return cmd
}

func (c *cli) showXDSNode(ctx context.Context, a *api, o output, node string) error {
	api, err := a.connect(c)
	if err != nil {
		return err
	}
	defer api.Close()
	list, err := api.XDSClients(ctx, node)
	if err != nil {
		return refused(fmt.Sprintf("unable to show '%s'", node), err)
	}
	value := struct {
		Clients []client.XDSClient `json:"clients"`
	}{list}
	return c.show(o, value, func(p *page) {
		for _, x := range list {
			p.line(0, "%s: %s, %s, from %s", x.Node, x.Role, x.Agent, x.Address)
			refusals(p, x)
			rows := [][]string{{"TYPE", "RESOURCE", "ACCEPTED VERSION"}}
			for _, t := range x.Types {
				for _, name := range slices.Sorted(maps.Keys(t.Resources)) {
					rows = append(rows, []string{t.Type, name, t.Resources[name]})
				}
			}
			p.table(2, rows)
		}
	})
}
