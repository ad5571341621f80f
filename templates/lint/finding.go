package lint

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

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

// Findings gives all findings that no comment silences, in the order of place. A file
// that cannot be parsed is the only kind of finding then: the others would speak of
// what it lacks.
func (m *Module) Findings() []Finding {
	l := &linter{Module: m, found: slices.Clone(m.broken)}
	if len(l.found) == 0 {
		for _, rules := range []func(){l.contract, l.pins, l.sources, l.spreads, l.provisioners, l.restless, l.blocks} {
			rules()
		}
	}
	out := slices.DeleteFunc(l.found, m.allowed)
	slices.SortFunc(out, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.What, b.What))
	})
	return slices.Compact(out)
}

// linter collects findings.
type linter struct {
	*Module
	found []Finding
	seen  map[string]shape
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

func (m *Module) allowed(f Finding) bool {
	for _, line := range []int{f.Line, f.Line - 1} {
		if slices.Contains(m.allows[f.File][line], f.Rule) {
			return true
		}
	}
	return false
}

// allowances finds the comments that silence rules: line to rules.
func allowances(name string, content []byte) map[int][]string {
	out := map[int][]string{}
	tokens, _ := hclsyntax.LexConfig(content, name, hcl.InitialPos) // the parser tells what is wrong
	for _, t := range tokens {
		if t.Type != hclsyntax.TokenComment {
			continue
		}
		_, text, ok := strings.Cut(string(t.Bytes), allowance)
		if !ok {
			continue
		}
		rule, _, _ := strings.Cut(text, ":")
		out[t.Range.Start.Line] = append(out[t.Range.Start.Line], strings.TrimSpace(rule))
	}
	return out
}
