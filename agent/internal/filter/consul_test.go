package filter

import (
	"encoding/json"
	"net/url"
	"slices"
	"testing"

	"patchbay/agent/internal/testconsul"
	"patchbay/tasks/catalog"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/consul/api"
)

func startConsul(t *testing.T) *api.Client {
	t.Helper()
	for _, name := range []string{"CONSUL_HTTP_TOKEN", "CONSUL_HTTP_SSL", "CONSUL_NAMESPACE", "CONSUL_PARTITION"} {
		t.Setenv(name, "")
	}
	server := testconsul.Start(t, nil)
	client, err := api.NewClient(&api.Config{Address: server.HTTPAddr})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func register(t *testing.T, client *api.Client) {
	t.Helper()
	for n, r := range []api.CatalogRegistration{
		{Node: "n1", Address: "10.0.0.1", NodeMeta: map[string]string{"rack": "r7"},
			Service: &api.AgentService{ID: "web-1", Service: "web", Port: 80, Tags: []string{"blue", "v1"},
				Meta: map[string]string{"zone": "dmz", "a-b": "x"}, Weights: api.AgentWeights{Passing: 10, Warning: 2}},
			Checks: api.HealthChecks{{Node: "n1", CheckID: "c1", Name: "http", Status: "passing", ServiceID: "web-1", Output: "200 OK"}}},
		{Node: "n2", Address: "10.0.0.2", TaggedAddresses: map[string]string{"wan": "1.2.3.4"},
			Service: &api.AgentService{ID: "web-2", Service: "web", Port: 8080, Tags: []string{"green"}, Address: "10.1.0.2",
				TaggedAddresses: map[string]api.ServiceAddress{"lan": {Address: "10.2.0.2", Port: 81}}},
			Checks: api.HealthChecks{
				{Node: "n2", CheckID: "c1", Name: "http", Status: "critical", ServiceID: "web-2", Notes: "down since noon"},
				{Node: "n2", CheckID: "serfHealth", Name: "Serf", Status: "passing"}}},
		{Node: "n3", Address: "10.0.0.3", NodeMeta: map[string]string{"rack": "r8"},
			Service: &api.AgentService{ID: "web-3", Service: "web", Meta: map[string]string{"zone": "lan", "quote": `"\`}}},
	} {
		if _, err := client.Catalog().Register(&r, nil); err != nil {
			t.Fatalf("register %d: %v", n, err)
		}
	}
}

func instance(e *api.ServiceEntry) catalog.Instance {
	i := catalog.Instance{ID: e.Service.ID, Name: e.Service.Service, Kind: string(e.Service.Kind), Address: e.Service.Address,
		Port: e.Service.Port, Tags: e.Service.Tags, Meta: e.Service.Meta,
		Weights:         catalog.Weights{Passing: e.Service.Weights.Passing, Warning: e.Service.Weights.Warning},
		TaggedAddresses: map[string]catalog.Endpoint{},
		Node: catalog.Node{ID: e.Node.ID, Name: e.Node.Node, Address: e.Node.Address, Datacenter: e.Node.Datacenter,
			TaggedAddresses: e.Node.TaggedAddresses, Meta: e.Node.Meta}}
	for tag, a := range e.Service.TaggedAddresses {
		i.TaggedAddresses[tag] = catalog.Endpoint{Address: a.Address, Port: a.Port}
	}
	for _, c := range e.Checks {
		i.Checks = append(i.Checks, catalog.Check{ID: c.CheckID, Name: c.Name, Status: c.Status, Type: c.Type, Output: c.Output,
			Notes: c.Notes, ServiceID: c.ServiceID, ServiceTags: c.ServiceTags})
	}
	return i
}

func TestRealConsulGivesTheSameAnswer(t *testing.T) {
	client := startConsul(t)
	register(t, client)
	all, _, err := client.Health().Service("web", "", false, nil)
	if err != nil || len(all) != 3 {
		t.Fatalf("read all: %d entries, %v, want 3", len(all), err)
	}
	for expr, want := range map[string][]string{
		`"blue" in Service.Tags`:                              {"web-1"},
		`Service.Tags is empty`:                               {"web-3"},
		`Service.Tags not contains "v1" and Service.Port > 1`: nil,
		`Checks.Status == "critical"`:                         {"web-2"},
		`Checks.Status != "critical"`:                         {"web-1", "web-2"},
		`not Checks.Status == critical`:                       {"web-1", "web-3"},
		`Checks is empty`:                                     {"web-3"},
		`Service.Meta.zone == dmz`:                            {"web-1"},
		`Service.Meta.zone != dmz`:                            {"web-2", "web-3"},
		`Service.Meta["a-b"] == "x"`:                          {"web-1"},
		`Service.Meta.zone matches "^l"`:                      {"web-2", "web-3"},
		`Service.Meta.quote == "\"\\"`:                        {"web-3"},
		`Node.Meta["rack"] == "r8"`:                           {"web-3"},
		`"rack" not in Node.Meta`:                             {"web-2"},
		"Node.Address matches `^10\\.0\\.0\\.[12]$`":          {"web-1", "web-2"},
		`Service.Address == ""`:                               {"web-1", "web-3"},
		`Service.Weights.Passing == 10 or Service.Port == 0`:  {"web-1", "web-3"},
		`Service.TaggedAddresses.lan.Port == 81`:              {"web-2"},
		`Node.TaggedAddresses.wan == "1.2.3.4"`:               {"web-2"},
		`Checks.Notes matches "noon" and Node.Node == n2`:     {"web-2"},
		`Checks.ServiceName == web`:                           {"web-1", "web-2"},
		`Service.Tagz is empty`:                               nil,
		`Service.Meta is empty`:                               {"web-2"},
	} {
		t.Run(expr, func(t *testing.T) {
			kept, _, consulErr := client.Health().Service("web", "", false, &api.QueryOptions{Filter: expr})
			match, err := Compile(expr)
			if (consulErr != nil) != (err != nil) {
				t.Fatalf("consul: %v, here: %v", consulErr, err)
			}
			if err != nil {
				return
			}
			var theirs, ours []string
			for _, e := range kept {
				theirs = append(theirs, e.Service.ID)
			}
			for _, e := range all {
				if match(instance(e)) {
					ours = append(ours, e.Service.ID)
				}
			}
			slices.Sort(theirs)
			slices.Sort(ours)
			if d := cmp.Diff(theirs, ours); d != "" {
				t.Errorf("consul (-) and filter (+) differ for %s:\n%s", url.QueryEscape(expr), d)
			}
			if d := cmp.Diff(want, ours); d != "" {
				t.Errorf("want (-), got (+):\n%s", d)
			}
		})
	}
	if t.Failed() {
		dump, _ := json.Marshal(all)
		t.Logf("consul has %s", dump)
	}
}
