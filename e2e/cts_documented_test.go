package e2e

import (
	"fmt"
	"path/filepath"
	"testing"

	"patchbay/e2e/internal/rig"

	"github.com/hashicorp/consul/api"
)

// documented are the tasks of Consul-Terraform-Sync's documentation, one of each
// condition, as its users copy them: only the modules' paths are this test's, and
// the cron expression is one whose time comes.
const documented = `terraform_provider "local" {}

task {
  name        = "services_condition_task"
  description = "execute on changes to services with names starting with web"
  module      = "%[1]s"
  providers   = ["local"]

  condition "services" {
    regexp              = "^web.*"
    datacenter          = "dc1"
    filter              = "Service.Tags not contains \"prod\""
    use_as_module_input = true
    cts_user_defined_meta {
      key = "value"
    }
  }
}

task {
  name        = "catalog_service_condition_task"
  description = "execute on registration/deregistration of services"
  module      = "%[2]s"
  providers   = ["local"]

  condition "catalog-services" {
    datacenter          = "dc1"
    regexp              = "web.*"
    use_as_module_input = true
    node_meta {
      key = "value"
    }
  }

  module_input "services" {
    names      = ["web-api"]
    datacenter = "dc1"
  }
}

task {
  name        = "consul_kv_condition_task"
  description = "execute on changes to Consul KV entry"
  module      = "%[3]s"
  providers   = ["local"]

  condition "consul-kv" {
    path                = "my-key"
    recurse             = false
    datacenter          = "dc1"
    use_as_module_input = true
  }
}

task {
  name        = "scheduled_task"
  description = "execute on a schedule using service information from web-api and db"
  module      = "%[4]s"
  providers   = ["local"]

  condition "schedule" {
    cron = "* * * * * * *"
  }

  module_input "services" {
    names = ["web-api", "db"]
  }
}
`

// localModule writes an expression to a file with the provider hashicorp/local.
func (w *world) localModule(name, expression string, kinds ...string) (module, file string) {
	w.t.Helper()
	file = filepath.Join(w.dir, name+".json")
	return w.plainModule(name, fmt.Sprintf(`terraform {
  required_providers {
    local = { source = "hashicorp/local" }
  }
}
resource "local_file" "note" {
  content  = jsonencode(%s)
  filename = %s
}
`, expression, rig.HCLString(file)), kinds...), file
}

func TestTheTasksOfTheDocumentationRunAsTheyAre(t *testing.T) {
	t.Parallel()
	underBothNames(t, func(t *testing.T, as string, use func(w *world)) {
		w := newWorld(t)
		use(w)
		_, err := w.consul.Client.Catalog().Register(&api.CatalogRegistration{Node: "edge-1", Address: "10.0.0.1", NodeMeta: map[string]string{"key": "value"},
			Service: &api.AgentService{ID: "web-api-1", Service: "web-api", Address: "10.0.0.1", Port: 80, Tags: []string{"a"}}}, nil)
		w.must(err)
		w.put("my-key", "10")
		all, services := w.localModule("services", `[for k, s in var.services : "${s.id} ${s.cts_user_defined_meta.key}"]`)
		catalog, names := w.localModule("catalog", "[var.catalog_services, keys(var.services)]", "catalog_services")
		keys, kv := w.localModule("keys", "var.consul_kv", "consul_kv")
		clock, ticks := w.localModule("clock", "keys(var.services)")
		w.start(w.config("", fmt.Sprintf(documented, all, catalog, keys, clock)))
		w.reads(services, `["web-api-1 value"]`)
		w.reads(names, `[{"web-api":["a"]},["web-api-1.edge-1.dc1"]]`)
		w.reads(kv, `{"my-key":"10"}`)
		w.reads(ticks, `["web-api-1.edge-1.dc1"]`)

		// One of another name, one with the wrong tag, one more that fits.
		register := func(name, id string, tags ...string) {
			w.must(w.consul.Client.Agent().ServiceRegister(&api.AgentServiceRegistration{ID: id, Name: name, Tags: tags, Port: 81}))
		}
		register("db", "db-1")
		register("web-shop", "web-shop-1", "prod")
		register("web-shop", "web-shop-2")
		w.put("my-key", "11")
		w.reads(services, `["web-api-1 value","web-shop-2 value"]`)
		w.reads(kv, `{"my-key":"11"}`)
		w.reads(ticks, `["db-1.node-1.dc1","web-api-1.edge-1.dc1"]`)
		w.reads(names, `[{"web-api":["a"]},["web-api-1.edge-1.dc1"]]`)
		for _, task := range []string{"services_condition_task", "catalog_service_condition_task", "consul_kv_condition_task", "scheduled_task"} {
			w.shows("/v1/status/tasks/"+task, `"status":"successful"`)
			w.state(task, true)
		}
	})
}
