package diff

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"patchbay/tasks"
	"patchbay/tasks/catalog"
	"patchbay/tasks/diff/reason"
	"patchbay/tasks/diff/text"
)

// teller collects what is told of a plan.
type teller struct {
	*reason.Reasons
	causes []catalog.Delta
	module string // the shipped one, without builtin/; "" for others
	out    []tasks.DeviceChange
	// owners collect resources that are items of one object, in order.
	owners map[string]*owner
	order  []*owner
	// data are changes of a shipped module that show no members.
	data []tasks.Change
}

// owner is an object whose items are resources of their own.
type owner struct {
	object, unit string
	what         map[string][]told // by kind of change
	action       tasks.Action
}

// told is one item with what is known of it.
type told struct {
	item, detail string
	why          *tasks.Why
}

func (t *teller) change(c tasks.Change) {
	w := resources[c.Type]
	inside := t.module != "" && strings.HasPrefix(c.Address, "module."+t.Task.Name+".")
	switch {
	case c.Action == tasks.NoOp || c.Action == tasks.Read:
	case inside && slices.Contains(written, c.Type):
		t.data = append(t.data, c)
	case w.item != "" && c.Names[w.name] != "" && c.Names[w.item] != "":
		t.own(w.object(c), w.unit, c, plainName(c.Names[w.item]))
	case len(c.Lists) > 0:
		t.lists(w, c)
	case w.word == "" && (c.Action == tasks.Create || c.Action == tasks.Delete || c.Action == tasks.Forget):
		block, key := splitAddress(strings.TrimPrefix(c.Address, "module."+t.Task.Name+"."))
		if key == "" {
			t.plain(w, c)
			return
		}
		t.own(text.Clean(block, text.MaxName), "objects", c, key)
	default:
		t.plain(w, c)
	}
}

// own adds a resource to the object that it is an item of.
func (t *teller) own(object, unit string, c tasks.Change, item string) {
	o := t.owners[object]
	if o == nil {
		o = &owner{object: object, unit: unit, what: map[string][]told{}, action: c.Action}
		t.owners[object] = o
		t.order = append(t.order, o)
	}
	x := told{item: item}
	switch c.Action {
	case tasks.Create:
		x.why = t.Added(item)
		o.what[tasks.ItemAdded] = append(o.what[tasks.ItemAdded], x)
	case tasks.Delete, tasks.Forget:
		x.why = t.Removed(item)
		o.what[tasks.ItemRemoved] = append(o.what[tasks.ItemRemoved], x)
	default:
		x.detail = strings.Join(notes(c), ", ")
		if x.detail == "" {
			x.detail = verb(c.Action)
		}
		x.why = t.either(item)
		o.what[tasks.ItemChanged] = append(o.what[tasks.ItemChanged], x)
	}
	if o.action != c.Action {
		o.action = tasks.Update
	}
}

// either tells why an item stays and changes: a device may drain a member that left
// before it loses it.
func (t *teller) either(item string) *tasks.Why {
	if w := t.Removed(item); w != nil {
		return w
	}
	return t.Added(item)
}

// owned tells an object by its items. How many it has in all only the members tell,
// where all items are members of one service.
func (t *teller) owned(o *owner) tasks.DeviceChange {
	d := tasks.DeviceChange{Object: o.object, Action: tasks.Update, Unit: o.unit}
	for _, what := range order {
		d.Items = append(d.Items, group(what, o.what[what])...)
	}
	if o.unit == "members" || o.unit == "addresses" {
		d.Size = t.size(o)
	}
	return d
}

func (t *teller) size(o *owner) *tasks.Size {
	service := ""
	for _, what := range []string{tasks.ItemRemoved, tasks.ItemAdded} {
		for _, x := range o.what[what] {
			if x.why == nil || service != "" && service != x.why.Service {
				return nil
			}
			service = x.why.Service
		}
	}
	was, is := t.Members(service, reason.Endpoint)
	if service == "" || len(is)-len(was) != len(o.what[tasks.ItemAdded])-len(o.what[tasks.ItemRemoved]) {
		return nil
	}
	return &tasks.Size{Before: len(was), After: len(is)}
}

// lists tells an object by its lists, and its other attributes with the first.
func (t *teller) lists(w words, c tasks.Change) {
	for n, l := range c.Lists {
		object, unit := w.list(c, l, t.Task.Name)
		d := tasks.DeviceChange{Object: object, Action: c.Action, Unit: unit, Size: &tasks.Size{Before: l.Before, After: l.After}}
		d.Items = t.items(l)
		if n == 0 {
			d.Notes = notes(c)
		}
		t.out = append(t.out, d)
	}
}

