package config

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// everyBlock has a name in each block that none knows; the hints list all that do.
const everyBlock = `
zzzzzzzz = 1
api { zzzzzzzz = 1 }
history { zzzzzzzz = 1 }
guard { zzzzzzzz = 1 }
buffer_period { zzzzzzzz = 1 }
consul {
  zzzzzzzz = 1
  auth { zzzzzzzz = 1 }
  tls { zzzzzzzz = 1 }
  transport { zzzzzzzz = 1 }
  service_registration {
    zzzzzzzz = 1
    default_check { zzzzzzzz = 1 }
  }
}
vault {
  zzzzzzzz = 1
  tls { zzzzzzzz = 1 }
}
tls {
  enabled  = false
  zzzzzzzz = 1
}
syslog { zzzzzzzz = 1 }
driver "terraform" {
  zzzzzzzz = 1
  required_providers {
    x = { zzzzzzzz = 1 }
  }
}
task {
  name     = "a"
  module   = "a/b/c"
  zzzzzzzz = 1
  condition "services" {
    names    = ["a"]
    zzzzzzzz = 1
  }
  module_input "consul-kv" {
    path     = "a"
    zzzzzzzz = 1
  }
  module_input "nodes" { zzzzzzzz = 1 }
}
task {
  name   = "b"
  module = "a/b/c"
  condition "catalog-services" {
    regexp   = ""
    zzzzzzzz = 1
  }
}
task {
  name   = "c"
  module = "a/b/c"
  condition "schedule" {
    cron     = "@hourly"
    zzzzzzzz = 1
  }
}
`

func TestTheReferenceHasARowForEveryAttribute(t *testing.T) {
	text, err := os.ReadFile("../../tasks/README.md")
	if err != nil {
		t.Fatal(err)
	}
	r := newReport()
	build([]source{{"a.hcl", []byte(everyBlock)}}, testOptions("/work", nil), r)
	known := map[string]bool{"alias": true, "task_env": true, "auto_commit": true}
	for name := range deprecated {
		known[name[strings.LastIndex(name, ".")+1:]] = true
	}
	for _, p := range r.problems {
		list, ok := strings.CutPrefix(p.Do, "known here are ")
		if !ok {
			t.Errorf("unexpected problem %s", p)
		}
		for _, name := range strings.Split(list, ", ") {
			known[name] = true
		}
	}
	if blocks := strings.Count(everyBlock, "zzzzzzzz"); len(r.problems) != blocks || len(known) < 50 {
		t.Fatalf("%d problems of %d blocks, %d names", len(r.problems), blocks, len(known))
	}
	for name := range known {
		if !regexp.MustCompile("(?m)^\\| `" + name + "[` ]").Match(text) {
			t.Errorf("tasks/README.md has no row for %s", name)
		}
	}
}

func TestEveryTableOfTheReferenceIsComplete(t *testing.T) {
	text, err := os.ReadFile("../../tasks/README.md")
	if err != nil {
		t.Fatal(err)
	}
	written := map[string]map[string]string{} // section, name, example
	for _, row := range tables(t, string(text)) {
		if written[row.section] == nil {
			written[row.section] = map[string]string{}
		}
		name, _, _ := strings.Cut(row.name, " ")
		written[row.section][name] = row.example
	}
	for section, frame := range around() {
		r := newReport()
		build([]source{{"a.hcl", []byte(frame[0] + "zzzzzzzz = 1\n" + frame[1] + "\n")}}, testOptions("/work", nil), r)
		for _, p := range r.problems {
			list, ok := strings.CutPrefix(p.Do, "known here are ")
			if !ok && !expected.MatchString(p.What) {
				t.Errorf("%s: unexpected problem %s", section, p)
			}
			for _, name := range strings.Split(list, ", ") {
				if example, there := written[section][name]; ok && (!there || example == "" && !nestedBlock[name]) {
					t.Errorf("the table of %s has no row with an example for %s", section, name)
				}
			}
		}
		if strings.HasPrefix(section, "terraform_provider") {
			continue // knows the names of every provider
		}
		if len(r.problems) == 0 {
			t.Errorf("%s: the unknown name was taken", section)
		}
	}
}

// nestedBlock are those that have a table of their own.
var nestedBlock = map[string]bool{"api": true, "tls": true, "syslog": true, "history": true, "guard": true, "buffer_period": true, "consul": true,
	"vault": true, "driver": true, "terraform_provider": true, "task": true, "auth": true, "transport": true, "service_registration": true,
	"default_check": true, "required_providers": true, "backend": true, "condition": true, "module_input": true,
	"xds": true, "routes": true, "sidecar": true, "gateway": true, "observe": true, "canary": true}

// meshNames are blocks of the top level whose tables are in xds/README.md.
var meshNames = map[string]bool{"xds": true, "routes": true, "sidecar": true, "gateway": true, "observe": true, "canary": true}

func TestTheBlocksOfTheReferenceAreValid(t *testing.T) {
	text, err := os.ReadFile("../../tasks/README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```(hcl|json)\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(blocks) < 5 {
		t.Fatalf("%d blocks", len(blocks))
	}
	for _, b := range blocks {
		body := b[2]
		if strings.HasPrefix(body, "backend") {
			body = "driver \"terraform\" {\n" + body + "}\n"
		}
		r := newReport()
		build([]source{{"block." + b[1], []byte(body)}}, testOptions(t.TempDir(), nil), r)
		if err := r.err(); err != nil {
			t.Errorf("%v in\n%s", err, body)
		}
	}
}

func TestTheExamplesOfTheReferenceParse(t *testing.T) {
	text, err := os.ReadFile("../../tasks/README.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("\\| `([a-z_]+ (?:=|\\{).*)` \\|\n").FindAllStringSubmatch(string(text), -1)
	if len(examples) < 40 {
		t.Fatalf("%d examples", len(examples))
	}
	for _, e := range examples {
		r := newReport()
		parseHCL(Position{File: "example"}, []byte(e[1]+"\n"), r)
		if err := r.err(); err != nil {
			t.Errorf("%s: %v", e[1], err)
		}
	}
}
