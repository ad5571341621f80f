package config

import (
	"fmt"
	"strings"
)

// repeatable are the blocks of which every file may have many; merging appends
// them.
var repeatable = map[string]bool{"task": true, "service": true, "terraform_provider": true,
	"routes": true, "sidecar": true, "gateway": true, "canary": true}

// exactMaps are the paths below which names are the user's and not ours, so case
// counts and an entry replaces another as a whole.
var exactMaps = map[string]bool{"driver.terraform.required_providers": true}

// backendPath holds one block named for a type: another type replaces it.
const backendPath = "driver.terraform.backend"

// appendFile lays the tree of one more file over what the files before gave:
// scalars and lists are replaced, blocks are merged field by field, repeatable
// blocks are appended. A block that stands twice in one file stays twice, for the
// decoder to report.
func appendFile(all, file node) node {
	file.fields = number(file.fields)
	return overlay(all, file, "")
}

// number spreads lists of repeatable blocks and gives each its path, counted in
// its file as CTS does.
func number(fields []field) (out []field) {
	counts := map[string]int{}
	for _, f := range fields {
		name := strings.ToLower(f.name)
		list, ok := f.value.objects()
		if !repeatable[name] || !ok {
			out = append(out, f)
			continue
		}
		for _, n := range list {
			one := f
			one.value, one.path = n, fmt.Sprintf("%s[%d]", name, counts[name])
			if f.value.kind == kindList {
				one.pos = n.pos
			}
			counts[name]++
			out = append(out, one)
		}
	}
	return out
}

func overlay(below, above node, path string) node {
	below, above = below.block(), above.block()
	if below.kind != kindObject || above.kind != kindObject {
		return above
	}
	if strings.EqualFold(path, backendPath) && !sameNames(below.fields, above.fields) {
		return above
	}
	out := above
	out.fields = append([]field(nil), below.fields...)
	seen := map[string]int{}
	for _, f := range above.fields {
		name := strings.ToLower(f.name)
		if path == "" && repeatable[name] {
			out.fields = append(out.fields, f)
			continue
		}
		if isExact(path) {
			out.fields = replace(out.fields, f)
			continue
		}
		i := find(below.fields, name, seen[name])
		seen[name]++
		if i < 0 {
			out.fields = append(out.fields, f)
			continue
		}
		here := join(path, name)
		f.value = overlay(below.fields[i].value, f.value, here)
		out.fields[i] = f
	}
	return out
}

// isExact tells whether the names at path are the user's.
func isExact(path string) bool {
	return exactMaps[path] || strings.HasPrefix(path, backendPath+".")
}

func replace(fields []field, f field) []field {
	for i := range fields {
		if fields[i].name == f.name {
			fields[i] = f
			return fields
		}
	}
	return append(fields, f)
}

func sameNames(a, b []field) bool {
	return len(a) == 1 && len(b) == 1 && strings.EqualFold(a[0].name, b[0].name)
}
