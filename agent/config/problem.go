package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Position is where something stands in the files. Line and Column count from 1,
// columns in characters; both are 0 for what concerns a whole file, a path or an
// environment variable, which File then names.
type Position struct {
	File         string
	Line, Column int

	// order is the file's place among all files read, for sorting.
	order int
	// nested is the file's name when it was read on behalf of another.
	nested string
}

// String gives file:line:column, or the file alone.
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// line gives file:line.
func (p Position) line() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// Problem is one mistake: where it is, what is wrong and what to do.
type Problem struct {
	Position
	What, Do string
}

// String gives the problem in one line.
func (p Problem) String() string {
	s := p.Position.String() + ": " + p.What
	if p.Do != "" {
		s += ": " + p.Do
	}
	return s
}

// Error is every mistake in a configuration, in the order of the files. It holds
// no secret.
type Error struct{ Problems []Problem }

// Error lists all problems, one per line.
func (e *Error) Error() string {
	if len(e.Problems) == 1 {
		return "read configuration: " + e.Problems[0].String()
	}
	lines := []string{fmt.Sprintf("read configuration: %d mistakes, nothing was started", len(e.Problems))}
	for _, p := range e.Problems {
		lines = append(lines, "  "+p.String())
	}
	return strings.Join(lines, "\n")
}

// report gathers what is wrong or doubtful while a configuration is read.
type report struct {
	problems []Problem
	warnings []Problem
	// broken are the files, by order, of which a part could not be read.
	broken map[int]bool
}

func newReport() *report { return &report{broken: map[int]bool{}} }

func (r *report) problem(at Position, do, format string, args ...any) {
	r.problems = append(r.problems, Problem{at, fmt.Sprintf(format, args...), do})
}

// missing reports that something is not there, unless it may stand in the part of
// the file that could not be read.
func (r *report) missing(at Position, do, format string, args ...any) {
	if !r.broken[at.order] {
		r.problem(at, do, format, args...)
	}
}

func (r *report) warn(at Position, format string, args ...any) {
	r.warnings = append(r.warnings, Problem{Position: at, What: fmt.Sprintf(format, args...)})
}

// err is nil when there is no problem.
func (r *report) err() error {
	if len(r.problems) == 0 {
		return nil
	}
	return &Error{Problems: sorted(r.problems)}
}

func (r *report) notes() (out []string) {
	for _, w := range sorted(r.warnings) {
		out = append(out, w.String())
	}
	return out
}

func sorted(list []Problem) []Problem {
	slices.SortStableFunc(list, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(a.nested, b.nested), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.Compact(list)
}
