package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// normalise rewrites long flags with one dash to two: -config-file=x becomes
// --config-file=x. One letter, a letter with its value (-ojson), a flag's value
// and what follows -- stay as they are.
func normalise(root *cobra.Command, args []string) []string {
	out := make([]string, 0, len(args))
	cmd, value := root, false
	for n, arg := range args {
		switch {
		case value:
			value = false
		case arg == "--":
			return append(out, args[n:]...)
		case strings.HasPrefix(arg, "-") && len(arg) > 2:
			name, _, inline := strings.Cut(strings.TrimLeft(arg, "-"), "=")
			f := lookup(cmd, name)
			if !strings.HasPrefix(arg, "--") && (f != nil || !takesValue(shorthand(cmd, arg[:2]))) {
				arg = "-" + arg
			}
			value = takesValue(f) && !inline
		case strings.HasPrefix(arg, "-"):
			value = takesValue(shorthand(cmd, arg))
		default:
			next := subcommand(cmd, arg)
			if next == nil && cmd.Annotations[positions] == first {
				return append(out, args[n:]...)
			}
			if next != nil {
				cmd = next
			}
		}
		out = append(out, arg)
	}
	return out
}

// Of a command with this annotation nothing is a flag after the first argument
// that is none.
const (
	positions = "flags"
	first     = "first"
)

// flagsFirst lets nothing be a flag of a command after the first argument.
func flagsFirst(cmd *cobra.Command) {
	cmd.Flags().SetInterspersed(false)
	cmd.Annotations = map[string]string{positions: first}
}

// lookup finds a long flag of a command; help is one before cobra adds it, and
// version of every command, so that it is refused by its right name.
func lookup(cmd *cobra.Command, name string) *pflag.Flag {
	if name == "help" || name == "version" {
		return &pflag.Flag{Name: name, NoOptDefVal: "true"}
	}
	return cmd.Flags().Lookup(name)
}

func shorthand(cmd *cobra.Command, arg string) *pflag.Flag {
	if len(arg) != 2 {
		return nil
	}
	return cmd.Flags().ShorthandLookup(arg[1:])
}

// takesValue tells whether the argument after a flag is its value.
func takesValue(f *pflag.Flag) bool { return f != nil && f.NoOptDefVal == "" }

func subcommand(cmd *cobra.Command, name string) *cobra.Command {
	for _, c := range cmd.Commands() {
		if c.Name() == name {
			return c
		}
	}
	return nil
}
