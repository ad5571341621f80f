package trial

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"patchbay/tasks"
	"patchbay/tasks/catalog"
	"patchbay/templates/source"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// entry is an instance as a module has it.
type entry struct {
	ID, Name, Kind, Address, Namespace, Status string
	Port                                       int
	Tags                                       []string
	Meta                                       map[string]string
	Node                                       string
	NodeID                                     string            `json:"node_id"`
	NodeAddress                                string            `json:"node_address"`
	NodeDatacenter                             string            `json:"node_datacenter"`
	NodeTaggedAddresses                        map[string]string `json:"node_tagged_addresses"`
	NodeMeta                                   map[string]string `json:"node_meta"`
	UserMeta                                   map[string]string `json:"cts_user_defined_meta"`
}

// Recorded makes a set of the values of a terraform.tfvars: of services, which must be
// there, and of consul_kv, catalog_services, instance_weights and canary_weights. An
// entry may have fewer attributes than the contract; its key is kept where it has
// neither id nor node.
func Recorded(name string, values map[string]cty.Value) (Set, error) {
	out := Set{Name: name, About: "recorded services"}
	given, ok := values[source.Services]
	if !ok {
		return out, errors.New(`there is no services = { … } in it: take the terraform.tfvars of a task's directory, or write {"services": {"web-1.n1.dc1": {"name": "web", "address": "10.0.0.1", "port": 80}}}`)
	}
	if given.IsNull() || !given.Type().IsObjectType() && !given.Type().IsMapType() {
		return out, errors.New("services is no map of instances")
	}
	contract := source.Contract()
	var weights map[string]float64
	for name, to := range map[string]struct {
		constraint cty.Type
		into       any
	}{
		tasks.VariableKV:              {contract[tasks.VariableKV], &out.KV},
		tasks.VariableCatalogServices: {contract[tasks.VariableCatalogServices], &out.CatalogServices},
		"instance_weights":            {contract["instance_weights"], &weights},
		"canary_weights":              {contract["canary_weights"], &out.Canaries},
	} {
		if v, ok := values[name]; ok {
			if err := decode(v, to.constraint, to.into); err != nil {
				return out, fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	all := given.AsValueMap()
	for _, key := range slices.Sorted(maps.Keys(all)) {
		s, err := recorded(key, all[key])
		if err != nil {
			return out, fmt.Errorf("services: %q: %w", key, err)
		}
		if w, ok := weights[key]; ok {
			s.Weights = catalog.Weights{Passing: int(w), Warning: int(w)}
		}
		out.Services = append(out.Services, s)
	}
	slices.SortStableFunc(out.Services, func(a, b tasks.Service) int { return cmp.Compare(a.Key(), b.Key()) })
	return out, nil
}

// decode reads a value by its constraint.
func decode(v cty.Value, constraint cty.Type, into any) error {
	v, err := convert.Convert(v, constraint)
	if err != nil {
		return err
	}
	text, err := ctyjson.Marshal(v, constraint)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

func recorded(key string, v cty.Value) (s tasks.Service, err error) {
	if v.IsNull() || !v.Type().IsObjectType() {
		return s, errors.New("it is no object")
	}
	attributes, values := source.Instance(), map[string]cty.Value{}
	for name, value := range v.AsValueMap() {
		constraint, known := attributes[name]
		switch {
		case !known:
			return s, fmt.Errorf("the contract has no attribute %q", name)
		case value.IsNull():
		default:
			if values[name], err = convert.Convert(value, constraint); err != nil {
				return s, fmt.Errorf("attribute %s: %w", name, err)
			}
		}
	}
	object := cty.ObjectVal(values)
	var e entry
	if err := decode(object, object.Type(), &e); err != nil {
		return s, err
	}
	if e.Port < 0 || e.Port > 65535 {
		return s, fmt.Errorf("port %d is none from 0 to 65535", e.Port)
	}
	if e.ID == "" && e.Node == "" {
		e.ID = key
	}
	return e.service()
}

func (e entry) service() (tasks.Service, error) {
	s := tasks.Service{UserMeta: e.UserMeta, Instance: catalog.Instance{
		ID: e.ID, Name: e.Name, Kind: e.Kind, Address: e.Address, Port: e.Port, Tags: e.Tags, Meta: e.Meta, Namespace: e.Namespace,
		Weights: catalog.Weights{Passing: 1, Warning: 1},
		Node: catalog.Node{ID: e.NodeID, Name: e.Node, Address: e.NodeAddress, Datacenter: e.NodeDatacenter,
			TaggedAddresses: e.NodeTaggedAddresses, Meta: e.NodeMeta},
	}}
	switch e.Status {
	case "", catalog.Passing:
	case catalog.Warning, catalog.Critical:
		s.Checks = check(e.Status)
	case catalog.Maintenance:
		s.Checks = check(catalog.Critical)
		s.Checks[0].ID = maintenance + e.ID
	default:
		return s, fmt.Errorf("status %q is none of passing, warning, critical and maintenance", e.Status)
	}
	return s, nil
}
