package templates

import (
	"bytes"
	"cmp"
	"slices"

	"patchbay/tasks"
	"patchbay/tasks/catalog"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// The variables that Consul's data fills.
const (
	servicesVariable = "services"
	weightsVariable  = "instance_weights"
	catalogVariable  = "catalog_services"
	kvVariable       = "consul_kv"
	nodesVariable    = "nodes"
)

// consulVariable is one variable of the root that Consul's data fills and the
// module gets.
type consulVariable struct {
	name, description string
	constraint        hclwrite.Tokens
	// write lays out the whole assignment in terraform.tfvars.
	write func(*sheet)
}

// newConsulVariables lists the variables in the order of terraform.tfvars. Every
// module gets services; only a shipped one that asks for it gets instance_weights,
// because the contract does not know it. The others are there when the task is
// given them.
func newConsulVariables(t tasks.Task, in tasks.Input, m module) ([]consulVariable, error) {
	var out []consulVariable
	for _, name := range variableOrder(t) {
		var v []consulVariable
		var err error
		switch {
		case name == servicesVariable:
			v, err = servicesVariables(in.Services, m)
		case name == catalogVariable && in.CatalogServices != nil:
			v, err = catalogVariables(in.CatalogServices)
		case name == kvVariable && in.KV != nil:
			v, err = kvVariables(in.KV)
		case name == nodesVariable && in.Nodes != nil:
			v, err = nodesVariables(in.Nodes)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, v...)
	}
	return out, nil
}

// variableOrder names every variable once: services of the old list, the
// condition's, then the module inputs' in their order, then the rest with services
// last.
func variableOrder(t tasks.Task) []string {
	var names []string
	add := func(name string, given bool) {
		if given && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	add(servicesVariable, len(t.OldServices) > 0)
	add(catalogVariable, t.Condition.CatalogServices != nil)
	for _, given := range t.Given() {
		add(servicesVariable, given.Services != nil)
		add(kvVariable, given.ConsulKV != nil)
		add(nodesVariable, given.Nodes != nil)
	}
	for _, name := range []string{catalogVariable, kvVariable, nodesVariable, servicesVariable} {
		add(name, true)
	}
	return names
}

// servicesFirst gives the variables in the order of the module block and of the
// declarations.
func servicesFirst(variables []consulVariable) []consulVariable {
	out := slices.Clone(variables)
	slices.SortStableFunc(out, func(a, b consulVariable) int { return cmp.Compare(rank(a), rank(b)) })
	return out
}

func rank(v consulVariable) int {
	if v.name == servicesVariable || v.name == weightsVariable {
		return 0
	}
	return 1
}

func servicesVariables(list []tasks.Service, m module) ([]consulVariable, error) {
	services, err := cleanServices(list)
	if err != nil {
		return nil, err
	}
	out := []consulVariable{{
		name:        servicesVariable,
		description: "The instances of Consul services that the task selects, by id.node.datacenter",
		constraint:  servicesConstraint(),
		write:       func(s *sheet) { writeServices(s, services) },
	}}
	if m.weighted {
		out = append(out, consulVariable{
			name:        weightsVariable,
			description: "The weight in Consul of every instance, by its key in services",
			constraint:  typeTokens(cty.Map(cty.Number)),
			write:       func(s *sheet) { writeWeights(s, services) },
		})
	}
	return out, nil
}

// consulValues gives the body of terraform.tfvars: one assignment per variable, a
// blank line before each and none within.
func (r *root) consulValues() []byte {
	var out bytes.Buffer
	for _, v := range r.consul {
		s := newSheet(&out)
		s.newline()
		v.write(s)
		s.flush()
	}
	return out.Bytes()
}

// serviceAttributes are the attributes of an entry of services, in the contract's
// order.
var serviceAttributes = []string{
	"id", "name", "kind", "address", "port", "meta", "tags", "namespace", "status",
	"node", "node_id", "node_address", "node_datacenter", "node_tagged_addresses", "node_meta",
	"cts_user_defined_meta",
}

func writeServices(s *sheet, services []service) {
	s.open(servicesVariable, bare)
	for _, i := range services {
		s.open(i.key, quoted)
		s.text("id", i.id)
		s.text("name", i.name)
		s.text("kind", i.kind)
		s.text("address", i.address)
		s.number("port", i.port)
		s.pairs("meta", i.meta)
		s.list("tags", i.tags)
		s.text("namespace", i.namespace)
		s.text("status", i.status)
		s.text("node", i.node)
		s.text("node_id", i.nodeID)
		s.text("node_address", i.nodeAddress)
		s.text("node_datacenter", i.nodeDatacenter)
		s.pairs("node_tagged_addresses", i.nodeTaggedAddresses)
		s.pairs("node_meta", i.nodeMeta)
		s.pairs("cts_user_defined_meta", i.userMeta)
		s.close(true)
		s.flush()
	}
	s.close(false)
}

func writeWeights(s *sheet, services []service) {
	s.open(weightsVariable, bare)
	for _, i := range services {
		s.key(i.key, quoted)
		s.value(i.weight)
		s.newline()
	}
	s.close(false)
}

// weight is the one of Consul's two weights that applies: none to an instance
// that is critical or in maintenance.
func weight(i catalog.Instance) int {
	switch i.Status() {
	case catalog.Passing:
		return i.Weights.Passing
	case catalog.Warning:
		return i.Weights.Warning
	}
	return 0
}
