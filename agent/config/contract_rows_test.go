package config

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// contractCases are all cases by the section of testdata/reference/rows.txt.
func contractCases() map[string]map[string]row {
	return map[string]map[string]row{
		"top level": with(topLevelRows(), topLevelMoreRows()), "consul": with(consulRows(), consulMoreRows()),
		"vault": with(vaultRows(), vaultMoreRows()), "driver and task": with(driverAndTaskRows(), driverAndTaskMoreRows()),
		"conditions and inputs": with(conditionRows(), conditionMoreRows()), "terraform_provider": providerRows(),
		"deprecated names": with(deprecatedRows(), deprecatedMoreRows()), "reading": readingRows(),
		"the older dialect": dialectRows(), "JSON": jsonRows(), "buffers": bufferRows(),
	}
}

// covered tells whether a case is named for a row, alone or with more words.
func covered(cases map[string]row, name string) bool {
	for key, c := range cases {
		if (key == name || strings.HasPrefix(key, name+" ")) && c.want != "" && c.told != "" {
			return true
		}
	}
	return false
}

func TestEveryRowOfTheContractHasACase(t *testing.T) {
	text, err := os.ReadFile("testdata/reference/rows.txt")
	if err != nil {
		t.Fatal(err)
	}
	cases, section, rows := contractCases(), "", 0
	seen := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "["):
			section = strings.Trim(line, "[]")
			seen[section] = true
		default:
			rows++
			if !covered(cases[section], line) {
				t.Errorf("%s: %s has no case with a right and a wrong value", section, line)
			}
		}
	}
	if want := slices.Sorted(maps.Keys(cases)); !slices.Equal(want, slices.Sorted(maps.Keys(seen))) || rows < 200 {
		t.Errorf("%d rows in sections %v, want %v", rows, slices.Sorted(maps.Keys(seen)), want)
	}
}

// inContract tells where the rows of a table of tasks/README.md have their cases:
// the section and what stands before the name. Tables that are not here are
// Patchbay's own or of one name, which the table's own test covers.
func inContract() map[string][2]string {
	return map[string][2]string{
		"tls": {"top level", "tls "}, "syslog": {"top level", "syslog "}, "buffer_period": {"top level", "buffer_period "},
		"consul": {"consul", ""}, "consul.auth": {"consul", "auth "}, "consul.tls": {"consul", "tls "}, "consul.transport": {"consul", "transport "},
		"consul.service_registration":               {"consul", "service_registration "},
		"consul.service_registration.default_check": {"consul", "service_registration default_check "},
		"vault": {"vault", ""}, `driver "terraform"`: {"driver and task", ""}, "task": {"driver and task", "task "},
		`terraform_provider "<name>"`: {"terraform_provider", ""}, `condition "services"`: {"conditions and inputs", "services "},
		`condition "catalog-services"`: {"conditions and inputs", "catalog-services "}, `condition "consul-kv"`: {"conditions and inputs", "consul-kv "},
		`condition "nodes"`: {"conditions and inputs", "nodes "}, `condition "schedule"`: {"conditions and inputs", "schedule "},
		"api": {"top level", "api "}, "history": {"top level", "history "}, "guard": {"top level", "guard "}, "Top level": {"top level", ""},
		"required_providers": {"driver and task", "required_providers "},
	}
}

func TestEveryRowOfTheReferenceHasACase(t *testing.T) {
	text, err := os.ReadFile("../../tasks/README.md")
	if err != nil {
		t.Fatal(err)
	}
	cases, rows := contractCases(), 0
	for _, row := range tables(t, string(text)) {
		at, ok := inContract()[row.section]
		if !ok {
			t.Errorf("line %d: no cases for tables of section %s", row.line, row.section)
			continue
		}
		name, _, _ := strings.Cut(row.name, " ") // a block's label
		rows++
		if row.section == "Top level" && meshNames[name] {
			continue // xds/README.md has their tables, and those have tests of their own
		}
		if !covered(cases[at[0]], at[1]+name) {
			t.Errorf("line %d: %s%s has no case in %s", row.line, at[1], name, at[0])
		}
	}
	if rows < 100 {
		t.Errorf("%d rows", rows)
	}
}
