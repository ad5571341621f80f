package config

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// tableRow is a row of a table of attributes in the reference.
type tableRow struct {
	line                             int
	section, name, standing, example string
}

// marker begins a table within a section.
var marker = regexp.MustCompile("^(?:`(consul\\.[a-z_.]+)`|An entry of `(required_providers)`)")

// tables reads the rows of all tables that have a column for examples.
func tables(t *testing.T, text string) (rows []tableRow) {
	t.Helper()
	section, columns := "", []string(nil)
	for n, line := range strings.Split(text, "\n") {
		if m := marker.FindStringSubmatch(line); m != nil {
			section = m[1] + m[2]
		}
		if strings.HasPrefix(line, "#") {
			section = strings.TrimLeft(line, "# ")
		}
		if !strings.HasPrefix(line, "|") {
			columns = nil
			continue
		}
		cells := strings.Split(strings.TrimSuffix(line[1:], "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if columns == nil {
			columns = cells
			continue
		}
		example, standing := slices.Index(columns, "example"), slices.Index(columns, "default")
		if strings.HasPrefix(line, "|---") || example < 0 {
			continue
		}
		if len(cells) < len(columns) {
			t.Errorf("line %d has %d cells of %d", n+1, len(cells), len(columns))
			continue
		}
		rows = append(rows, tableRow{n + 1, section, code(cells[0]), code(cells[standing]), code(cells[example])})
	}
	return rows
}

// code gives the text in the backquotes that a cell begins with; "" without.
func code(cell string) string {
	rest, ok := strings.CutPrefix(cell, "`")
	if !ok {
		return ""
	}
	text, _, _ := strings.Cut(rest, "`")
	return text
}

// around are the texts that make a valid file of a row of each section.
func around() map[string][2]string {
	const task = "task {\n name = \"t\"\n module = \"m/m/m\""
	condition := func(kind, line string) [2]string {
		return [2]string{task + "\n condition \"" + kind + "\" {\n " + line + "\n", "\n}\n}"}
	}
	one := func(open string) [2]string { return [2]string{open + "\n", "\n}"} }
	two := func(open string) [2]string { return [2]string{open + "\n", "\n}\n}"} }
	return map[string][2]string{
		"Top level": {"", ""}, "api": one("api {"), "tls": one("tls {\n enabled = false"), "syslog": one("syslog {\n enabled = false"),
		"history": one("history {"), "guard": one("guard {"), "buffer_period": one("buffer_period {"), "consul": one("consul {"),
		"consul.auth": two("consul {\n auth {\n enabled = false"), "consul.tls": two("consul {\n tls {\n enabled = false"),
		"consul.transport": two("consul {\n transport {"), "consul.service_registration": two("consul {\n service_registration {"),
		"consul.service_registration.default_check": {"consul {\n service_registration {\n default_check {\n", "\n}\n}\n}"},
		"vault": one("vault {\n enabled = false"), `driver "terraform"`: one(`driver "terraform" {`),
		"required_providers":          {"driver \"terraform\" {\n required_providers {\n x = {\n", "\n}\n}\n}"},
		`terraform_provider "<name>"`: one(`terraform_provider "p" {`), "task": one(task),
		`condition "services"`: condition("services", `names = ["a"]`), `condition "catalog-services"`: condition("catalog-services", `regexp = ""`),
		`condition "consul-kv"`: condition("consul-kv", `path = "a"`), `condition "nodes"`: condition("nodes", ""),
		`condition "schedule"`: condition("schedule", `cron = "@daily"`),
	}
}

// literal is a default that can be written as it stands.
var literal = regexp.MustCompile(`^(?:["0-9\[{][^<]*|true|false)$`)

// expected are problems of single rows that a whole file would not have: files that
// are not here, and what needs a second attribute.
var expected = regexp.MustCompile(`cannot read|key and cert are required|cannot both be configured|has no scheme|no terraform_provider block is|no module`)

func TestEveryRowOfTheReferenceIsTrue(t *testing.T) {
	text, err := os.ReadFile("../../tasks/README.md")
	if err != nil {
		t.Fatal(err)
	}
	load := func(row tableRow, line string) ([]string, error) {
		frame, ok := around()[row.section]
		if !ok {
			return nil, fmt.Errorf("no frame for section %q", row.section)
		}
		r := newReport()
		cfg := build([]source{{"a.hcl", []byte(frame[0] + line + frame[1] + "\n")}}, testOptions("/work", nil), r)
		for _, p := range r.problems {
			if !expected.MatchString(p.What) {
				return nil, errors.New(p.String())
			}
		}
		cfg.Warnings = nil
		for i := range cfg.Tasks {
			cfg.Tasks[i].OwnBuffer = false
		}
		return dump(t, cfg, true), nil
	}
	examples, defaults := 0, 0
	for _, row := range tables(t, string(text)) {
		if row.example != "" {
			examples++
			if _, err := load(row, row.example); err != nil {
				t.Errorf("line %d, example %s: %v", row.line, row.example, err)
			}
		}
		if !literal.MatchString(row.standing) {
			continue
		}
		defaults++
		without, err := load(row, "")
		if err != nil {
			t.Errorf("line %d: %v", row.line, err)
		}
		with, err := load(row, row.name+" = "+row.standing)
		if err != nil || !slices.Equal(without, with) {
			t.Errorf("line %d: %s is not the default of %s: %v", row.line, row.standing, row.name, err)
		}
	}
	if examples < 70 || defaults < 40 {
		t.Errorf("%d examples, %d defaults", examples, defaults)
	}
}
