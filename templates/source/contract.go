package source

import (
	"maps"

	"github.com/zclconf/go-cty/cty"
)

// Services is the one variable that every module must declare.
const Services = "services"

var (
	texts    = cty.Map(cty.String)
	instance = map[string]cty.Type{
		"id": cty.String, "name": cty.String, "kind": cty.String, "address": cty.String, "port": cty.Number, "meta": texts,
		"tags": cty.List(cty.String), "namespace": cty.String, "status": cty.String, "node": cty.String, "node_id": cty.String,
		"node_address": cty.String, "node_datacenter": cty.String, "node_tagged_addresses": texts, "node_meta": texts,
		"cts_user_defined_meta": texts,
	}
	contract = map[string]cty.Type{
		Services:           cty.Map(cty.Object(instance)),
		"catalog_services": cty.Map(cty.List(cty.String)),
		"consul_kv":        texts,
		"nodes": cty.Map(cty.Object(map[string]cty.Type{"id": cty.String, "name": cty.String, "address": cty.String,
			"datacenter": cty.String, "tagged_addresses": texts, "meta": texts})),
		"instance_weights": cty.Map(cty.Number),
		"canary_weights":   cty.Map(cty.Map(cty.Number)),
	}
)

// Contract gives the variables that a task gives by itself, with their types.
func Contract() map[string]cty.Type { return maps.Clone(contract) }

// Instance gives the attributes of an entry of [Services].
func Instance() map[string]cty.Type { return maps.Clone(instance) }
