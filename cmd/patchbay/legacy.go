package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// isLegacy tells whether a program of this path answers as
// Consul-Terraform-Sync: with its commands, texts, logs and exit codes.
func isLegacy(program string) bool { return filepath.Base(program) == legacyName }

// What Consul-Terraform-Sync calls itself; this is the release that is followed.
const (
	legacyVersion    = "v0.9.0"
	legacyCompatible = ">= 0.13.0, <= 1.14.3"
)

// legacyBox warns of the form without command.
const legacyBox = `+---------------------------------------------------------------------+
| Usage of consul-terraform-sync without a subcommand is deprecated   |
| and will be removed: use 'consul-terraform-sync start' and the same |
| options.                                                            |
+---------------------------------------------------------------------+
`

// runLegacy is run under the name of Consul-Terraform-Sync.
func (c *cli) runLegacy(args []string) int {
	if line, ok := os.LookupEnv("COMP_LINE"); ok {
		return c.complete(line)
	}
	c.bare = len(args) == 0 || strings.HasPrefix(args[0], "-")
	root := c.legacyRoot()
	if c.bare && containsFlag(args, "v", "version") {
		return c.report(c.write(fmt.Sprintf("%s %s (%s)\nCompatible with Terraform %s\n",
			legacyName, legacyVersion, build().Commit, legacyCompatible)))
	}
	if containsFlag(args, "h", "help") {
		return c.report(c.write(c.usage(named(root, args))))
	}
	if c.bare {
		// A warning that cannot be written is none of the command's concern.
		_, _ = io.WriteString(c.stderr, legacyBox)
		args = append([]string{"start"}, args...)
	}
	root.SetArgs(normalise(root, args))
	return c.report(root.ExecuteContext(context.Background()))
}

// legacyRoot has the commands of Consul-Terraform-Sync and no other.
func (c *cli) legacyRoot() *cobra.Command {
	root := c.bareRoot()
	task := &cobra.Command{Use: "task", Args: cobra.ArbitraryArgs, RunE: c.unknownCommand}
	task.Flags().SetInterspersed(false)
	task.AddCommand(c.taskCreate(), c.taskEnable(), c.taskDisable(), c.taskDelete())
	for _, cmd := range task.Commands() {
		flagsFirst(cmd)
	}
	root.AddCommand(c.start(), task)
	return root
}

func (c *cli) write(text string) error {
	if _, err := io.WriteString(c.stdout, text); err != nil {
		return fail("unable to write the answer", err)
	}
	return nil
}

// containsFlag looks for a flag of one of the names among all arguments before --.
func containsFlag(args []string, names ...string) bool {
	for _, arg := range args {
		if arg == "--" {
			return false
		}
		name, ok := strings.CutPrefix(arg, "-")
		if ok && slices.Contains(names, strings.TrimPrefix(name, "-")) {
			return true
		}
	}
	return false
}

// named is the command that the first arguments name.
func named(root *cobra.Command, args []string) *cobra.Command {
	cmd := root
	for _, arg := range args {
		next := subcommand(cmd, arg)
		if next == nil {
			break
		}
		cmd = next
	}
	return cmd
}

// usage is a command's usage text.
func (c *cli) usage(cmd *cobra.Command) string {
	if !c.legacy {
		return cmd.UsageString()
	}
	return c.legacyUsage(cmd)
}
