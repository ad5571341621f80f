package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Delta is one difference between two views in plain words and in parts.
type Delta struct {
	// Service is "" where a key or a node changed; Instance where a whole service did.
	Service  string `json:"service"`
	Instance string `json:"instance,omitempty"`
	// Key is the full key that changed; its values are never told.
	Key string `json:"key,omitempty"`
	// Node is the name of the node that changed.
	Node string `json:"node,omitempty"`
	// What is added, removed, health, address, or changed.
	What string `json:"what"`
	// From and To are the states, addresses or values before and after.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	// Check is the name of the check that changed the health, with its output.
	Check  string `json:"check,omitempty"`
	Output string `json:"output,omitempty"`
}

// maxOutput bounds the check output that a Delta keeps, in bytes: a check may
// print up to 4 KiB by Consul's default and any text.
const maxOutput = 256

// String tells the delta in one line.
func (d Delta) String() string {
	switch {
	case d.Key != "":
		return d.keyText()
	case d.Node != "":
		return d.nodeText()
	case d.Instance == "":
		return d.serviceText()
	}
	switch d.What {
	case "added":
		return fmt.Sprintf("%s: instance %s at %s was registered (%s)", d.Service, d.Instance, d.To, d.From)
	case "removed":
		return fmt.Sprintf("%s: instance %s at %s is gone", d.Service, d.Instance, d.From)
	case "health":
		s := fmt.Sprintf("%s: instance %s went from %s to %s", d.Service, d.Instance, d.From, d.To)
		if d.Check != "" {
			s += fmt.Sprintf(" by check %q", d.Check)
		}
		return s
	case "address":
		return fmt.Sprintf("%s: instance %s moved from %s to %s", d.Service, d.Instance, d.From, d.To)
	}
	return fmt.Sprintf("%s: instance %s changed its %s", d.Service, d.Instance, d.To)
}

// Diff lists what changed between two instance lists, in the order of keys.
func Diff(before, after []Instance) []Delta {
	was, is := byKey(before), byKey(after)
	keys := slices.Sorted(maps.Keys(was))
	for k := range is {
		if _, ok := was[k]; !ok {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	var out []Delta
	for _, k := range keys {
		out = append(out, diffInstance(k, was, is)...)
	}
	return out
}

func diffInstance(key string, was, is map[string]Instance) []Delta {
	a, had := was[key]
	b, has := is[key]
	switch {
	case !had:
		return []Delta{{Service: b.Name, Instance: key, What: "added", From: b.Status(), To: hostPort(b)}}
	case !has:
		return []Delta{{Service: a.Name, Instance: key, What: "removed", From: hostPort(a)}}
	}
	var out []Delta
	if a.Status() != b.Status() {
		d := Delta{Service: b.Name, Instance: key, What: "health", From: a.Status(), To: b.Status()}
		if c, ok := changedCheck(a, b); ok {
			d.Check, d.Output = c.Name, clip(c.Output)
		}
		out = append(out, d)
	}
	if hostPort(a) != hostPort(b) {
		out = append(out, Delta{Service: b.Name, Instance: key, What: "address", From: hostPort(a), To: hostPort(b)})
	}
	for _, field := range changedFields(a, b) {
		out = append(out, Delta{Service: b.Name, Instance: key, What: "changed", To: field})
	}
	return out
}

// clip cuts a text to maxOutput without leaving half a character.
func clip(text string) string {
	return strings.ToValidUTF8(text[:min(maxOutput, len(text))], "")
}

// changedCheck finds the check that explains b's state: among those that changed
// the one with that very state, since another may have healed at the same time.
func changedCheck(a, b Instance) (Check, bool) {
	before := map[string]string{}
	for _, c := range a.Checks {
		before[c.ID] = c.Status
	}
	worst, ok := b.WorstCheck()
	for _, c := range b.Checks {
		if before[c.ID] != c.Status && c.Status == worst.Status {
			return c, true
		}
	}
	return worst, ok
}

func changedFields(a, b Instance) (fields []string) {
	add := func(changed bool, name string) {
		if changed {
			fields = append(fields, name)
		}
	}
	add(!slices.Equal(a.Tags, b.Tags), "tags")
	add(!maps.Equal(a.Meta, b.Meta), "meta")
	add(a.Weights != b.Weights, "weights")
	add(a.Kind != b.Kind, "kind")
	add(a.Node.ID != b.Node.ID || a.Node.Address != b.Node.Address || !maps.Equal(a.Node.Meta, b.Node.Meta) ||
		!maps.Equal(a.Node.TaggedAddresses, b.Node.TaggedAddresses), "node")
	return fields
}

func byKey(list []Instance) map[string]Instance {
	m := make(map[string]Instance, len(list))
	for _, i := range list {
		m[i.Key()] = i
	}
	return m
}

func hostPort(i Instance) string { return fmt.Sprintf("%s:%d", i.Host(), i.Port) }
