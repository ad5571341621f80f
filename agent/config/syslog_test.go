package config

import "testing"

func TestSyslogKeepsTheContract(t *testing.T) {
	checkRows(t, map[string]row{
		"off by itself":                {good: "port = 1", want: `Syslog.Enabled = false`, bad: block("syslog", `enabled = "no"`), told: "enabled must be a boolean"},
		"on by any attribute":          {good: block("syslog", `facility = "local3"`), want: `Syslog.Enabled = true`, bad: block("syslog", `facility = "LOCAL8"`), told: "facility is none of the known ones"},
		"off by word":                  {good: block("syslog", "enabled = false\n name = \"n\""), want: `Syslog.Enabled = false`, bad: block("syslog", `enable = true`), told: "invalid keys: syslog.enable"},
		"facility by default":          {good: block("syslog", `enabled = true`), want: `Syslog.Facility = "LOCAL0"`, bad: block("syslog", `facility = ""`), told: "facility is none of the known ones"},
		"name by default":              {good: block("syslog", `enabled = true`), want: `Syslog.Name = "patchbay"`, bad: block("syslog", `name = ""`), told: "name is none that syslog allows for a program"},
		"name":                         {good: block("syslog", `name = "cts-1"`), want: `Syslog.Name = "cts-1"`, bad: block("syslog", `name = "a: b"`), told: "name is none that syslog allows for a program"},
		"name with bounds":             {good: block("syslog", `name = "a/b_c.d"`), want: `Syslog.Name = "a/b_c.d"`, bad: block("syslog", `name = "a234567890b234567890c234567890d234567890e23456789"`), told: "name is none that syslog allows for a program"},
		"name that would forge a line": {good: block("syslog", `name = "x"`), want: `Syslog.Name = "x"`, bad: block("syslog", `name = "a\n<0>b"`), told: "name is none that syslog allows for a program"},
	})
}

func TestSyslogHasTheNameOfCTSUnderTheOldName(t *testing.T) {
	o := testOptions("/work", nil)
	o.Legacy = true
	cfg := build([]source{{"a.hcl", []byte("syslog {}")}}, o, newReport())
	if want := (Syslog{Facility: "LOCAL0", Name: "consul-terraform-sync"}); cfg.Syslog != want {
		t.Errorf("syslog = %+v, want %+v", cfg.Syslog, want)
	}
}
