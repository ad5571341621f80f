package catalog

import (
	"fmt"
	"maps"
	"slices"

	"pgregory.net/rapid"
)

var webHealth = Query{Kind: ServiceHealth, Name: "web"}

// full is an instance in which every field is set.
func full() Instance {
	return Instance{ID: "web-1", Name: "web", Kind: "typical", Address: "10.0.0.1", Port: 80, Tags: []string{"a", "b"},
		Meta: map[string]string{"k": "v"}, Namespace: "team", Weights: Weights{Passing: 2, Warning: 1},
		TaggedAddresses: map[string]Endpoint{"lan": {Address: "10.0.0.1", Port: 80}},
		Node: Node{ID: "id", Name: "n1", Address: "10.1.0.1", Datacenter: "dc1",
			TaggedAddresses: map[string]string{"wan": "1.2.3.4"}, Meta: map[string]string{"rack": "r1"}},
		Checks: []Check{{ID: "c1", Name: "http", Status: Passing, Type: "http", Output: "ok", Notes: "n", ServiceID: "web-1",
			ServiceTags: []string{"a"}}}}
}

// clone shares nothing with i.
func clone(i Instance) Instance {
	i.Tags, i.Checks = slices.Clone(i.Tags), slices.Clone(i.Checks)
	i.Meta, i.TaggedAddresses = maps.Clone(i.Meta), maps.Clone(i.TaggedAddresses)
	i.Node.Meta, i.Node.TaggedAddresses = maps.Clone(i.Node.Meta), maps.Clone(i.Node.TaggedAddresses)
	return i
}

// pool is n passing instances, the one numbered k on node nk.
func pool(n int) []Instance {
	out := make([]Instance, n)
	for k := range out {
		out[k] = Instance{ID: fmt.Sprintf("web-%03d", k), Name: "web", Port: 80, Weights: Weights{1, 1},
			Node: Node{Name: fmt.Sprintf("n%d", k), Address: "10.0.0.1", Datacenter: "dc1"}}
	}
	return out
}

// with gives the instance one check of that state.
func with(i Instance, status string) Instance {
	i.Checks = []Check{{ID: "c", Name: "http", Status: status, Output: "said " + status}}
	return i
}

// withAll gives each instance a check of that state.
func withAll(list []Instance, status string) []Instance {
	for n := range list {
		list[n] = with(list[n], status)
	}
	return list
}

func health(list ...Instance) *View { return NewServiceView(webHealth, list) }

func names(list ...string) *View {
	m := map[string][]string{}
	for _, name := range list {
		m[name] = nil
	}
	return NewNamesView(Query{Kind: ServiceNames}, m)
}

func pairs(keys ...string) *View {
	m := map[string]string{}
	for _, key := range keys {
		m[key] = "value of " + key
	}
	return NewPairsView(Query{Kind: KVPrefix}, m)
}

func nodes(list ...string) *View {
	var out []Node
	for _, name := range list {
		out = append(out, Node{Name: name, Address: "10.0.0.1", Datacenter: "dc1"})
	}
	return NewNodesView(Query{Kind: NodeNames}, out)
}

func inEpoch(v *View, epoch int) *View {
	v.Epoch = epoch
	return v
}

// drawInstance draws one of few IDs and nodes, dots in them, so that keys collide.
func drawInstance(t *rapid.T) Instance {
	text := rapid.SampledFrom([]string{"", "a", "b", "a.b", "ü", "x\x00y"})
	status := rapid.SampledFrom([]string{Passing, Warning, Critical})
	i := Instance{ID: rapid.SampledFrom([]string{"a", "a.b", "b", "c"}).Draw(t, "id"), Name: "web",
		Port: rapid.IntRange(0, 3).Draw(t, "port"), Tags: rapid.SliceOfN(text, 0, 3).Draw(t, "tags"),
		Meta: rapid.MapOfN(text, text, 0, 3).Draw(t, "meta"),
		Node: Node{Name: rapid.SampledFrom([]string{"c", "b.c", "n"}).Draw(t, "node"), Datacenter: "dc1"}}
	for range rapid.IntRange(0, 3).Draw(t, "checks") {
		i.Checks = append(i.Checks, Check{ID: text.Draw(t, "check"), Name: text.Draw(t, "name"), Status: status.Draw(t, "status")})
	}
	return i
}

// drawPool draws instances of which no two share ID and node.
func drawPool(t *rapid.T) []Instance {
	return rapid.SliceOfNDistinct(rapid.Custom(drawInstance), 0, 8, func(i Instance) [2]string {
		return [2]string{i.ID, i.Node.Name}
	}).Draw(t, "instances")
}
