package config

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// Objects are the configuration: by kind and full path, such as "ltm/pool" and
// "/Common/web". Members of a pool are of kind "ltm/pool/members /Common/web".
type Objects map[string]map[string]map[string]any

// Get gives an object, nil when there is none.
func (o Objects) Get(kind, path string) map[string]any { return o[kind][path] }

// Put makes or replaces an object.
func (o Objects) Put(kind, path string, object map[string]any) {
	if o[kind] == nil {
		o[kind] = map[string]map[string]any{}
	}
	folder := path[:strings.LastIndexByte(path, '/')]
	out := map[string]any{
		"kind": "tm:" + strings.ReplaceAll(strings.Fields(kind)[0], "/", ":"), "name": path[len(folder)+1:],
		"partition": Partition(path), "fullPath": path,
	}
	maps.Copy(out, object)
	o[kind][path] = out
}

// Remove removes an object, if there is one.
func (o Objects) Remove(kind, path string) { delete(o[kind], path) }

// All gives the objects of a kind in the order of their path.
func (o Objects) All(kind string) []any {
	out := []any{}
	for _, path := range slices.Sorted(maps.Keys(o[kind])) {
		out = append(out, o[kind][path])
	}
	return out
}

// Clone is a copy that shares nothing: a transaction fails without a trace.
func (o Objects) Clone() Objects {
	content, err := json.Marshal(o)
	if err != nil {
		panic(err) // all of it came from JSON
	}
	out := Objects{}
	if err := json.Unmarshal(content, &out); err != nil {
		panic(err)
	}
	return out
}

// Partition is the first folder of a path.
func Partition(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return first
}

// MembersOf is the kind of the members of a pool.
func MembersOf(pool string) string { return "ltm/pool/members " + pool }
