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
	"patchbay/tasks/diff/reason"
	"patchbay/tasks/diff/text"

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
	for _, service := range t.Services() {
		name, field, changes := titles.of(service)
		if !changes && len(titles.fields) > 0 && !titles.partial && titles.any {
			continue
		}
		d := t.service(service, made)
		d.Object, d.Unit = text.Clean(w.word+" "+name, text.MaxName), w.unit
		if len(d.Items) == 0 && changes {
			d.Notes = t.settings(service, field)
		}
		if len(d.Items)+len(d.Notes) > 0 {
			t.out = append(t.out, d)
		}
	}
}

// service tells the members of one service that come, go and change.
func (t *teller) service(service string, made bool) tasks.DeviceChange {
	at, weights := reason.Endpoint, true
	if slices.Contains(hosts, t.module) {
		at, weights = func(m catalog.Member) string { return m.Address }, false
	}
	was, is := t.Members(service, at)
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
	for item, old := range was { // in no order: group sorts the few that differ
		m, stays := is[item]
		if !stays {
			by[tasks.ItemRemoved] = append(by[tasks.ItemRemoved], told{item: item, why: t.Left(old)})
		} else if detail, why := t.Changed(m, weights); detail != "" {
			by[tasks.ItemChanged] = append(by[tasks.ItemChanged], told{item: item, detail: detail, why: why})
		}
	}
	for item := range is {
		if _, there := was[item]; there {
			continue
		}
		x := told{item: item}
		if !made || !t.Had(is[item]) {
			x.why = t.Came(is[item])
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
			out = append(out, text.Clean(fmt.Sprintf("%s %s → %s", name, was, after[name]), text.MaxName))
		}
	}
	for _, d := range t.causes {
		if d.Service == service && d.Instance != "" && d.What == "changed" && len(out) < maxNotes {
			out = append(out, text.Clean(fmt.Sprintf("instance %s changed its %s", d.Instance, d.To), text.MaxName))
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
	for _, s := range t.Services() {
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
