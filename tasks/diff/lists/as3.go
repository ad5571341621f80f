package lists

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"patchbay/tasks"
)

// The declaration of AS3 is one text for all that a tenant has.
const (
	typeAS3 = "bigip_as3"
	attrAS3 = "as3_json"
)

// maxDeclaration bounds a declaration that is read, in bytes.
const maxDeclaration = 16 << 20

// held is what a part of a declaration holds.
type held struct {
	unit     string
	elements []tasks.Element
}

// declared compares two declarations part by part. What cannot be read, or is
// sensitive, has no parts.
func declared(before, after Leaf) (out []tasks.List) {
	was, wasRead := parts(before)
	is, isRead := parts(after)
	if !wasRead || !isRead {
		return nil
	}
	names := slices.AppendSeq(slices.Collect(maps.Keys(was)), maps.Keys(is))
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		l := tasks.List{Path: attrAS3, Object: name, Unit: was[name].unit, Before: len(was[name].elements), After: len(is[name].elements)}
		if l.Unit == "" {
			l.Unit = is[name].unit
		}
		l.Removed, l.Added = difference(was[name].elements, is[name].elements)
		if len(l.Removed)+len(l.Added) > 0 {
			out = append(out, l)
		}
	}
	return out
}

// parts finds the pools and address lists of a declaration; a leaf without text has none.
func parts(l Leaf) (out map[string]held, ok bool) {
	if l.Text == "" && l.Kind == Plain || l.Kind == Null {
		return nil, true
	}
	var root any
	if l.Kind != Plain || len(l.Text) > maxDeclaration || json.Unmarshal([]byte(l.Text), &root) != nil {
		return nil, false
	}
	out = map[string]held{}
	find(out, "", root)
	return out, true
}

func find(out map[string]held, path string, v any) {
	m, ok := v.(map[string]any)
	if !ok {
		return
	}
	switch m["class"] {
	case "Pool":
		out["pool "+path] = held{"members", members(m["members"])}
		return
	case "Firewall_Address_List":
		out["address list "+path] = held{"addresses", plain(m["addresses"])}
		return
	case "Data_Group":
		out["data group "+path] = held{"records", records(m["records"])}
		return
	}
	for name, sub := range m {
		if name == "declaration" && path == "" { // the request around it
			find(out, "", sub)
			continue
		}
		find(out, path+"/"+name, sub)
	}
}

// members lists the addresses of a pool, each with what else its entry says of it.
func members(v any) (out []tasks.Element) {
	list, _ := v.([]any)
	for _, entry := range list {
		m, _ := entry.(map[string]any)
		e := tasks.Element{}
		for _, name := range slices.Sorted(maps.Keys(m)) {
			switch value := m[name].(type) {
			case string, float64, bool:
				e[name] = fmt.Sprint(value)
			}
		}
		port := e["servicePort"]
		delete(e, "servicePort")
		for _, a := range plain(m["serverAddresses"]) {
			one := maps.Clone(e)
			one["address"], one["port"] = a[""], port
			out = append(out, one)
		}
	}
	return out
}

func plain(v any) (out []tasks.Element) {
	list, _ := v.([]any)
	for _, a := range list {
		if s, ok := a.(string); ok && strings.TrimSpace(s) != "" {
			out = append(out, tasks.Element{"": s})
		}
	}
	return out
}

func records(v any) (out []tasks.Element) {
	list, _ := v.([]any)
	for _, r := range list {
		m, _ := r.(map[string]any)
		if key, ok := m["key"]; ok {
			out = append(out, tasks.Element{"name": fmt.Sprint(key), "data": fmt.Sprint(m["value"])})
		}
	}
	return out
}
