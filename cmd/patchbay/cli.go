package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// cli is one call of the program.
type cli struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	daemon         daemon
	now            func() time.Time
	// legacy is true when the program was started as consul-terraform-sync.
	legacy bool
	// program is the path or name that it was started by.
	program string
	// terminal is true when stdout is one.
	terminal bool
	// args are the arguments as given.
	args []string
	// bare is true for the form without command under the legacy name.
	bare bool
}

// run parses the arguments, runs the command and gives the exit code.
func (c *cli) run(args []string) int {
	c.args = args
	if c.legacy {
		return c.runLegacy(args)
	}
	root := c.root()
	if len(args) == 0 {
		_, err := io.WriteString(c.stdout, root.UsageString())
		if err != nil {
			return c.report(fail("unable to write usage", err))
		}
		return exitArgument
	}
	if startsWithoutCommand(args[0]) {
		fmt.Fprint(c.stderr, deprecatedStart)
		args = append([]string{"start"}, args...)
	}
	root.SetArgs(normalise(root, args))
	return c.report(root.ExecuteContext(context.Background()))
}

const deprecatedStart = `+----------------------------------------------------------------+
| Usage of patchbay without a subcommand is deprecated:          |
| it started the daemon; write patchbay start and the same flags |
+----------------------------------------------------------------+
`

// startsWithoutCommand tells whether the first argument is a flag of start, as
// Consul-Terraform-Sync still allows it.
func startsWithoutCommand(arg string) bool {
	switch strings.TrimLeft(arg, "-") {
	case "h", "help", "v", "version", "":
		return false
	}
	return strings.HasPrefix(arg, "-")
}

func (c *cli) root() *cobra.Command {
	root := c.bareRoot()
	root.Version = version()
	root.SetVersionTemplate("{{.Version}}")
	root.AddCommand(c.start(), c.reload(), c.status(), c.task(), c.validate(), c.compare(), c.module(), c.canary(), c.xds(), c.completion(), c.versionCommand())
	return root
}

// bareRoot is the program without its commands.
func (c *cli) bareRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   c.name(),
		Short: "Keep load balancers and firewalls as Consul wants them",
		Args:  cobra.ArbitraryArgs,
		RunE:  c.unknownCommand,

		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.SetOut(c.stdout)
	root.SetErr(c.stderr)
	root.SetFlagErrorFunc(c.flagError)
	root.Flags().SetInterspersed(false)
	return root
}

// unknownCommand is what a group of commands does with an argument that names none.
func (c *cli) unknownCommand(cmd *cobra.Command, args []string) error {
	if _, err := io.WriteString(c.stderr, printable(c.usage(cmd), '\n')); err != nil {
		return fail("unable to write usage", err)
	}
	f := &failure{code: exitNoSubcommand}
	if len(args) > 0 {
		f.code = exitUnknownCommand
		if !c.legacy {
			f.what = fmt.Sprintf("unknown command %q for %q", args[0], cmd.CommandPath())
		}
	}
	return f
}

// flagError turns cobra's complaint about a flag into one with usage.
func (c *cli) flagError(cmd *cobra.Command, err error) error {
	f := &failure{code: exitFlag, what: fmt.Sprintf("unsupported arguments in flags '%s'", err), details: []string{c.usage(cmd)}}
	if c.legacy {
		given := c.args
		for len(given) > 0 && !strings.HasPrefix(given[0], "-") {
			given = given[1:]
		}
		f.what = fmt.Sprintf("unsupported arguments in flags '%s'", strings.Join(given, ", "))
		f.details = []string{"Please see --help information below for supported options:\n\n" + c.usage(cmd)}
	}
	return f
}

// oneTask takes exactly one task name; anything else is a misuse.
func (c *cli) oneTask(cmd *cobra.Command, args []string) error {
	if len(args) == 1 {
		return nil
	}
	_, command, _ := strings.Cut(cmd.CommandPath(), " ")
	details := []string{"No arguments were passed to the command"}
	if len(args) > 0 {
		details[0] = fmt.Sprintf("%d arguments were passed to the command: '%s'", len(args), strings.Join(args, ", "))
		if c.legacy {
			details = append(details, "All flags are required to appear before positional arguments if set\n")
		}
	}
	return c.misuse(command, "this command requires one argument: [options] <task name>", details...)
}

func (c *cli) noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	_, command, _ := strings.Cut(cmd.CommandPath(), " ")
	return c.misuse(command, fmt.Sprintf("this command takes no argument: '%s'", strings.Join(args, ", ")))
}

// output is the value of -o.
type output string

const (
	table  output = "table"
	asJSON output = "json"
)

func (o *output) String() string { return string(*o) }
func (o *output) Type() string   { return "table|json" }

func (o *output) Set(v string) error {
	if v != string(table) && v != string(asJSON) {
		return errors.New("want table or json")
	}
	*o = output(v)
	return nil
}

// outputFlag adds -o to a command.
func outputFlag(cmd *cobra.Command) *output {
	o := table
	cmd.Flags().VarP(&o, "output", "o", "how to write: table or json")
	return &o
}

// show writes an answer: value as JSON, or what text makes of it.
func (c *cli) show(o output, value any, text func(*page)) error {
	var out string
	if o == asJSON {
		var err error
		if out, err = jsonText(value); err != nil {
			return fail("unable to write the answer", err)
		}
	} else {
		var p page
		text(&p)
		out = p.String()
	}
	if _, err := io.WriteString(c.stdout, out); err != nil {
		return fail("unable to write the answer", err)
	}
	return nil
}
