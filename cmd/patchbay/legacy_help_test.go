package main

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// legacyTree are all commands of the old name, with and without the form that has no
// command.
func legacyTree(bare bool) (out []*cobra.Command) {
	c := &cli{legacy: true, bare: bare}
	root := c.legacyRoot()
	out = append(out, root)
	for n := 0; n < len(out); n++ {
		out = append(out, out[n].Commands()...)
	}
	return out
}

func TestEveryCommandAndOptionOfTheOldNameIsDescribed(t *testing.T) {
	used := map[string]bool{}
	for _, bare := range []bool{false, true} {
		for _, cmd := range legacyTree(bare) {
			if cmd.HasParent() && legacyCommands[cmd.Name()] == "" {
				t.Errorf("%s is not described", cmd.CommandPath())
			}
			cmd.Flags().VisitAll(func(f *pflag.Flag) {
				if used[f.Name] = true; !f.Hidden && legacyOptions[f.Name].text == "" {
					t.Errorf("%s -%s is not described", cmd.CommandPath(), f.Name)
				}
				if f.Value.Type() == "bool" && legacyOptions[f.Name].byDefault != f.DefValue {
					t.Errorf("-%s is told to be %q by default, it is %q", f.Name, legacyOptions[f.Name].byDefault, f.DefValue)
				}
			})
		}
	}
	for name := range legacyOptions {
		if !used[name] {
			t.Errorf("-%s is described and no option", name)
		}
	}
}

func TestTheHelpOfTheOldNameFitsATerminal(t *testing.T) {
	for _, cmd := range legacyTree(true) {
		text := (&cli{legacy: true}).legacyUsage(cmd)
		for line := range strings.Lines(text) {
			if line = strings.TrimSuffix(line, "\n"); utf8.RuneCountInString(line) > 100 || strings.HasSuffix(line, " ") {
				t.Errorf("%s: %q", cmd.CommandPath(), line)
			}
		}
		if !strings.HasPrefix(text, "Usage") || !strings.Contains(text, "[-help] [options]") {
			t.Errorf("%s begins otherwise:\n%s", cmd.CommandPath(), text)
		}
	}
}
