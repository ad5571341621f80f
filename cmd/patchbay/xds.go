package main

import "github.com/spf13/cobra"

// xds is the group of commands on Envoys.
func (c *cli) xds() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "xds",
		Short: "Start Envoys and look at what they have",
		Args:  cobra.ArbitraryArgs,
		RunE:  c.unknownCommand,
	}
	cmd.Flags().SetInterspersed(false)
	cmd.AddCommand(c.xdsBootstrap(), c.xdsStatus(), c.xdsShow())
	return cmd
}
