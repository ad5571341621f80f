package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"patchbay/tasks"
	"patchbay/tasks/diff"
	"patchbay/tasks/diff/lists"
)

const (
	// maxFields bounds the fields of a change, maxFieldText their texts in runes.
	maxFields    = 200
	maxFieldText = 200
	// commonShown is how much of a common beginning is left, in bytes.
	commonShown = 40
	// minHidden is the shortest sensitive text that is looked for within others.
	minHidden = 6

	sensitiveText = "<sensitive>"
	unknownText   = "(known after apply)"
)

// Contents are the changes of a plan with all their values. The zero Contents are
// those of an empty plan.
type Contents struct{ objects, outputs []object }

// Plan makes the values to review. scrub hides secrets in texts.
func (c Contents) Plan(state State, scrub func(string) string) (tasks.Plan, error) {
	all := append(sorted(c.objects), sorted(c.outputs)...)
	hide := sensitiveTexts(all)
	plan := tasks.Plan{
		Outputs: len(c.outputs) > 0, Digest: digestOf(all),
		Serial: state.Serial, Lineage: state.Lineage,
	}
	for _, o := range all[:len(c.objects)] {
		action, err := actionOf(o)
		if err != nil {
			return tasks.Plan{}, err
		}
		change := tasks.Change{Address: o.address, Type: o.typ, Provider: o.provider, Action: action}
		if o.deposed != "" {
			change.Address += " (deposed object " + o.deposed + ")"
		}
		show := func(l leaf) string { return display(l, hide, scrub) }
		change.Fields = fieldsOf(o, show)
		before, after := leaves(o.typ, o.before, show), leaves(o.typ, o.after, show)
		change.Names, change.Lists = diff.Names(o.typ, before, after), lists.Of(o.typ, before, after)
		plan.Changes = append(plan.Changes, change)
	}
	return plan, nil
}

func sorted(objects []object) []object {
	return slices.SortedFunc(slices.Values(objects), func(a, b object) int {
		return cmp.Or(strings.Compare(a.address, b.address), strings.Compare(a.deposed, b.deposed))
	})
}

// sensitiveTexts are all sensitive strings of a plan. A computed attribute may
// repeat one without being marked: terraform_data's output does.
func sensitiveTexts(objects []object) map[string]bool {
	out := map[string]bool{}
	for _, o := range objects {
		for _, side := range []map[string]leaf{o.before, o.after} {
			for _, l := range side {
				if l.sensitive && (l.kind == 's' || l.kind == 'n') && l.text != "" {
					out[l.text] = true
				}
			}
		}
	}
	return out
}

// fieldsOf lists the attributes that differ, in the order of path.
func fieldsOf(o object, show func(leaf) string) (out []tasks.Field) {
	add := func(path, before, after string) {
		if before == "" && after == "" {
			return // absent and null
		}
		before, after = fromDifference(before, after)
		out = append(out, tasks.Field{Path: short(path), Before: short(before), After: short(after)})
	}
	if o.previous != "" {
		add("(address)", o.previous, o.address)
	}
	if o.importing != "" {
		add("(import)", "", o.importing)
	}
	paths := map[string]leaf{}
	maps.Copy(paths, o.before)
	maps.Copy(paths, o.after)
	for _, p := range slices.Sorted(maps.Keys(paths)) {
		before, after := o.before[p], o.after[p]
		if before == after {
			continue
		}
		add(p, show(before), show(after))
		if len(out) >= maxFields {
			return append(out, tasks.Field{Path: "…", After: fmt.Sprintf("only the first %d attributes are shown", maxFields)})
		}
	}
	return out
}

// display is a leaf as a person may read it, in full length; "" for null and for
// none. What hides a secret must come before anything that cuts.
func display(l leaf, hide map[string]bool, scrub func(string) string) string {
	switch {
	case l.sensitive || hide[l.text]:
		return sensitiveText
	case l.kind == 'u':
		return unknownText
	case l.kind == '{':
		return "{}"
	case l.kind == '[':
		return "[]"
	}
	for s := range hide {
		if len(s) >= minHidden && strings.Contains(l.text, s) {
			return sensitiveText
		}
	}
	return scrub(l.text)
}

// leafKinds are the kinds of leaves that are more than their text.
var leafKinds = map[byte]lists.LeafKind{'0': lists.Null, 'u': lists.Unknown, '[': lists.NoElements}

// leaves are values as a person may read them, in full length. Of terraform_data only
// what the module gives it is among them.
func leaves(typ string, values map[string]leaf, show func(leaf) string) map[string]lists.Leaf {
	out := make(map[string]lists.Leaf, len(values))
	for path, l := range values {
		if typ == builtinType && (path == "output" || strings.HasPrefix(path, "output.") || strings.HasPrefix(path, "output[")) {
			continue
		}
		shown := lists.Leaf{Text: show(l), Kind: leafKinds[l.kind]}
		if shown.Text == sensitiveText {
			shown.Kind = lists.Hidden
		}
		out[path] = shown
	}
	return out
}

// fromDifference leaves out what long texts have in common at their beginning, so
// that what is shown of them differs.
func fromDifference(a, b string) (string, string) {
	if len(a) <= maxFieldText && len(b) <= maxFieldText || a == "" || b == "" {
		return a, b
	}
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	n -= commonShown
	for n > 0 && !utf8.RuneStart(a[n]) {
		n--
	}
	if n <= 0 {
		return a, b
	}
	return "…" + a[n:], "…" + b[n:]
}

// short bounds a text and escapes what could act on a terminal.
func short(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' && r != '\t' }) {
		q := strconv.Quote(s)
		s = q[1 : len(q)-1]
	}
	if utf8.RuneCountInString(s) <= maxFieldText {
		return s
	}
	return string([]rune(s)[:maxFieldText-1]) + "…"
}
