package main

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// counts are the numbers of instances that a module is measured with.
var counts = []int{1, 100, 1000}

// figure is what one benchmark reported.
type figure struct {
	seconds float64
	// effort is such as "2 calls", what one change cost the device; "" if not counted.
	effort string
}

// figures are those of all modules: module, instances.
type figures map[string]map[int]figure

// benchmark is a line that a benchmark ends with, such as
// BenchmarkModule/nginx/100-2  3  61000000 ns/op  1.000 reloads/change.
var benchmark = regexp.MustCompile(`^BenchmarkModule/([a-z0-9-]+)/(\d+?)(?:-\d+)?\s+\d+\s+([0-9.]+) ns/op(.*)$`)

// perChange is a metric of the kind that the modules report.
var perChange = regexp.MustCompile(`([0-9.e+]+) ([a-z]+)/change`)

// read collects the figures of the output of go test, and passes it on.
func read(from io.Reader, pass io.Writer) (figures, error) {
	out := figures{}
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		if _, err := fmt.Fprintln(pass, lines.Text()); err != nil {
			return nil, err
		}
		m := benchmark.FindStringSubmatch(strings.TrimSpace(lines.Text()))
		if m == nil {
			continue
		}
		count, err := strconv.Atoi(m[2])
		if err != nil {
			return nil, fmt.Errorf("read number of instances: %w", err)
		}
		nanoseconds, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			return nil, fmt.Errorf("read time: %w", err)
		}
		if out[m[1]] == nil {
			out[m[1]] = map[int]figure{}
		}
		out[m[1]][count] = figure{seconds: nanoseconds / 1e9, effort: effort(m[4])}
	}
	return out, lines.Err()
}

func effort(metrics string) string {
	m := perChange.FindStringSubmatch(metrics)
	if m == nil {
		return ""
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return ""
	}
	what := m[2]
	if n == 1 {
		what = strings.TrimSuffix(what, "s")
	}
	return strconv.FormatFloat(n, 'g', 3, 64) + " " + what
}

// table lays the figures out. What was not measured is –.
func (f figures) table() string {
	var b strings.Builder
	b.WriteString("| module | one change on the device | 1 instance | 100 | 1,000 |\n|---|---|---|---|---|\n")
	for _, module := range slices.Sorted(maps.Keys(f)) {
		fmt.Fprintf(&b, "| %s | %s |", module, f.effort(module))
		for _, count := range counts {
			cell := "–"
			if x, ok := f[module][count]; ok {
				cell = fmt.Sprintf("%.2f s", x.seconds)
			}
			fmt.Fprintf(&b, " %s |", cell)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// effort gives what a change costs, once when it is the same for all sizes.
func (f figures) effort(module string) string {
	var list []string
	for _, count := range counts {
		if x, ok := f[module][count]; ok && x.effort != "" {
			list = append(list, x.effort)
		}
	}
	switch list = slices.Compact(list); len(list) {
	case 0:
		return "–"
	default:
		return strings.Join(list, ", ")
	}
}

// missing names the modules that have no figure.
func (f figures) missing(modules []string) (out []string) {
	for _, name := range modules {
		if len(f[name]) == 0 {
			out = append(out, name)
		}
	}
	return out
}
