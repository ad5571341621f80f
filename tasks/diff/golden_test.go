package diff_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"patchbay/tasks"
	"patchbay/tasks/catalog"
	"patchbay/tasks/diff"
	"patchbay/tasks/diff/lists"
	"patchbay/tasks/diff/text"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite the wanted texts in testdata")

// TestAPlanIsToldInTheDevicesWords plays each case: what was applied, what Consul then
// showed and when, and what Terraform plans.
func TestAPlanIsToldInTheDevicesWords(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d cases: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			g, now := given(t, a)
			list, more := diff.Of(g)
			got := strings.Join(text.Text(list, more, now), "\n") + "\n(" + text.Summary(list, more) + ")\n"
			if *update {
				rewrite(t, file, a, got)
			}
			if d := cmp.Diff(section(t, a, "want"), got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

func rewrite(t *testing.T, file string, a *txtar.Archive, got string) {
	t.Helper()
	n := slices.IndexFunc(a.Files, func(f txtar.File) bool { return f.Name == "want" })
	if n < 0 {
		n, a.Files = len(a.Files), append(a.Files, txtar.File{Name: "want"})
	}
	a.Files[n].Data = []byte(got)
	if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
		t.Fatal(err)
	}
}

func section(t *testing.T, a *txtar.Archive, name string) string {
	t.Helper()
	for _, f := range a.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	t.Fatalf("the case has no %s", name)
	return ""
}

// given reads a case. catalog has lines such as
//
//	task builtin/nginx web api
//	filter "v2" in Service.Tags
//	applied 14:00:00
//	web web-1 n1 10.0.4.17:8080
//	seen 14:02:31
//	web web-1 n1 10.0.4.17:8080 critical|http /health|connection refused
//	gone web-2 n2 deregistered
//	given web-1
//
// A line after "given" names what the module is given of the last view; without, it is
// all that passes.
func given(t *testing.T, a *txtar.Archive) (g diff.Given, now time.Time) {
	t.Helper()
	c := &reader{t: t, present: map[string][]catalog.Instance{}}
	c.given.Task.Name = "t"
	for line := range strings.Lines(section(t, a, "catalog")) {
		c.line(strings.TrimRight(line, "\n"))
	}
	c.flush()
	c.given.Plan = planOf(t, section(t, a, "plan"))
	if c.given.Applied != nil {
		slices.SortFunc(c.given.Applied.Members, func(a, b catalog.Member) int { return strings.Compare(a.Key, b.Key) })
	}
	return c.given, c.now.Add(time.Second)
}

type reader struct {
	t       *testing.T
	given   diff.Given
	now     time.Time
	applied bool
	viewing bool
	present map[string][]catalog.Instance
	gone    []catalog.Departure
	only    []string
}

func (c *reader) line(line string) {
	c.t.Helper()
	word, rest, _ := strings.Cut(line, " ")
	words := strings.Fields(rest)
	switch word {
	case "":
	case "task":
		c.given.Task.Module = words[0]
		c.given.Task.Condition = tasks.Condition{UseAsModuleInput: true, Services: &tasks.Services{Selector: catalog.Selector{Names: words[1:]}}}
	case "filter":
		c.given.Task.Condition.Services.Filter = rest
	case "destroyed":
		c.given.Destroyed = true
	case "cause":
		c.given.Causes = append(c.given.Causes, catalog.Delta{Service: words[0], Instance: words[1], What: "changed", To: words[2]})
	case "applied":
		c.given.Applied = &tasks.AppliedInput{At: c.clock(rest), Traits: map[string]tasks.Trait{}}
		c.applied = true
	case "seen":
		c.flush()
		c.now, c.viewing, c.applied = c.clock(rest), true, false
	case "gone":
		c.gone = append(c.gone, catalog.Departure{Member: catalog.Member{Key: words[0] + "." + words[1] + ".dc1", Node: words[1]},
			Cause: catalog.DepartureCause(strings.Join(words[2:], " "))})
	case "given":
		c.only = words
	default:
		c.instance(word, rest)
	}
}

func (c *reader) clock(text string) time.Time {
	c.t.Helper()
	at, err := time.Parse(time.DateTime, "2026-11-21 "+text)
	if err != nil {
		c.t.Fatal(err)
	}
	return at
}

// instance reads id, node and address of an instance, then its state: nothing, a
// weight, or status, check and output with | between.
func (c *reader) instance(service, rest string) {
	c.t.Helper()
	parts := strings.SplitN(rest, " ", 4)
	if len(parts) < 3 {
		c.t.Fatalf("no instance: %q", rest)
	}
	cut := strings.LastIndex(parts[2], ":")
	port, err := strconv.Atoi(parts[2][cut+1:])
	if err != nil {
		c.t.Fatal(err)
	}
	i := catalog.Instance{ID: parts[0], Name: service, Address: strings.Trim(parts[2][:cut], "[]"), Port: port,
		Node: catalog.Node{Name: parts[1], Datacenter: "dc1"}, Weights: catalog.Weights{Passing: 1, Warning: 1}}
	if len(parts) == 4 {
		c.state(&i, parts[3])
	}
	if c.applied {
		in := tasks.Input{Services: []tasks.Service{{Instance: i}}}
		c.given.Applied.Members = append(c.given.Applied.Members, in.Members()...)
		maps.Copy(c.given.Applied.Traits, in.Traits())
		return
	}
	c.present[service] = append(c.present[service], i)
}

func (c *reader) state(i *catalog.Instance, text string) {
	c.t.Helper()
	if w, err := strconv.Atoi(text); err == nil {
		i.Weights.Passing = w
		return
	}
	s := strings.SplitN(text, "|", 3)
	check := catalog.Check{ID: s[1], Name: s[1], Status: s[0], ServiceID: i.ID, Output: s[2]}
	if s[0] == catalog.Maintenance {
		check = catalog.Check{ID: "_service_maintenance:" + i.ID, Name: s[1], Status: catalog.Critical, Notes: s[2]}
	}
	if un, err := strconv.Unquote(`"` + check.Output + `"`); err == nil {
		check.Output = un
	}
	i.Checks = []catalog.Check{check}
}

// flush ends a view.
func (c *reader) flush() {
	if !c.viewing {
		return
	}
	var views []*catalog.View
	c.given.Wanted = tasks.Input{}
	for _, service := range c.given.Task.Condition.Services.Names {
		list := c.present[service]
		for _, i := range list {
			if c.only == nil && i.Status() == catalog.Passing || slices.Contains(c.only, i.ID) {
				c.given.Wanted.Services = append(c.given.Wanted.Services, tasks.Service{Instance: i})
			}
		}
		v := catalog.NewServiceView(catalog.Query{Kind: catalog.ServiceHealth, Name: service}, list)
		v.Departures = c.gone
		views = append(views, v)
	}
	c.given.Views = views
	c.given.Seen = c.given.Seen.See(catalog.NewSnapshot(views...), c.now)
	c.present, c.gone, c.only, c.viewing = map[string][]catalog.Instance{}, nil, nil, false
}

// planOf reads changes with all their values.
func planOf(t *testing.T, text string) tasks.Plan {
	t.Helper()
	var changes []struct {
		Address, Type, Action string
		Before, After         map[string]any
		Repeat                int
	}
	if err := json.Unmarshal([]byte(text), &changes); err != nil {
		t.Fatal(err)
	}
	var out tasks.Plan
	for _, c := range changes {
		before, after := leaves(c.Before), leaves(c.After)
		one := tasks.Change{Address: c.Address, Type: c.Type, Action: tasks.Action(c.Action),
			Names: diff.Names(c.Type, before, after), Lists: lists.Of(c.Type, before, after)}
		paths := slices.AppendSeq(slices.Collect(maps.Keys(before)), maps.Keys(after))
		slices.Sort(paths)
		for _, p := range slices.Compact(paths) {
			if before[p] != after[p] {
				one.Fields = append(one.Fields, tasks.Field{Path: p, Before: before[p].Text, After: after[p].Text})
			}
		}
		out.Changes = append(out.Changes, one)
	}
	return out
}

// leaves flattens an object; "<sensitive>" and "<unknown>" stand for such values.
func leaves(v map[string]any) map[string]lists.Leaf {
	out := map[string]lists.Leaf{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, sub := range v {
				switch {
				case strings.ContainsAny(name, `."[ `):
					walk(path+"["+strconv.Quote(name)+"]", sub)
				case path == "":
					walk(name, sub)
				default:
					walk(path+"."+name, sub)
				}
			}
		case []any:
			if len(v) == 0 {
				out[path] = lists.Leaf{Text: "[]", Kind: lists.NoElements}
			}
			for n, sub := range v {
				walk(path+"["+strconv.Itoa(n)+"]", sub)
			}
		case nil:
			out[path] = lists.Leaf{Kind: lists.Null}
		default:
			kinds := map[any]lists.LeafKind{"<sensitive>": lists.Hidden, "<unknown>": lists.Unknown}
			out[path] = lists.Leaf{Text: fmt.Sprint(v), Kind: kinds[v]}
		}
	}
	walk("", v)
	return out
}
