package main

import (
	"io"
	"regexp"
	"strings"

	"patchbay/templates/source"

	"github.com/spf13/cobra"
)

// shownModule is a module with what it declares.
type shownModule struct {
	listedModule
	Variables []source.Variable `json:"variables"`
	Outputs   []source.Output   `json:"outputs"`
}

func (c *cli) moduleShow() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show NAME",
		Short: "Show the variables and outputs of a shipped module, or its whole README",
		Args:  c.arguments(1, 1, "<name of a shipped module>"),
	}
	o := outputFlag(cmd)
	whole := cmd.Flags().Bool("readme", false, "write the module's README instead")
	completeShipped(cmd)
	cmd.RunE = func(_ *cobra.Command, args []string) error { return c.showModule(args[0], *whole, *o) }
	return cmd
}

func (c *cli) showModule(arg string, whole bool, o output) error {
	name, files, err := shipped(arg)
	if err != nil {
		return err
	}
	text := readme(files)
	if whole {
		if _, err := io.WriteString(c.stdout, printable(text, '\n', '\t')); err != nil {
			return fail("unable to write the answer", err)
		}
		return nil
	}
	m, err := parsed(name, files)
	if err != nil {
		return err
	}
	x := shownModule{listedModule{Name: name, About: firstSentence(text), Needs: m.Needs()}, m.Variables(), m.Outputs()}
	return c.show(o, x, func(p *page) { p.module(x) })
}

func (p *page) module(x shownModule) {
	p.line(0, "%s%s: %s", shippedPrefix, x.Name, x.About)
	p.line(2, "needs %s", needed(x.Needs))
	p.blank()
	p.line(0, "Variables:")
	for _, v := range x.Variables {
		standing := "required"
		if !v.Required {
			standing = "default " + oneLineOf(v.Default)
		}
		p.line(2, "%s: %s, %s", v.Name, oneLineOf(v.Type), standing)
		if v.Description != "" {
			p.line(6, "%s", v.Description)
		}
	}
	p.blank()
	p.line(0, "Outputs:")
	for _, v := range x.Outputs {
		p.line(2, "%s", v.Name)
		if v.Description != "" {
			p.line(6, "%s", v.Description)
		}
	}
}

// oneLineOf brings an expression of HCL on one line, as Terraform would read it.
func oneLineOf(expression string) string {
	if !strings.Contains(expression, "\n") {
		return expression
	}
	var out []string
	for line := range strings.Lines(expression) {
		line = strings.TrimSpace(line)
		if before, _, ok := strings.Cut(line, " #"); ok && !strings.Contains(line, `"`) {
			line = before
		}
		if line == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, "//") {
			continue
		}
		out = append(out, strings.Join(strings.Fields(line), " "))
	}
	text := strings.Join(out, "\n")
	text = openBracket.ReplaceAllString(text, "$1 ")
	text = closeBracket.ReplaceAllString(text, " $1")
	return strings.NewReplacer(",\n", ", ", "\n", ", ").Replace(text)
}

var (
	openBracket  = regexp.MustCompile(`([{\[(])\n`)
	closeBracket = regexp.MustCompile(`,?\n([}\])])`)
)
