package e2e

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"patchbay/e2e/internal/rig"

	"github.com/hashicorp/consul/api"
)

// The section of tasks/README.md that tells every difference from
// Consul-Terraform-Sync, and the last column of each of its tables.
const (
	differences = "## From Consul-Terraform-Sync"
	shownBy     = "shown by"
)

// difference is a row of a table of the section.
type difference struct {
	line  int
	what  string
	tests []string // as Test or Test/sentence of a case
}

// TestEveryDifferenceIsShownByATest keeps the section true: who removes or renames
// a test looks again at what it says.
func TestEveryDifferenceIsShownByATest(t *testing.T) {
	root, err := rig.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "tasks", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows, problems := readDifferences(string(text))
	known := knownTests(t, root)
	for _, row := range rows {
		if len(row.tests) == 0 {
			problems = append(problems, fmt.Sprintf("line %d: %s: names no test that shows it", row.line, row.what))
		}
		for _, name := range row.tests {
			if !known.has(name) {
				problems = append(problems, fmt.Sprintf("line %d: %s: there is no test %s", row.line, row.what, name))
			}
		}
	}
	for _, p := range problems {
		t.Error(p)
	}
	if len(rows) < 80 {
		t.Errorf("the section has %d rows, want all differences", len(rows))
	}
}

var (
	quotedTest = regexp.MustCompile("`([^`]+)`")
	testName   = regexp.MustCompile(`^(?:Test|Fuzz)[A-Za-z0-9_]+(?:/.+)?$`)
)

// readDifferences reads all tables of the section; problems are rows and tables
// that do not say what they must.
func readDifferences(text string) (rows []difference, problems []string) {
	within := false
	var columns []string
	for n, line := range strings.Split(text, "\n") {
		switch {
		case strings.HasPrefix(line, "## "):
			within = line == differences
		case !within:
		case !strings.HasPrefix(line, "|"):
			columns = nil
		case columns == nil:
			if columns = cells(line); columns[len(columns)-1] != shownBy {
				problems = append(problems, fmt.Sprintf("line %d: the table has no last column %q", n+1, shownBy))
			}
		case strings.HasPrefix(line, "|---"):
		default:
			row := cells(line)
			if len(row) != len(columns) || slices.Contains(row, "") {
				problems = append(problems, fmt.Sprintf("line %d: %d cells, some of them perhaps empty, in a table of %d columns", n+1, len(row), len(columns)))
			}
			d := difference{line: n + 1, what: row[0]}
			for _, m := range quotedTest.FindAllStringSubmatch(row[len(row)-1], -1) {
				if !testName.MatchString(m[1]) {
					problems = append(problems, fmt.Sprintf("line %d: %s is not the name of a test", n+1, m[1]))
				}
				d.tests = append(d.tests, m[1])
			}
			rows = append(rows, d)
		}
	}
	return rows, problems
}

func cells(line string) []string {
	out := strings.Split(strings.TrimSuffix(strings.TrimPrefix(line, "|"), "|"), "|")
	for n := range out {
		out[n] = strings.TrimSpace(out[n])
	}
	return out
}

// tests maps the name of a test to the texts in which the names of its cases are:
// those of its file, and the names of the files of its package's testdata.
type tests map[string]string

// has tells whether a test is there and, of Test/case, whether the case is.
func (k tests) has(name string) bool {
	name, sentence, cased := strings.Cut(name, "/")
	text, ok := k[name]
	return ok && (!cased || strings.Contains(text, `"`+sentence+`"`))
}

