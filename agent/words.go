package agent

import (
	"fmt"
	"slices"
	"strings"

	"patchbay/tasks"
	"patchbay/tasks/catalog"
)

// causes tells what changed between two snapshots as far as the task could see
// it: of instances that its projection had before or has now.
func (w *worker) causes(before, after catalog.Snapshot, was, is tasks.Input) []catalog.Delta {
	seen := map[string]bool{}
	for _, i := range append(was.Instances(), is.Instances()...) {
		seen[i.Key()] = true
	}
	if c := w.task.Condition.Services; c != nil {
		for _, s := range []catalog.Snapshot{before, after} {
			for _, i := range c.Select(s, w.matcher) {
				seen[i.Key()] = true
			}
		}
	}
	pick := func(s catalog.Snapshot) (out []catalog.Instance) {
		had := map[string]bool{}
		for _, sel := range w.task.Selectors() {
			for _, i := range s.Instances(sel) {
				if k := i.Key(); seen[k] && !had[k] {
					had[k] = true
					out = append(out, i)
				}
			}
		}
		return out
	}
	return append(catalog.Diff(pick(before), pick(after)), w.entries(before, after)...)
}

// entries tells what changed of keys, lists of services and nodes.
func (w *worker) entries(before, after catalog.Snapshot) (out []catalog.Delta) {
	for _, v := range after.Views() {
		sees := w.sees(v.Query)
		if sees == nil {
			continue
		}
		old, _ := before.View(v.Query)
		out = append(out, slices.DeleteFunc(catalog.DiffViews(old, v), func(d catalog.Delta) bool { return !sees(d) })...)
	}
	return out
}

// sees tells which changes of a view that lists no instances the task can see;
// nil for none.
func (w *worker) sees(q catalog.Query) func(catalog.Delta) bool {
	switch q.Kind {
	case catalog.KVKey, catalog.KVPrefix:
		return func(catalog.Delta) bool { return true }
	case catalog.ServiceNames:
		if c := w.task.Condition.CatalogServices; c != nil && c.Query() == q {
			match := catalog.Selector{Regexp: c.Regexp}.Matcher()
			return func(d catalog.Delta) bool { return match(d.Service) }
		}
	case catalog.NodeNames:
		for _, in := range append(w.task.Given(), tasks.ModuleInput{Nodes: w.task.Condition.Nodes}) {
			if in.Nodes != nil && in.Nodes.Query() == q {
				match := catalog.Selector{Regexp: in.Nodes.Regexp}.Matcher()
				return func(d catalog.Delta) bool { return match(d.Node) }
			}
		}
	}
	return nil
}

// causes tells what changed since the newest run, in the words of Consul.
func (r *runner) causes(snapshot catalog.Snapshot) []catalog.Delta {
	switch {
	case r.removal != nil:
		return nil
	case r.ran.once:
		return r.work.causes(r.ran.snapshot, snapshot, r.ran.input, r.input)
	case r.record.Applied != nil:
		return diffMembers(r.record.Applied.Members, r.input.Members())
	}
	return nil
}

// diffMembers is what is known to have changed since an earlier process.
func diffMembers(before, after []catalog.Member) (out []catalog.Delta) {
	was := map[string]catalog.Member{}
	for _, m := range before {
		was[m.Key] = m
	}
	at := func(m catalog.Member) string { return fmt.Sprintf("%s:%d", m.Address, m.Port) }
	for _, m := range after {
		old, had := was[m.Key]
		switch {
		case !had:
			out = append(out, catalog.Delta{Service: m.Service, Instance: m.Key, What: "added", From: "while Patchbay was away", To: at(m)})
		case at(old) != at(m):
			out = append(out, catalog.Delta{Service: m.Service, Instance: m.Key, What: "address", From: at(old), To: at(m)})
		}
		delete(was, m.Key)
	}
	for _, m := range before {
		if _, gone := was[m.Key]; gone {
			out = append(out, catalog.Delta{Service: m.Service, Instance: m.Key, What: "removed", From: at(m)})
		}
	}
	return out
}

// cause tells in one line why a run was made.
func cause(r tasks.Run) string {
	if len(r.Causes) == 0 {
		return string(r.Trigger)
	}
	s := r.Causes[0].String()
	if n := len(r.Causes) + r.MoreCauses - 1; n > 0 {
		s += fmt.Sprintf(" and %d more", n)
	}
	return s
}

func why(v tasks.Verdict) string {
	var parts []string
	for _, f := range v.Findings {
		if f.Decision == tasks.Hold {
			parts = append(parts, f.Rule+": "+strings.Join(f.Evidence, "; "))
		}
	}
	return strings.Join(parts, " | ")
}

// note tells what a task waits for after a run.
func note(run tasks.Run, record tasks.Record) string {
	switch {
	case run.Phase == tasks.Retrying:
		return "failed, is tried again: " + firstLine(run.Error())
	case record.Held != nil && run.Phase == tasks.Held:
		for _, f := range record.Held.Findings {
			if f.Decision == tasks.Hold && len(f.Evidence) > 0 {
				return "held: " + f.Evidence[0]
			}
		}
	case !run.Phase.Ended():
		return string(run.Phase)
	}
	return ""
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
