package rig

import (
	"encoding/json"
	"fmt"
)

// Resource is one piece of Envoy's configuration.
type Resource struct {
	// Type is the URL of xDS, as type.googleapis.com/envoy.config.cluster.v3.Cluster.
	Type string
	// Name is what the type's resources are told apart by; a bootstrap has none.
	Name string
	// Version is what the control plane gave; Envoy does not tell it of endpoints,
	// whose version is in [Envoy.Texts].
	Version string
	// State is static, active, warming, draining, or rejected: what was refused last.
	State string
	// Error tells why a rejected one was.
	Error string
	// Config is the resource itself; private keys are redacted by Envoy.
	Config json.RawMessage
}

// ConfigDump gives all that Envoy is configured with, endpoints included.
func (e *Envoy) ConfigDump() ([]Resource, error) {
	var answer struct{ Configs []map[string]json.RawMessage }
	if err := e.adminJSON("/config_dump?include_eds", &answer); err != nil {
		return nil, err
	}
	var out []Resource
	for _, section := range answer.Configs {
		resources, err := readSection(section)
		if err != nil {
			return nil, fmt.Errorf("read Envoy's configuration: %w", err)
		}
		out = append(out, resources...)
	}
	return out, nil
}

// dumpLists are the lists of the sections of envoy.admin.v3.ConfigDump and the state
// of what is in them. Each entry of dynamic_listeners has several states.
var dumpLists = []struct{ name, state string }{
	{"static_listeners", "static"}, {"dynamic_listeners", ""},
	{"static_clusters", "static"}, {"dynamic_active_clusters", "active"}, {"dynamic_warming_clusters", "warming"},
	{"static_route_configs", "static"}, {"dynamic_route_configs", "active"},
	{"static_endpoint_configs", "static"}, {"dynamic_endpoint_configs", "active"},
	{"static_secrets", "static"}, {"dynamic_active_secrets", "active"}, {"dynamic_warming_secrets", "warming"},
}

func readSection(section map[string]json.RawMessage) ([]Resource, error) {
	if config, ok := section["bootstrap"]; ok {
		return []Resource{{Type: "type.googleapis.com/envoy.config.bootstrap.v3.Bootstrap", State: "static", Config: config}}, nil
	}
	var out []Resource
	for _, list := range dumpLists {
		text, ok := section[list.name]
		if !ok {
			continue
		}
		var entries []dumpEntry
		if err := json.Unmarshal(text, &entries); err != nil {
			return nil, fmt.Errorf("read %s: %w", list.name, err)
		}
		for _, entry := range entries {
			out = append(out, entry.resources(list.state)...)
		}
	}
	for i := range out {
		if err := out[i].identify(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// identify takes type and name from the configuration itself.
func (r *Resource) identify() error {
	var id struct {
		Type    string `json:"@type"`
		Name    string
		Cluster string `json:"cluster_name"`
	}
	if err := json.Unmarshal(r.Config, &id); err != nil {
		return fmt.Errorf("read %s resource: %w", r.State, err)
	}
	r.Type, r.Name = id.Type, id.Name+id.Cluster
	return nil
}

// dumpEntry is an entry of any list; one of the five has the resource.
type dumpEntry struct {
	Version  string          `json:"version_info"`
	Listener json.RawMessage `json:"listener"`
	Cluster  json.RawMessage `json:"cluster"`
	Route    json.RawMessage `json:"route_config"`
	Endpoint json.RawMessage `json:"endpoint_config"`
	Secret   json.RawMessage `json:"secret"`

	Active   *dumpEntry `json:"active_state"`
	Warming  *dumpEntry `json:"warming_state"`
	Draining *dumpEntry `json:"draining_state"`
	Rejected *struct {
		Version string          `json:"version_info"`
		Details string          `json:"details"`
		Config  json.RawMessage `json:"failed_configuration"`
	} `json:"error_state"`
}

func (d dumpEntry) resources(state string) []Resource {
	var out []Resource
	for _, config := range []json.RawMessage{d.Listener, d.Cluster, d.Route, d.Endpoint, d.Secret} {
		if config != nil {
			out = append(out, Resource{Version: d.Version, State: state, Config: config})
		}
	}
	for _, part := range []struct {
		state string
		entry *dumpEntry
	}{{"active", d.Active}, {"warming", d.Warming}, {"draining", d.Draining}} {
		if part.entry != nil {
			out = append(out, part.entry.resources(part.state)...)
		}
	}
	if r := d.Rejected; r != nil {
		out = append(out, Resource{Version: r.Version, State: "rejected", Error: r.Details, Config: r.Config})
	}
	return out
}
