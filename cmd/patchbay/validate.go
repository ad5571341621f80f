package main

import (
	"errors"
	"fmt"
	"strings"

	"patchbay/agent/config"

	"github.com/spf13/cobra"
)

func (c *cli) validate() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "validate",
		Short: "Read the configuration and tell every problem",
		Args:  c.noArguments,
	}
	list, o := configFlags(cmd.Flags()), outputFlag(cmd)
	cmd.RunE = func(*cobra.Command, []string) error { return c.check(*list, *o) }
	return cmd
}

// validated is what validate -o json writes.
type validated struct {
	Valid    bool      `json:"valid"`
	Problems []problem `json:"problems"`
	Warnings []string  `json:"warnings"`
	Tasks    []string  `json:"tasks"`
}

// problem is one mistake; line and column are 0 when it concerns a whole file.
type problem struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	What   string `json:"what"`
	Do     string `json:"do,omitempty"`
}

func (p problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	b.WriteString(p.What)
	if p.Do != "" {
		b.WriteString(": " + p.Do)
	}
	return b.String()
}

// problems takes an error of the configuration apart.
func problems(err error) []problem {
	e, ok := errors.AsType[*config.Error](err)
	if !ok {
		return []problem{{What: err.Error()}}
	}
	out := make([]problem, 0, len(e.Problems))
	for _, x := range e.Problems {
		out = append(out, problem{File: x.File, Line: x.Line, Column: x.Column, What: x.What, Do: x.Do})
	}
	return out
}

func (c *cli) check(paths []string, o output) error {
	if len(paths) == 0 {
		return c.misuse("validate", "unable to validate", "no config file provided")
	}
	cfg, err := c.daemon.load(paths)
	v := validated{Valid: err == nil, Problems: []problem{}, Warnings: append([]string{}, cfg.Warnings...), Tasks: []string{}}
	for _, t := range cfg.Tasks {
		v.Tasks = append(v.Tasks, t.Name)
	}
	if err != nil {
		v.Problems = problems(err)
		if o != asJSON {
			return badConfig("the configuration is not valid", err)
		}
	}
	if err := c.show(o, v, func(p *page) {
		p.line(0, "The configuration is valid: %s.", count(len(v.Tasks), "task"))
		for _, w := range v.Warnings {
			p.line(0, "Warning: %s", w)
		}
	}); err != nil {
		return err
	}
	if !v.Valid {
		return &failure{code: exitConfig}
	}
	return nil
}
