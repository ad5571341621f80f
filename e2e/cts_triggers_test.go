package e2e

import (
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"

	"patchbay/e2e/internal/rig"

	"github.com/hashicorp/consul/api"
)

// witness is a task that runs at once when a key changes; [world.moment] uses it.
func (w *world) witness() string {
	w.t.Helper()
	module, _ := w.noteModule("witness", "[for v in values(var.consul_kv) : v]", "consul_kv")
	return fmt.Sprintf(`task {
  name   = "witness"
  module = %q
  condition "consul-kv" {
    path = "witness/%s"
  }
  buffer_period {
    enabled = false
  }
}
`, module, w.id)
}

// moments numbers the values of the witness's key.
var moments atomic.Int64

// moment waits until a change made now has been applied: what an earlier change
// started has begun by then.
func (w *world) moment() {
	w.t.Helper()
	value := strconv.FormatInt(moments.Add(1), 10)
	w.put("witness/"+w.id, value)
	w.reads(w.dir+"/witness.json", fmt.Sprintf("[%q]", value))
}

// unbuffered is a task whose changes wait for nothing.
func unbuffered(name, module, blocks string) string {
	return fmt.Sprintf("task {\n  name   = %q\n  module = %q\n%s\n  buffer_period {\n    enabled = false\n  }\n}\n", name, module, blocks)
}

// services is a condition or an input on services.
func services(kind string, names ...string) string {
	return fmt.Sprintf("  %s \"services\" {\n    names = %s\n  }\n", kind, rig.HCLStrings(names...))
}

// ran checks how many runs a task has, once what happened until now has been seen.
func (w *world) ran(task string, want int) {
	w.t.Helper()
	w.moment()
	w.must(rig.Until(w.t.Context(), limit, func() error {
		runs, err := w.patchbay.Runs(task)
		if err == nil && len(runs) > 0 && runs[0].Phase != "applied" && runs[0].Phase != "unchanged" {
			err = fmt.Errorf("the newest run of %s is %s", task, runs[0].Phase)
		}
		return err
	}))
	if runs := w.runs(task); len(runs) != want {
		w.t.Errorf("%s has %d runs, want %d; the newest by %+v", task, len(runs), want, runs[0].Causes)
	}
}

func TestServicesStartARunWhenAnythingOfAnInstanceChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const service = "web"
	registration := api.AgentServiceRegistration{ID: "web-1", Name: service, Address: "10.0.0.1", Port: 80, Tags: []string{"a"}, Meta: map[string]string{"k": "v"},
		Check: &api.AgentServiceCheck{CheckID: "check:web-1", TTL: "1h", Status: api.HealthPassing}}
	register := func() { w.must(w.consul.Client.Agent().ServiceRegister(&registration)) }
	register()
	module, note := w.noteModule("web", `[for s in var.services : "${s.id} ${s.address}:${s.port} ${join(",", s.tags)} ${jsonencode(s.meta)} ${s.node_address} ${jsonencode(s.node_meta)}" if s.node != "node-1" || s.id == "web-1"]`)
	w.start(w.config(local, w.witness(), unbuffered("web", module, services("condition", service))))
	first := func(rest string) string {
		node, _, err := w.consul.Client.Catalog().Node("node-1", nil)
		w.must(err)
		return fmt.Sprintf(`web-1 %s 127.0.0.1 {\"consul-network-segment\":\"\",\"consul-version\":\"%s\"}`, rest, node.Node.Meta["consul-version"])
	}
	w.reads(note, `["`+first(`10.0.0.1:80 a {\"k\":\"v\"}`)+`"]`)

	// Each step is a change of its own kind.
	registration.Address = "10.0.0.2"
	register()
	w.reads(note, `["`+first(`10.0.0.2:80 a {\"k\":\"v\"}`)+`"]`)
	registration.Port = 81
	register()
	w.reads(note, `["`+first(`10.0.0.2:81 a {\"k\":\"v\"}`)+`"]`)
	registration.Tags = []string{"b", "a"}
	register()
	w.reads(note, `["`+first(`10.0.0.2:81 a,b {\"k\":\"v\"}`)+`"]`)
	registration.Meta = map[string]string{"k": "w"}
	register()
	w.reads(note, `["`+first(`10.0.0.2:81 a,b {\"k\":\"w\"}`)+`"]`)
	// An instance comes, on a node of its own; then the node's data change.
	rack := func(address, row string) {
		_, err := w.consul.Client.Catalog().Register(&api.CatalogRegistration{Node: "rack-7", Address: address, NodeMeta: map[string]string{"row": row},
			Service: &api.AgentService{ID: "web-2", Service: service, Address: "10.0.0.7", Port: 90}}, nil)
		w.must(err)
	}
	both := func(address, row string) string {
		return fmt.Sprintf(`["%s","web-2 10.0.0.7:90  {} %s {\"row\":\"%s\"}"]`, first(`10.0.0.2:81 a,b {\"k\":\"w\"}`), address, row)
	}
	rack("10.1.0.7", "1")
	w.reads(note, both("10.1.0.7", "1"))
	rack("10.1.0.8", "1")
	w.reads(note, both("10.1.0.8", "1"))
	rack("10.1.0.8", "2")
	w.reads(note, both("10.1.0.8", "2"))
	// One becomes critical, passing again, and goes.
	w.must(w.consul.SetHealth("web-1", api.HealthCritical))
	w.reads(note, `["web-2 10.0.0.7:90  {} 10.1.0.8 {\"row\":\"2\"}"]`)
	w.must(w.consul.SetHealth("web-1", api.HealthPassing))
	w.reads(note, both("10.1.0.8", "2"))
	w.must(w.consul.Deregister("web-1"))
	w.reads(note, `["web-2 10.0.0.7:90  {} 10.1.0.8 {\"row\":\"2\"}"]`)
}

