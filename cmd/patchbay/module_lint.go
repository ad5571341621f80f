package main

import (
	"path/filepath"
	"slices"
	"strings"

	"patchbay/templates/lint"

	"github.com/spf13/cobra"
)

func (c *cli) moduleLint() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "lint DIR",
		Short: "Tell what in a module would fail, hang, leak or be slow",
		Long: "Tell what in a module would fail, hang, leak or be slow as the module of a task. Nothing of it\n" +
			"is run. DIR is the directory of the module, or builtin/NAME for a shipped one.",
		Args: c.arguments(1, 1, "<directory of a module>"),
	}
	o := outputFlag(cmd)
	errorsOnly := cmd.Flags().Bool("errors", false, "leave warnings out")
	cmd.RunE = func(_ *cobra.Command, args []string) error { return c.lintModule(args[0], *errorsOnly, *o) }
	return cmd
}

func (c *cli) lintModule(arg string, errorsOnly bool, o output) error {
	_, files, err := located(arg)
	if err != nil {
		return err
	}
	m, err := parsed(arg, files)
	if err != nil {
		return err
	}
	list := append([]lint.Finding{}, lint.Findings(m)...)
	if errorsOnly {
		list = slices.DeleteFunc(list, func(f lint.Finding) bool { return f.Severity != lint.Error })
	}
	value := struct {
		Module   string         `json:"module"`
		Findings []lint.Finding `json:"findings"`
		Errors   int            `json:"errors"`
		Warnings int            `json:"warnings"`
	}{Module: arg, Findings: list}
	for _, f := range list {
		if f.Severity == lint.Error {
			value.Errors++
		} else {
			value.Warnings++
		}
	}
	if err := c.show(o, value, func(p *page) { p.findingsOf(arg, list, value.Errors, value.Warnings) }); err != nil {
		return err
	}
	if len(list) > 0 {
		return &failure{code: exitFindings}
	}
	return nil
}

func (p *page) findingsOf(module string, list []lint.Finding, errors, warnings int) {
	if len(list) == 0 {
		p.line(0, "%s: no findings", module)
		return
	}
	for _, f := range list {
		place := f
		if !strings.HasPrefix(module, shippedPrefix) {
			place.File = filepath.Join(module, f.File)
		}
		p.line(0, "%s: %s: %s (%s)", place.Place(), f.Severity, f.What, f.Rule)
		p.line(4, "why: %s", f.Why)
		p.line(4, "do:  %s", f.Do)
	}
	p.blank()
	p.line(0, "%s: %s, %s", module, count(errors, "error"), count(warnings, "warning"))
}
