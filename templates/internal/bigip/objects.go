package bigip

import (
	"maps"
	"net/http"
	"slices"

	"patchbay/templates/internal/bigip/config"
)

// AddPartition makes a partition, as an administrator does.
func (d *Device) AddPartition(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.objects.Put("auth/partition", "/"+name, nil)
}

func (d *Device) hasPartition(name string) bool {
	return name == "Common" || d.objects.Get("auth/partition", "/"+name) != nil
}

// Object gives an object by kind and full path, such as "ltm/pool" and "/Common/web",
// nil when there is none. Whoever gets it must not change it.
func (d *Device) Object(kind, path string) map[string]any {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.objects.Get(kind, path)
}

// Paths lists the full paths of a kind's objects.
func (d *Device) Paths(kind string) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Sorted(maps.Keys(d.objects[kind]))
}

// Members gives the members of a pool by name, such as 10.0.0.1:80.
func (d *Device) Members(pool string) map[string]map[string]any {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := map[string]map[string]any{}
	for _, m := range d.objects[config.MembersOf(pool)] {
		out[m["name"].(string)] = m
	}
	return out
}

// configure answers iControl REST below /mgmt/tm/: a collection, or an object whose
// path has ~ for /.
func (d *Device) configure(r Request, rest string) config.Reply {
	if rest == "sys/version" || rest == "cli/version" {
		return config.OK(map[string]any{"entries": map[string]any{"https://localhost/mgmt/tm/cli/version/0": map[string]any{
			"nestedStats": map[string]any{"entries": map[string]any{"active": map[string]any{"description": "17.1.1"}}}}}})
	}
	if r.transaction != "" && r.Method != http.MethodGet {
		return d.queue(r, rest)
	}
	return d.objects.Serve(r.Method, r.Body, rest, d.hasPartition)
}
