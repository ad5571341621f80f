package bigip

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"patchbay/templates/internal/bigip/config"
	"patchbay/templates/internal/bigip/rules"
)

// discovery is a list of nodes that AS3 made for a pool's member of addressDiscovery
// event.
type discovery struct {
	pool  string
	nodes []any
}

// discover answers event-driven service discovery: a task and its nodes.
func (d *Device) discover(r Request, rest string) config.Reply {
	id := strings.TrimSuffix(strings.TrimSuffix(rest, "/"), "/nodes")
	list := d.discoveries[id]
	if list == nil {
		return config.Refuse(http.StatusNotFound, "task %s does not exist", id)
	}
	switch r.Method {
	case http.MethodGet:
		return config.OK(map[string]any{"code": http.StatusOK, "result": map[string]any{
			"id": id, "provider": "event", "providerOptions": map[string]any{"nodeList": list.nodes}}})
	case http.MethodPost:
		if !strings.HasSuffix(r.Path, "/nodes") {
			return config.Refuse(http.StatusBadRequest, "tasks are made by AS3")
		}
		return d.announce(r, list)
	}
	return config.Refuse(http.StatusMethodNotAllowed, "method %s is not allowed", r.Method)
}

// announce replaces the nodes of a list and the members of its pool. What a real device
// does with null is not known, so it is refused here.
func (d *Device) announce(r Request, list *discovery) config.Reply {
	var nodes []any
	if err := json.Unmarshal([]byte(r.Body), &nodes); err != nil || nodes == nil {
		return config.Refuse(http.StatusBadRequest, "nodes must be an array")
	}
	members := map[string]map[string]any{}
	for n, x := range nodes {
		node, _ := x.(map[string]any)
		id, _ := node["id"].(string)
		address, err := netip.ParseAddr(fmt.Sprint(node["ip"]))
		wrong := rules.Between(1, 65535)(node["port"])
		if id == "" || err != nil || wrong != "" || len(node) != 3 {
			return config.Refuse(http.StatusBadRequest, "nodes[%d] must have id, ip and port and nothing else", n)
		}
		separator := ":"
		if address.Is6() {
			separator = "."
		}
		members[address.String()+separator+strconv.Itoa(int(node["port"].(float64)))] = map[string]any{"address": address.String()}
	}
	list.nodes = nodes
	kind := config.MembersOf(list.pool)
	delete(d.objects, kind)
	for name, m := range members {
		made := maps.Clone(rules.Defaults["ltm/pool/members"])
		maps.Copy(made, m)
		d.objects.Put(kind, "/"+config.Partition(list.pool)+"/"+name, made)
	}
	return config.OK(map[string]any{"code": http.StatusOK, "message": "success"})
}

// AddDiscovery makes a task of event-driven service discovery and its pool, as AS3 does
// for a pool with a member of addressDiscovery event. The id is ~tenant~application~pool.
func (d *Device) AddDiscovery(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	pool := config.Path(id)
	d.objects.Put("auth/partition", "/"+config.Partition(pool), nil)
	d.objects.Put("ltm/pool", pool, maps.Clone(rules.Defaults["ltm/pool"]))
	d.discoveries[id] = &discovery{pool: pool, nodes: []any{}}
}

// Nodes gives the nodes of a task of event-driven service discovery as they were sent,
// nil when there is no such task.
func (d *Device) Nodes(id string) []any {
	d.mu.Lock()
	defer d.mu.Unlock()
	if list := d.discoveries[id]; list != nil {
		return list.nodes
	}
	return nil
}
