package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"patchbay/tasks"
)

// Bounds of what a person is shown of one plan; -o json has all of it.
const (
	maxObjects   = 200
	maxFields    = 20
	maxNewFields = 6
	maxValue     = 200
	maxLines     = 40
)

// unknown is how a plan writes what applying will tell.
const unknown = "(known after apply)"

// verbs tell an action in the words of a network engineer.
var verbs = map[tasks.Action]string{
	tasks.Create: "created", tasks.Update: "changed", tasks.Replace: "replaced", tasks.Delete: "removed",
	tasks.Forget: "forgotten", tasks.Read: "read", tasks.NoOp: "kept",
}

// verbOrder is the order in which actions are counted. Objects are listed in the
// reverse order, so that what is lost comes first and is never cut for what is new.
var verbOrder = []tasks.Action{tasks.Read, tasks.Create, tasks.Update, tasks.Replace, tasks.Forget, tasks.Delete}

// summary counts what a plan does: "1 created, 2 changed"; "nothing" when empty.
func summary(p tasks.Plan) string {
	var parts []string
	for _, a := range verbOrder {
		if n := p.Count(a); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, verbs[a]))
		}
	}
	switch {
	case len(parts) > 0:
		return strings.Join(parts, ", ")
	case p.Outputs:
		return "only outputs"
	}
	return "nothing"
}

// device is the objects of one block of the module: all pool members, all rules.
type device struct {
	name    string
	changes []tasks.Change
}

// devices groups changes by block, in the order in which the blocks first appear.
func devices(task string, changes []tasks.Change) []device {
	var out []device
	for _, c := range changes {
		block, _ := splitAddress(task, c.Address)
		n := slices.IndexFunc(out, func(d device) bool { return d.name == block })
		if n < 0 {
			n = len(out)
			out = append(out, device{name: block})
		}
		out[n].changes = append(out[n].changes, c)
	}
	return out
}

// splitAddress takes Terraform's address apart: the block without the task's own
// module in front, and the key of the object in it, "" when it has none.
func splitAddress(task, address string) (block, key string) {
	address = strings.TrimPrefix(address, "module."+task+".")
	open, quoted := -1, false
	for i := 0; i < len(address); i++ {
		switch c := address[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == '[' && !quoted:
			open = i
		}
	}
	if open < 0 || !strings.HasSuffix(address, "]") {
		return address, ""
	}
	key = address[open+1 : len(address)-1]
	if text, err := strconv.Unquote(key); err == nil {
		key = text
	}
	return address[:open], key
}

// plan shows what a plan does, grouped by the block of the module that describes
// the device's objects.
func (p *page) plan(indent int, task string, plan tasks.Plan) {
	changes := slices.Clone(plan.Changes)
	slices.SortStableFunc(changes, func(a, b tasks.Change) int {
		return slices.Index(verbOrder, b.Action) - slices.Index(verbOrder, a.Action)
	})
	shown := changes[:min(len(changes), maxObjects)]
	for _, d := range devices(task, shown) {
		p.line(indent, "%s", d.name)
		for _, c := range d.changes {
			p.change(indent+2, task, c)
		}
	}
	if rest := (tasks.Plan{Changes: changes[len(shown):]}); len(rest.Changes) > 0 {
		p.line(indent, "and %s more (%s); -o json lists all", count(len(rest.Changes), "object"), summary(rest))
	}
	if plan.Outputs {
		p.line(indent, "outputs of the module change")
	}
}

// change shows one object and its fields that differ.
func (p *page) change(indent int, task string, c tasks.Change) {
	_, key := splitAddress(task, c.Address)
	verb := verbs[c.Action]
	if verb == "" {
		verb = string(c.Action)
	}
	p.line(indent, "%s", strings.TrimRight(fmt.Sprintf("%-9s %s", verb, key), " "))
	most := maxFields
	if c.Action != tasks.Update && c.Action != tasks.Replace {
		most = maxNewFields
	}
	fields := slices.DeleteFunc(slices.Clone(c.Fields), func(f tasks.Field) bool { return dull(c, f) })
	for n, f := range fields {
		if n == most {
			p.line(indent+4, "and %s more", count(len(fields)-n, "field"))
			break
		}
		p.field(indent+4, c.Action, f)
	}
}

// dull tells whether a field tells nothing of the device: one of a new object
// that is not known yet, or what terraform_data derives from its other fields.
func dull(c tasks.Change, f tasks.Field) bool {
	if c.Action == tasks.Create && f.After == unknown {
		return true
	}
	return c.Type == "terraform_data" && (f.Path == "id" || f.Path == "output" || strings.HasPrefix(f.Path, "output.") ||
		strings.HasPrefix(f.Path, "output["))
}

// field shows an attribute: one line, or line by line when it has several.
func (p *page) field(indent int, action tasks.Action, f tasks.Field) {
	if strings.Contains(f.Before, "\n") || strings.Contains(f.After, "\n") {
		p.line(indent, "%s:", clip(f.Path, maxValue))
		p.lines(indent+2, f.Before, f.After)
		return
	}
	before, after := clip(f.Before, maxValue), clip(f.After, maxValue)
	switch {
	case action == tasks.Create:
		p.line(indent, "%s: %s", clip(f.Path, maxValue), after)
	case action == tasks.Delete || action == tasks.Forget:
		p.line(indent, "%s: %s", clip(f.Path, maxValue), before)
	default:
		p.line(indent, "%s: %s -> %s", clip(f.Path, maxValue), orNothing(before), orNothing(after))
	}
}

func orNothing(v string) string {
	if v == "" {
		return `""`
	}
	return v
}

// lines shows the lines between the equal beginning and the equal end of two
// texts: gone ones with -, new ones with +.
func (p *page) lines(indent int, before, after string) {
	a, b := splitLines(before), splitLines(after)
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	for _, side := range []struct {
		sign  string
		lines []string
	}{{"-", a}, {"+", b}} {
		for n, l := range side.lines {
			if n == maxLines {
				p.line(indent, "%s and %s more", side.sign, count(len(side.lines)-n, "line"))
				break
			}
			p.line(indent, "%s %s", side.sign, clip(l, maxValue))
		}
	}
}

func splitLines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// findings shows what the guard said: what holds the plan and what would release
// it first.
func (p *page) findings(indent int, now time.Time, findings []tasks.Finding) {
	for _, hold := range []bool{true, false} {
		for _, f := range findings {
			if (f.Decision == tasks.Hold) != hold {
				continue
			}
			title := fmt.Sprintf("allowed (%s)", f.Rule)
			if hold {
				title = fmt.Sprintf("HELD (%s)", f.Rule)
				if !f.Since.IsZero() {
					title += " for " + ago(now, f.Since)
				}
			}
			p.line(indent, "%s:", title)
			for _, e := range f.Evidence {
				p.line(indent+2, "%s", clip(e, 4*maxValue))
			}
			if f.Release != "" {
				p.line(indent+2, "released when: %s", f.Release)
			}
		}
	}
}

// ago tells how long ago a time was, in one unit: 4 s, 12 min, 3 h, 5 d.
func ago(now, then time.Time) string {
	d := max(0, now.Sub(then))
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d d", int(d.Hours()/24))
}
