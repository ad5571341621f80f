package config

import (
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// meshFrames are the texts that make a file of a row of each table of
// xds/README.md.
func meshFrames() map[string][2]string {
	const web = "routes \"web\" {\n subset \"v1\" {\n filter = \"Service.Port == 1\"\n }\n subset \"v2\" {}\n"
	frame := func(open ...string) [2]string {
		return [2]string{strings.Join(open, " {\n") + " {\n", strings.Repeat("\n}", len(open))}
	}
	service := func(open ...string) [2]string {
		f := frame(open...)
		return [2]string{web + f[0], f[1] + "\n}"}
	}
	route := func(block string) [2]string { return service(`route "a"`, block) }
	match := func(block string) [2]string { return service(`route "a"`, "match", block) }
	canary := func(block string) [2]string {
		return [2]string{web + "}\ncanary \"web\" {\n" + block + " {\n", "\n}\n}"}
	}
	return map[string][2]string{
		"xds": frame("xds"), "routes": {web, "}"}, "subset": frame(`routes "web"`, `subset "v1"`), "to": service("to"),
		"route": service(`route "a"`), "match": route("match"), "header, query, cookie": match(`header "x"`), "redirect": route("redirect"),
		"respond": route("respond"), "retry": route("retry"), "mirror": route("mirror"), "fault": route("fault"), "rewrite": route("rewrite"),
		"rate_limit": route("rate_limit"), "request_headers, response_headers": route("request_headers"),
		"load_balancer": service("load_balancer"), "hash": service(`route "a"`, "hash"), "outlier_detection": service("outlier_detection"),
		"circuit_breaker": service("circuit_breaker"), "sticky": service("sticky"), "sidecar": frame(`sidecar "web"`),
		"listen": frame(`sidecar "web"`, "listen"), "upstream": frame(`sidecar "web"`, `upstream "api"`), "gateway": frame(`gateway "edge"`),
		"listener": frame(`gateway "edge"`, "listener"), "service": frame(`gateway "edge"`, "listener", `service "web"`),
		"observe": frame("observe"), "tracing": frame("observe", "tracing"), "canary": {web + "}\ncanary \"web\" {\n", "\n}"},
		"step": canary("step"), "metric": canary(`metric "m"`), "match of a canary": canary("match"),
	}
}

// lonely are problems of single rows that a whole file would not have.
var lonely = regexp.MustCompile(`are required|least_request alone|for ring_hash alone|exactly one thing|the cookie has no name|it disturbs nothing|` +
	`it changes nothing|no regex whose matches|same address|nothing is let through|less than requests|needs a port|port is not said|has nothing to do|` +
	`has no subset|has no listener|leads to no service|tracing has no address|is no name of a subset|there is no step|neither min nor max|query is empty|` +
	`no server is named|nothing ejects|has 0 conditions|a step of 0%|asked for a value and for|has 0 groups|add up to`)

func meshRows(t *testing.T) (rows []tableRow, text string) {
	t.Helper()
	data, err := os.ReadFile("../../xds/README.md")
	if err != nil {
		t.Fatal(err)
	}
	rows = slices.DeleteFunc(tables(t, string(data)), func(r tableRow) bool { _, ok := meshFrames()[r.section]; return !ok })
	return rows, string(data)
}

func loadRow(t *testing.T, row tableRow, line string) ([]string, error) {
	t.Helper()
	frame, r := meshFrames()[row.section], newReport()
	cfg := build([]source{{"a.hcl", []byte(frame[0] + line + frame[1] + "\n")}}, testOptions("/work", nil), r)
	for _, p := range r.problems {
		if !lonely.MatchString(p.What) {
			return nil, errors.New(p.String())
		}
	}
	cfg.Warnings = nil
	return dump(t, cfg, true), nil
}

func TestEveryRowOfTheMeshReferenceIsTrue(t *testing.T) {
	rows, _ := meshRows(t)
	examples, defaults := 0, 0
	for _, row := range rows {
		without, err := loadRow(t, row, "")
		if err != nil {
			t.Errorf("line %d: %v", row.line, err)
		}
		if row.example != "" {
			examples++
			with, err := loadRow(t, row, row.example)
			if err != nil {
				t.Errorf("line %d, example %s: %v", row.line, row.example, err)
			}
			if slices.Equal(without, with) && !strings.Contains(row.example, "present = true") && row.name != "tls" {
				t.Errorf("line %d: example %s changes nothing", row.line, row.example)
			}
		}
		if !literal.MatchString(row.standing) {
			continue
		}
		defaults++
		if with, err := loadRow(t, row, row.name+" = "+row.standing); err != nil || !slices.Equal(without, with) {
			t.Errorf("line %d: %s is not the default of %s: %v", row.line, row.standing, row.name, err)
		}
	}
	if examples < 100 || defaults < 25 {
		t.Errorf("%d examples, %d defaults", examples, defaults)
	}
}

func TestTheMeshReferenceHasARowForEveryAttribute(t *testing.T) {
	rows, _ := meshRows(t)
	blocks := map[string]bool{}
	written := map[string]map[string]bool{}
	for _, row := range rows {
		if written[row.section] == nil {
			written[row.section] = map[string]bool{}
		}
		name, _, _ := strings.Cut(row.name, " ")
		written[row.section][name] = true
	}
	for section := range meshFrames() {
		r := newReport()
		frame := meshFrames()[section]
		build([]source{{"a.hcl", []byte(frame[0] + "zzzzzzzz = 1\n" + frame[1] + "\n")}}, testOptions("/work", nil), r)
		for _, p := range r.problems {
			list, ok := strings.CutPrefix(p.Do, "known here are ")
			if !ok {
				continue
			}
			blocks[section] = true
			names := strings.Split(list, ", ")
			for _, name := range names {
				if !written[section][name] {
					t.Errorf("the table of %s has no row for %s", section, name)
				}
				delete(written[section], name)
			}
		}
		for name := range written[section] {
			t.Errorf("the table of %s has a row for %s, which is not known", section, name)
		}
	}
	if len(blocks) != len(meshFrames()) {
		t.Errorf("%d of %d blocks refuse an unknown name", len(blocks), len(meshFrames()))
	}
}

func TestTheBlocksOfTheMeshReferenceAreValid(t *testing.T) {
	_, text := meshRows(t)
	blocks := regexp.MustCompile("(?s)```(hcl|json)\n(.*?)```").FindAllStringSubmatch(text, -1)
	if len(blocks) < 2 {
		t.Fatalf("%d blocks", len(blocks))
	}
	for _, b := range blocks {
		r := newReport()
		build([]source{{"block." + b[1], []byte(b[2])}}, testOptions(t.TempDir(), nil), r)
		if err := r.err(); err != nil {
			t.Errorf("%v in\n%s", err, b[2])
		}
	}
}