func TestOutputOfChecksWeightsAndOtherServicesStartNoRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.serve("web", "web-1")
	module, note := w.noteModule("web", "sort([for s in var.services : s.id])")
	w.start(w.config(local, w.witness(), unbuffered("web", module, services("condition", "web"))))
	w.reads(note, `["web-1"]`)
	w.ran("web", 1)

	w.must(w.consul.Client.Agent().UpdateTTL("check:web-1", "another output", api.HealthPassing))
	w.must(w.consul.Client.Agent().ServiceRegister(&api.AgentServiceRegistration{ID: "web-1", Name: "web", Address: "127.0.0.1", Port: w.backends["web-1"].Port(),
		Weights: &api.AgentWeights{Passing: 7, Warning: 2}, TaggedAddresses: map[string]api.ServiceAddress{"wan": {Address: "192.0.2.9", Port: 1}},
		Check: &api.AgentServiceCheck{CheckID: "check:web-1", Name: "another name", TTL: "2h", Status: api.HealthPassing}}))
	w.serve("api", "api-1")
	w.ran("web", 1)
	w.serve("web", "web-2")
	w.reads(note, `["web-1","web-2"]`)
	w.ran("web", 2)
}

func TestNamesOfTheCatalogStartARunOnlyWhenTheirSetChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.serve("web-a", "web-1")
	module, note := w.noteModule("names", "keys(var.catalog_services)", "catalog_services")
	w.start(w.config(local, w.witness(), unbuffered("names", module, "  condition \"catalog-services\" {\n    regexp = \"^web\"\n  }")))
	w.reads(note, `["web-a"]`)
	w.serve("web-a", "web-2")
	w.must(w.consul.SetHealth("web-1", api.HealthCritical))
	w.must(w.consul.Client.Agent().ServiceRegister(&api.AgentServiceRegistration{ID: "web-3", Name: "web-a", Tags: []string{"new"}}))
	w.serve("other", "other-1")
	w.must(w.consul.Deregister("web-2"))
	w.ran("names", 1)
	w.serve("web-b", "web-4")
	w.reads(note, `["web-a","web-b"]`)
	w.must(w.consul.Deregister("web-4"))
	w.reads(note, `["web-a"]`)
	w.ran("names", 3)
}

func TestAKeyThatIsCreatedChangedOrDeletedStartsARun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("folder/other", "x")
	module, note := w.noteModule("key", "var.consul_kv", "consul_kv")
	w.start(w.config(local, w.witness(), unbuffered("key", module, "  condition \"consul-kv\" {\n    path = \"folder/key\"\n  }\n  guard {\n    allow_empty = true\n  }")))
	w.reads(note, `{}`)
	w.put("folder/key", "1")
	w.reads(note, `{"folder/key":"1"}`)
	w.put("folder/key", "2")
	w.reads(note, `{"folder/key":"2"}`)
	w.put("folder/keys", "of another name")
	w.ran("key", 3)
	_, err := w.consul.Client.KV().Delete("folder/key", nil)
	w.must(err)
	w.reads(note, `{}`)
	w.ran("key", 4)
}

func TestAModuleInputStartsNoRunAndAChangeStartsOnlyTheTasksThatWatchIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.serve("web", "web-1")
	w.serve("api", "api-1")
	w.put("limit", "10")
	watches, watched := w.noteModule("watches", "sort([for s in var.services : s.id])")
	given, note := w.noteModule("given", "[sort([for s in var.services : s.id]), var.consul_kv]", "consul_kv")
	w.start(w.config(local, w.witness(), unbuffered("watches", watches, services("condition", "web")),
		unbuffered("given", given, "  condition \"consul-kv\" {\n    path = \"limit\"\n  }\n"+services("module_input", "web"))))
	w.reads(note, `[["web-1"],{"limit":"10"}]`)
	w.reads(watched, `["web-1"]`)
	// web is read once for both; only the one whose condition it is runs.
	w.serve("web", "web-2")
	w.reads(watched, `["web-1","web-2"]`)
	w.ran("watches", 2)
	w.ran("given", 1)
	// The newest input is used by the next run.
	w.put("limit", "11")
	w.reads(note, `[["web-1","web-2"],{"limit":"11"}]`)
	w.ran("given", 2)
	w.ran("watches", 2)
}

func TestAConditionThatIsNoInputStartsARunThatRendersTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.serve("web", "web-1")
	module, note := w.noteModule("deaf", "length(var.services)")
	w.start(w.config(local, w.witness(), unbuffered("deaf", module, "  condition \"services\" {\n    names = [\"web\"]\n    use_as_module_input = false\n  }")))
	w.reads(note, `0`)
	w.ran("deaf", 1)
	w.serve("web", "web-2")
	w.must(rig.Until(t.Context(), limit, func() error {
		if runs := w.runs("deaf"); len(runs) != 2 || runs[0].Phase != "unchanged" {
			return fmt.Errorf("there are %d runs, the newest %s; want a second that changed nothing", len(runs), runs[0].Phase)
		}
		return nil
	}))
}