var testFunction = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9_]+)\(`)

func knownTests(t *testing.T, root string) tests {
	t.Helper()
	out := tests{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != root:
			return fs.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range testFunction.FindAllStringSubmatch(string(text), -1) {
			out[m[1]] += string(text) + goldenNames(filepath.Dir(path))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// goldenNames lists the files of a package's testdata without their endings, each
// in quotes.
func goldenNames(dir string) string {
	var out strings.Builder
	_ = filepath.WalkDir(filepath.Join(dir, "testdata"), func(path string, d fs.DirEntry, err error) error {
		if err != nil { // most packages have none
			return fs.SkipDir
		}
		fmt.Fprintf(&out, "%q\n", strings.TrimSuffix(d.Name(), filepath.Ext(d.Name())))
		return nil
	})
	return out.String()
}

func TestADifferenceWithoutProofIsFound(t *testing.T) {
	table := func(rows string) string {
		return "## Before\n\n| a | b |\n|---|---|\n| x | y |\n\n" + differences + "\n\n| what | shown by |\n|---|---|\n" + rows + "\n## After\n\n| a |\n|---|\n| z |\n"
	}
	known := tests{"TestOne": `t.Run("a case")`}
	for name, c := range map[string]struct {
		text             string
		rows, wrong, bad int // rows, tests that are not there, problems
	}{
		"proven":                {table("| a | `TestOne` |\n| b | `TestOne/a case`, `TestOne` |\n"), 2, 0, 0},
		"another test":          {table("| a | `TestTwo` |\n"), 1, 1, 0},
		"another case":          {table("| a | `TestOne/another case` |\n"), 1, 1, 0},
		"no test":               {table("| a | somebody looked |\n"), 1, 1, 0},
		"an empty cell":         {table("| a | |\n"), 1, 1, 1},
		"no name of a test":     {table("| a | `testOne` |\n"), 1, 1, 1},
		"a cell too many":       {table("| a | b | `TestOne` |\n"), 1, 0, 1},
		"a table of other form": {strings.Replace(table(""), shownBy, "why", 1), 0, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			rows, problems := readDifferences(c.text)
			wrong := 0
			for _, row := range rows {
				if len(row.tests) == 0 || slices.ContainsFunc(row.tests, func(name string) bool { return !known.has(name) }) {
					wrong++
				}
			}
			if len(rows) != c.rows || wrong != c.wrong || len(problems) != c.bad {
				t.Errorf("%d rows, %d unproven, problems %q; want %d, %d, %d", len(rows), wrong, problems, c.rows, c.wrong, c.bad)
			}
		})
	}
}

func TestOneRunOfEveryTaskFailsWhenAPlanIsHeld(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.serve("web", "web-1", "web-2")
	made := filepath.Join(w.dir, "made.txt")
	once := []string{"start", "-config-file", w.file("once.hcl", w.config(local, w.filesTask("web", "web", made))), "-once"}
	w.says(0, "", once, "task completed")
	w.reads(made, "web-1,web-2")
	for _, id := range []string{"web-1", "web-2"} {
		w.must(w.consul.Deregister(id))
	}
	w.says(11, "", once, "the plan is held")
	w.reads(made, "web-1,web-2")
}

// guarded makes the world's Consul one that checks rights, and gives the program a
// token with which it may read services and nodes. It gives what takes rights from
// the token, what gives them back, and what deletes it.
func (w *world) guarded() (weaken, mend, remove func()) {
	w.t.Helper()
	const management = "4dc4a3a5-6d3c-4a0c-9a5b-0a6b6b8d1c11"
	w.must(w.consul.Stop(limit))
	w.must(w.consul.Wipe())
	file := filepath.Join(w.dir, "consul", "consul.json")
	text, err := os.ReadFile(file)
	w.must(err)
	var settings map[string]any
	w.must(json.Unmarshal(text, &settings))
	settings["acl"] = map[string]any{"enabled": true, "default_policy": "deny",
		"tokens": map[string]any{"initial_management": management, "agent": management}}
	text, err = json.Marshal(settings)
	w.must(err)
	w.must(os.WriteFile(file, text, 0o600))
	w.consul.Client, err = api.NewClient(&api.Config{Address: w.consul.Addr, Token: management})
	w.must(err)
	w.must(w.consul.Start(w.t.Context()))

	acl := w.consul.Client.ACL()
	const rules = `service_prefix "" { policy = "read" }`
	policy, _, err := acl.PolicyCreate(&api.ACLPolicy{Name: "reader", Rules: rules + ` node_prefix "" { policy = "read" }`}, nil)
	w.must(err)
	token, _, err := acl.TokenCreate(&api.ACLToken{Policies: []*api.ACLLink{{ID: policy.ID}}}, nil)
	w.must(err)
	w.program.Env = []string{"CONSUL_HTTP_TOKEN=" + token.SecretID}
	change := func(rules string) func() {
		return func() {
			_, _, err := acl.PolicyUpdate(&api.ACLPolicy{ID: policy.ID, Name: policy.Name, Rules: rules}, nil)
			w.must(err)
		}
	}
	return change(rules), change(policy.Rules), func() {
		_, err := acl.TokenDelete(token.AccessorID, nil)
		w.must(err)
	}
}

func TestATokenThatLosesItsRightsRemovesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	weaken, mend, remove := w.guarded()
	w.serve("web", "web-1", "web-2")
	made := filepath.Join(w.dir, "made.txt")
	// Without long polls every read is a plain one, which sees lost rights at once.
	config := strings.Replace(w.config(local, w.filesTask("web", "web", made)), "consul {\n", "consul {\n  max_polls = 1\n  service_registration {\n    enabled = false\n  }\n", 1)
	w.start(config)
	w.reads(made, "web-1,web-2")
	w.phase("web", "applied")
	refused := func(why string) {
		t.Helper()
		w.must(w.patchbay.AwaitLog(t.Context(), "query failed, its last good answer was kept", limit))
		w.reads(made, "web-1,web-2")
		if n := w.applied("web"); n != 1 {
			t.Errorf("%s: %d runs were applied, want the first alone", why, n)
		}
	}
	restart := func() {
		t.Helper()
		w.must(w.patchbay.Stop(limit))
		w.start(config)
	}

	weaken()
	refused("rights lost")
	restart()
	refused("rights lost, after a restart")
	mend()
	w.must(w.patchbay.AwaitLog(t.Context(), "query answered again", limit))
	w.phase("web", "unchanged")

	remove()
	refused("token deleted")
	restart()
	refused("token deleted, after a restart")
	w.program.Env = nil
	restart()
	w.must(w.patchbay.AwaitLog(t.Context(), "no consul token was configured though Consul checks rights", limit))
	refused("no token")
}
