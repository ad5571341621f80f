package diff

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"patchbay/tasks"
	"patchbay/tasks/catalog"
	"patchbay/tasks/diff/lists"

	"github.com/zclconf/go-cty/cty"
)

// shipped tells what the shipped module's terraform_data does, service by service.
func (t *teller) shipped() {
	if len(t.data) == 0 {
		return
	}
	w, known := shipped[t.module]
	if known {
		t.told(w)
	}
	// What such a module keeps beside its devices is told when it is all there is.
	if len(t.out)+len(t.order) > 0 {
		return
	}
	for _, c := range t.data {
		t.plain(words{}, c)
	}
}

func (t *teller) told(w words) {
	titles := t.titles()
	made := !slices.ContainsFunc(t.data, func(c tasks.Change) bool { return c.Action != tasks.Create })
	for _, service := range t.services() {
		name, field, changes := titles.of(service)
		if !changes && len(titles.fields) > 0 && !titles.partial && titles.any {
			continue
		}
		d := t.service(service, made)
		d.Object, d.Unit = clean(w.word+" "+name, maxText), w.unit
		if len(d.Items) == 0 && changes {
			d.Notes = t.settings(service, field)
		}
		if len(d.Items)+len(d.Notes) > 0 {
			t.out = append(t.out, d)
		}
	}
}

// services are those that the module had or has, in order.
func (t *teller) services() []string {
	names := map[string]bool{}
	for _, list := range []map[string]catalog.Member{t.was, t.is} {
		for _, m := range list {
			names[m.Service] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// memberItems gives the members of a service as items, each with one of its members.
func (t *teller) memberItems(service string, at func(catalog.Member) string) (was, is map[string]catalog.Member) {
	pick := func(list map[string]catalog.Member) map[string]catalog.Member {
		out := map[string]catalog.Member{}
		for _, m := range list {
			if old, taken := out[at(m)]; m.Service == service && m.Address != "" && (!taken || m.Key < old.Key) {
				out[at(m)] = m
			}
		}
		return out
	}
	return pick(t.was), pick(t.is)
}

// service tells the members of one service that come, go and change.
func (t *teller) service(service string, made bool) tasks.DeviceChange {
	at, weights := endpoint, true
	if slices.Contains(hosts, t.module) {
		at, weights = func(m catalog.Member) string { return m.Address }, false
	}
	was, is := t.memberItems(service, at)
	if made {
		was = nil
	}
	d := tasks.DeviceChange{Action: tasks.Update, Size: &tasks.Size{Before: len(was), After: len(is)}}
	switch {
	case made:
		d.Action = tasks.Create
	case t.Destroyed:
		d.Action = tasks.Delete
	}
	by := map[string][]told{}
	for _, item := range slices.Sorted(maps.Keys(was)) {
		m, stays := is[item]
		if !stays {
			by[tasks.ItemRemoved] = append(by[tasks.ItemRemoved], told{item: item, why: t.left(was[item])})
		} else if detail, why := t.changed(m, weights); detail != "" {
			by[tasks.ItemChanged] = append(by[tasks.ItemChanged], told{item: item, detail: detail, why: why})
		}
	}
	for _, item := range slices.Sorted(maps.Keys(is)) {
		if _, there := was[item]; there {
			continue
		}
		x := told{item: item}
		if _, had := t.was[is[item].Key]; !made || !had {
			x.why = t.came(is[item])
		}
		by[tasks.ItemAdded] = append(by[tasks.ItemAdded], x)
	}
	for _, what := range order {
		d.Items = append(d.Items, group(what, by[what])...)
	}
	return d
}

// settings tells of a service whose members stay what the plan and Consul say.
func (t *teller) settings(service string, f tasks.Field) (out []string) {
	before, after := pairs(f.Before), pairs(f.After)
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if was, had := before[name]; had && was != after[name] && !strings.Contains(name, "sha") && len(out) < maxNotes {
			out = append(out, clean(fmt.Sprintf("%s %s → %s", name, was, after[name]), maxText))
		}
	}
	for _, d := range t.Causes {
		if d.Service == service && d.Instance != "" && d.What == "changed" && len(out) < maxNotes {
			out = append(out, clean(fmt.Sprintf("instance %s changed its %s", d.Instance, d.To), maxText))
		}
	}
	if len(out) == 0 {
		out = append(out, "weights or settings change")
	}
	return out
}

// pairs reads a text such as servers=3 down=0.
func pairs(text string) map[string]string {
	out := map[string]string{}
	for word := range strings.FieldsSeq(text) {
		if name, value, ok := strings.Cut(word, "="); ok {
			out[name] = value
		}
	}
	return out
}

// titles are the names of the device's objects that a plan of terraform_data tells.
type titles struct {
	fields map[string]tasks.Field
	prefix string
	// partial says that the plan lists a part of its fields only, any that the names
	// of services are among them.
	partial, any bool
}

func (t *teller) titles() titles {
	out := titles{fields: map[string]tasks.Field{}}
	for _, c := range t.data {
		_, key := splitAddress(strings.TrimPrefix(c.Address, "module."+t.Task.Name+"."))
		if key != "" {
			out.fields[key] = tasks.Field{}
		}
		for _, f := range c.Fields {
			switch {
			case f.Path == "…":
				out.partial = true
			case derived(f.Path):
				continue
			case key != "":
				if strings.Contains(f.After, "sha256=") {
					out.fields[key] = f
				}
				continue
			}
			var s lists.Step
			for rest := f.Path; rest != ""; {
				s, rest = lists.Cut(rest)
			}
			if !s.Indexed && s.Name != "" {
				out.fields[s.Name] = f
			}
		}
	}
	for name, v := range t.Task.Variables {
		if strings.HasSuffix(name, "_prefix") && v.IsKnown() && !v.IsNull() && v.Type() == cty.String {
			out.prefix = v.AsString()
		}
	}
	for _, s := range t.services() {
		_, _, found := out.of(s)
		out.any = out.any || found
	}
	return out
}

// of finds the object of a service: of its name, or of the digest that stands for one
// that the device would not take.
func (o titles) of(service string) (name string, f tasks.Field, found bool) {
	name = o.prefix + service
	if f, found = o.fields[name]; found {
		return name, f, true
	}
	sum := sha256.Sum256([]byte(service))
	digest := hex.EncodeToString(sum[:])[:20]
	for n, f := range o.fields {
		if strings.HasSuffix(n, digest) {
			return n, f, true
		}
	}
	return name, tasks.Field{}, false
}