// items pairs what goes and comes under one name, which is a change of it.
func (t *teller) items(l tasks.List) (out []tasks.ItemChange) {
	by := map[string][]told{}
	gone := map[string][]tasks.Element{} // what is left of removed ones, by item
	for _, e := range l.Removed {
		item, rest := itemOf(e)
		gone[item] = append(gone[item], rest)
	}
	for _, e := range l.Added {
		item, rest := itemOf(e)
		if was := gone[item]; len(was) > 0 {
			gone[item] = was[1:]
			// What differs in an attribute that only applying tells is the same thing.
			if detail := differing(was[0], rest); detail != "" {
				by[tasks.ItemChanged] = append(by[tasks.ItemChanged], told{item: item, detail: detail, why: t.either(item)})
			}
			continue
		}
		by[tasks.ItemAdded] = append(by[tasks.ItemAdded], told{item: item, why: t.Added(item)})
	}
	for _, e := range l.Removed {
		item, _ := itemOf(e)
		if left := gone[item]; len(left) > 0 {
			gone[item] = left[1:]
			by[tasks.ItemRemoved] = append(by[tasks.ItemRemoved], told{item: item, why: t.Removed(item)})
		}
	}
	for _, what := range order {
		out = append(out, group(what, by[what])...)
	}
	return out
}

// differing tells attributes that an item has and will have.
func differing(a, b tasks.Element) string {
	var out []string
	names := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(names)
	for _, n := range slices.Compact(names) {
		if a[n] != b[n] {
			out = append(out, n+" "+orNothing(a[n])+" → "+orNothing(b[n]))
		}
	}
	return strings.Join(out, ", ")
}

// plain tells an object by the attributes that differ.
func (t *teller) plain(w words, c tasks.Change) {
	d := tasks.DeviceChange{Object: w.object(c), Action: c.Action, Notes: notes(c)}
	if d.Object == "" {
		d.Object = generic(t.Task.Name, c.Address)
	}
	if c.Action == tasks.Create || c.Action == tasks.Delete {
		d.Notes = nil // all of it is new, or goes
	}
	t.out = append(t.out, d)
}

const (
	// maxNotes is how many attributes are told, maxValue how much of a value.
	maxNotes = 5
	maxValue = 60
)

// notes tells the attributes that differ and are not among the lists.
func notes(c tasks.Change) (out []string) {
	if c.Action != tasks.Update && c.Action != tasks.Replace {
		return nil
	}
	more := 0
	for _, f := range c.Fields {
		if listed(c, f.Path) || c.Type == "terraform_data" && derived(f.Path) {
			continue
		}
		if len(out) == maxNotes {
			more++
			continue
		}
		out = append(out, fmt.Sprintf("%s %s → %s", text.Clean(f.Path, text.MaxName), orNothing(text.Clean(f.Before, maxValue)), orNothing(text.Clean(f.After, maxValue))))
	}
	if more > 0 {
		out = append(out, fmt.Sprintf("%d more attributes", more))
	}
	return out
}

// listed tells whether a field is a value of a list that is told, or only counts the
// fields that a plan does not list.
func listed(c tasks.Change, path string) bool {
	return slices.ContainsFunc(c.Lists, func(l tasks.List) bool {
		at := within.ReplaceAllString(l.Path, "[0]")
		at, _, _ = strings.Cut(at, "[0]")
		return path == l.Path || strings.HasPrefix(path, l.Path+"[") || strings.HasPrefix(path, at+"[") || path == "…"
	})
}

// derived tells whether terraform_data makes the attribute of its other ones.
func derived(path string) bool {
	return path == "id" || path == "output" || strings.HasPrefix(path, "output.") || strings.HasPrefix(path, "output[")
}

func orNothing(v string) string {
	if v == "" {
		return `""`
	}
	return v
}

// splitAddress takes an address apart: the block and the key of the object in it, ""
// when it has none.
func splitAddress(address string) (block, key string) {
	if !strings.HasSuffix(address, "]") {
		return address, ""
	}
	for i := 0; i < len(address); i++ {
		if address[i] != '[' {
			continue
		}
		inner := address[i+1 : len(address)-1]
		if text, err := strconv.Unquote(inner); err == nil {
			return address[:i], text
		}
		if _, err := strconv.Atoi(inner); err == nil {
			return address[:i], inner
		}
	}
	return address, ""
}

// verb tells an action in a word.
func verb(a tasks.Action) string {
	switch a {
	case tasks.Create:
		return "created"
	case tasks.Delete:
		return "removed"
	case tasks.Replace:
		return "replaced"
	case tasks.Forget:
		return "forgotten"
	}
	return "changed"
}
