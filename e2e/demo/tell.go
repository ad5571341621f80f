package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"patchbay/e2e/internal/rig"
)

// teller prints what happens, in two aligned columns.
type teller struct {
	out    io.Writer
	scenes int
}

func (t *teller) title(text string) { fmt.Fprintf(t.out, "\n%s\n", text) }

func (t *teller) scene(text string) {
	t.scenes++
	t.title(fmt.Sprintf("%d. %s", t.scenes, text))
}

// line tells who did what.
func (t *teller) line(who, format string, args ...any) {
	fmt.Fprintf(t.out, "   %-9s %s\n", who, fmt.Sprintf(format, args...))
}

func (t *teller) text(format string, args ...any) { t.line("", format, args...) }

// run tells a run: why, what was planned, what it took.
func (t *teller) run(task string, r rig.Run) {
	who := "Consul"
	for _, c := range r.Causes {
		if r.Trigger != "first pass" {
			t.line(who, "%s", cause(c))
			who = ""
		}
	}
	t.line("Patchbay", "planned %s; the guard allowed it; applied in %s", planned(task, r.Plan.Changes), seconds(took(r)))
	for _, c := range r.Plan.Changes {
		for _, f := range c.Fields {
			upstream, ok := strings.CutPrefix(f.Path, "triggers_replace.upstreams.")
			before, after := servers(f.Before), servers(f.After)
			if ok && f.Before != "" && before != after {
				t.text("upstream %s in NGINX: from %s to %s servers", upstream, before, after)
			}
		}
	}
}

// held tells why a run is held.
func (t *teller) held(task string, r rig.Run) {
	t.line("Patchbay", "planned %s and HELD it; nothing was applied", planned(task, r.Plan.Changes))
	for _, f := range r.Findings {
		if f.Decision != "hold" {
			continue
		}
		for _, e := range f.Evidence {
			t.text("- %s", e)
		}
		t.text("until %s", f.Release)
	}
}

func cause(c rig.Cause) string {
	switch c.What {
	case "added":
		return fmt.Sprintf("%s was registered at %s", c.Instance, c.To)
	case "removed":
		return fmt.Sprintf("%s was deregistered", c.Instance)
	case "health":
		return fmt.Sprintf("%s went from %s to %s by check %q", c.Instance, c.From, c.To, c.Check)
	case "address":
		return fmt.Sprintf("%s moved from %s to %s", c.Instance, c.From, c.To)
	}
	return fmt.Sprintf("%s changed its %s", c.Instance, c.To)
}

// servers takes the number from an upstream's summary, such as
// "servers=3 down=0 sha256=…".
func servers(summary string) string {
	text, _, _ := strings.Cut(strings.TrimPrefix(summary, "servers="), " ")
	return text
}

// planned sums a plan up, such as "to replace terraform_data.upstreams of task web".
func planned(task string, changes []rig.Change) string {
	var parts []string
	for _, c := range changes {
		parts = append(parts, "to "+c.Action+" "+strings.TrimPrefix(c.Address, "module."+task+"."))
	}
	return strings.Join(parts, ", ") + " of task " + task
}

func took(r rig.Run) (sum time.Duration) {
	for _, d := range r.Took {
		sum += d
	}
	return sum
}

// bar draws a share.
func bar(part, whole int) string {
	const width = 20
	n := (part*width + whole/2) / whole
	return "[" + strings.Repeat("#", n) + strings.Repeat(".", width-n) + "]"
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }
