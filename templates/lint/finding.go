package lint

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"patchbay/templates/source"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Severity tells how bad a finding is.
type Severity string

// The severities. An Error fails a run or does harm; a Warning costs time, or
// safety under conditions.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Finding is one thing that is wrong with a module.
type Finding struct {
	Severity Severity `json:"severity"`
	// Rule is the name by which a comment silences it.
	Rule string `json:"rule"`
	// File is relative to the module; Line and Column count from 1 and are 0 when the
	// finding concerns the whole module.
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	// What was found, Why it matters and what to Do, each one sentence or more.
	What string `json:"what"`
	Why  string `json:"why"`
	Do   string `json:"do"`
}

// Place gives file:line:column, the file alone for the whole module.
func (f Finding) Place() string {
	if f.Line == 0 {
		return f.File
	}
	return fmt.Sprintf("%s:%d:%d", f.File, f.Line, f.Column)
}

// String gives the place, then what, why and what to do.
func (f Finding) String() string {
	return fmt.Sprintf("%s: %s: %s; %s; %s", f.Place(), f.Severity, f.What, f.Why, f.Do)
}

// allowance begins a comment that silences a rule in its line and the next one:
//
//	# patchbay:allow per-instance: the device has no lists
const allowance = "patchbay:allow "

// Findings judges a module: all findings that no comment silences, in the order of
// place. What cannot be parsed is the only kind of finding of a module that has it: the
// others would speak of what is missing there.
func Findings(m *source.Module) []Finding {
	l := &linter{Module: m, seen: map[string]shape{}}
	for _, p := range m.Problems() {
		l.add(p.At, advice{Error, "syntax", "Terraform refuses the module", "correct the line" + given(": ", p.Detail)}, "the file cannot be parsed: %s", p.What)
	}
	out := l.found
	if len(out) == 0 {
		for _, rules := range []func(){l.contract, l.pins, l.sources, l.spreads, l.provisioners, l.restless, l.blocks} {
			rules()
		}
		out = slices.DeleteFunc(l.found, l.allowances())
	}
	slices.SortFunc(out, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.What, b.What))
	})
	return slices.Compact(out)
}

func given(before, text string) string {
	if text == "" {
		return ""
	}
	return before + text
}

// linter collects findings.
type linter struct {
	*source.Module
	found []Finding
	// seen are the shapes of local values.
	seen map[string]shape
}

// advice is what a rule says of itself.
type advice struct {
	severity      Severity
	rule, why, do string
}

func (l *linter) add(at hcl.Range, a advice, format string, args ...any) {
	l.found = append(l.found, Finding{Severity: a.severity, Rule: a.rule, File: at.Filename, Line: at.Start.Line, Column: at.Start.Column,
		What: fmt.Sprintf(format, args...), Why: a.why, Do: a.do})
}

// allowances tells which findings a comment silences.
func (l *linter) allowances() func(Finding) bool {
	type line struct {
		file string
		n    int
	}
	rules := map[line][]string{}
	for _, name := range l.Names() {
		if path.Ext(name) == ".json" { // which has no comments
			continue
		}
		content, err := l.File(name)
		if err != nil {
			continue // it was read before, so this cannot be
		}
		tokens, _ := hclsyntax.LexConfig(content, name, hcl.InitialPos) // the parser tells what is wrong
		for _, t := range tokens {
			_, text, ok := strings.Cut(string(t.Bytes), allowance)
			if !ok || t.Type != hclsyntax.TokenComment {
				continue
			}
			rule, _, _ := strings.Cut(text, ":")
			at := line{name, t.Range.Start.Line}
			rules[at] = append(rules[at], strings.TrimSpace(rule))
		}
	}
	return func(f Finding) bool {
		return slices.Contains(rules[line{f.File, f.Line}], f.Rule) || slices.Contains(rules[line{f.File, f.Line - 1}], f.Rule)
	}
}
