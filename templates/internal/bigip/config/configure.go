package config

import (
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"patchbay/templates/internal/bigip/rules"
)

// place is what a path below /mgmt/tm/ names: schema is the key of [rules.Kinds].
type place struct{ schema, kind, path string }

func locate(rest string) (place, bool) {
	if pool, member, found := strings.Cut(rest, "/members"); found && strings.HasPrefix(rest, "ltm/pool/") {
		path := Path(strings.TrimPrefix(pool, "ltm/pool/"))
		return place{"ltm/pool/members", MembersOf(path), Path(strings.TrimPrefix(member, "/"))}, true
	}
	for kind := range rules.Kinds {
		if rest == kind {
			return place{kind, kind, ""}, true
		}
		if name, found := strings.CutPrefix(rest, kind+"/"); found && !strings.Contains(name, "/") {
			return place{kind, kind, Path(name)}, true
		}
	}
	return place{}, false
}

// Path is a full path that was written with ~, or a name in Common.
func Path(name string) string {
	if name == "" {
		return ""
	}
	if path := strings.ReplaceAll(name, "~", "/"); strings.HasPrefix(path, "/") {
		return path
	}
	return "/Common/" + name
}

// Serve answers a request of iControl REST: a collection, or an object whose path has ~
// for /. rest is what follows /mgmt/tm/; partitions tells which there are.
func (o Objects) Serve(method, body string, rest string, partitions func(string) bool) Reply {
	at, found := locate(rest)
	if !found {
		return Refuse(http.StatusNotFound, "Public URI path not registered: /mgmt/tm/%s", rest)
	}
	if pool, of := strings.CutPrefix(at.kind, "ltm/pool/members "); of && o.Get("ltm/pool", pool) == nil {
		return Refuse(http.StatusNotFound, "01020036:3: The requested Pool (%s) was not found.", pool)
	}
	if at.path == "" {
		return o.collection(method, body, at, partitions)
	}
	have := o.Get(at.kind, at.path)
	if have == nil {
		return Refuse(http.StatusNotFound, "01020036:3: The requested %s (%s) was not found.", at.schema, at.path)
	}
	switch method {
	case http.MethodGet:
		return OK(have)
	case http.MethodDelete:
		if user := o.user(at); user != "" {
			return Refuse(http.StatusBadRequest, "01070110:3: Node address '%s' is referenced by a member of pool '%s'.", at.path, user)
		}
		o.Remove(at.kind, at.path)
		if at.schema == "ltm/pool" {
			delete(o, MembersOf(at.path))
		}
		return Reply{http.StatusOK, nil}
	case http.MethodPatch, http.MethodPut:
		return o.change(method, body, at, have)
	}
	return Refuse(http.StatusMethodNotAllowed, "method %s is not allowed", method)
}

func (o Objects) collection(method, body string, at place, partitions func(string) bool) Reply {
	switch method {
	case http.MethodGet:
		return OK(map[string]any{"kind": at.schema + ":collectionstate", "items": o.All(at.kind)})
	case http.MethodPost:
		return o.create(method, body, at, partitions)
	}
	return Refuse(http.StatusMethodNotAllowed, "method %s is not allowed", method)
}

func (o Objects) create(method, body string, at place, partitions func(string) bool) Reply {
	asked, fits := Object(body)
	if !fits {
		return Refuse(http.StatusBadRequest, "Found invalid JSON body in the request.")
	}
	name, _ := asked["name"].(string)
	path := name
	if !strings.HasPrefix(name, "/") {
		folder, _ := asked["partition"].(string)
		if folder == "" {
			folder = "Common"
		}
		path = "/" + folder + "/" + name
	}
	switch {
	case !rules.PlainName.MatchString(path[strings.LastIndexByte(path, '/')+1:]):
		return Refuse(http.StatusBadRequest, "01070734:3: Configuration error: invalid name (%s)", name)
	case !partitions(Partition(path)):
		return Refuse(http.StatusNotFound, "01020036:3: The requested folder (/%s) was not found.", Partition(path))
	case o.Get(at.kind, path) != nil:
		return Refuse(http.StatusConflict, "01020066:3: The requested %s (%s) already exists in partition %s.", at.schema, path, Partition(path))
	}
	wanted, bad := written(at.schema, asked)
	if bad != "" {
		return Refuse(http.StatusBadRequest, "%s", bad)
	}
	if bad := o.complete(at, path, wanted); bad != "" {
		return Refuse(http.StatusBadRequest, "%s", bad)
	}
	made := maps.Clone(rules.Defaults[at.schema])
	if made == nil {
		made = map[string]any{}
	}
	maps.Copy(made, wanted)
	o.Put(at.kind, path, made)
	return OK(o.Get(at.kind, path))
}

// written gives what a request sets; what it may not set is told.
func written(schema string, asked map[string]any) (map[string]any, string) {
	out := map[string]any{}
	for _, key := range slices.Sorted(maps.Keys(asked)) {
		if key == "name" || key == "partition" || key == "fullPath" {
			continue
		}
		check, known := rules.Kinds[schema][key]
		if !known {
			return nil, strconv.Quote(key) + " unknown property"
		}
		if asked[key] == nil && key != "records" && key != "addresses" {
			return nil, "01070734:3: Configuration error: " + key + " has no value"
		}
		if wrong := check(asked[key]); wrong != "" {
			return nil, "01070734:3: Configuration error: " + key + ": " + wrong
		}
		out[key] = asked[key]
	}
	return out, ""
}

func (o Objects) change(method, body string, at place, have map[string]any) Reply {
	asked, fits := Object(body)
	if !fits {
		return Refuse(http.StatusBadRequest, "Found invalid JSON body in the request.")
	}
	wanted, bad := written(at.schema, asked)
	if bad != "" {
		return Refuse(http.StatusBadRequest, "%s", bad)
	}
	if kind, set := wanted["type"]; set && kind != have["type"] {
		return Refuse(http.StatusBadRequest, "type may not be modified")
	}
	next := maps.Clone(have)
	if method == http.MethodPut {
		maps.Copy(next, rules.Defaults[at.schema])
	}
	maps.Copy(next, wanted)
	if bad := o.complete(at, at.path, next); bad != "" {
		return Refuse(http.StatusBadRequest, "%s", bad)
	}
	o.Put(at.kind, at.path, next)
	return OK(o.Get(at.kind, at.path))
}

// complete fills in what a device derives, and tells what it does not take as a whole.
func (o Objects) complete(at place, path string, next map[string]any) string {
	switch at.schema {
	case "ltm/pool/members":
		return o.join(path, next)
	case "ltm/node":
		if next["address"] == nil {
			return "01070734:3: Configuration error: a node needs an address"
		}
	case "ltm/data-group/internal":
		return sortRecords(next)
	}
	return ""
}

// join gives a member its address and, where there is none, its node.
func (o Objects) join(path string, next map[string]any) string {
	name := path[strings.LastIndexByte(path, '/')+1:]
	separator := ":"
	if strings.Count(name, ":") > 1 {
		separator = "."
	}
	cut := strings.LastIndex(name, separator)
	if cut < 0 {
		return "01070734:3: Configuration error: member " + name + " has no port"
	}
	if port, err := strconv.Atoi(name[cut+1:]); err != nil || port < 0 || port > 65535 {
		return "01070734:3: Configuration error: member " + name + " has no valid port"
	}
	node := path[:len(path)-len(name)] + name[:cut]
	if known := o.Get("ltm/node", node); known != nil {
		next["address"] = known["address"]
		return ""
	}
	if wrong := rules.IsAddress(name[:cut]); wrong != "" {
		return "01070734:3: Configuration error: node " + node + " was not found and is no address"
	}
	next["address"] = name[:cut]
	made := maps.Clone(rules.Defaults["ltm/node"])
	made["address"] = name[:cut]
	o.Put("ltm/node", node, made)
	return ""
}

// user is a pool that has a node as its member.
func (o Objects) user(at place) string {
	if at.schema != "ltm/node" {
		return ""
	}
	for _, pool := range slices.Sorted(maps.Keys(o["ltm/pool"])) {
		for path := range o[MembersOf(pool)] {
			if strings.HasPrefix(path, at.path+":") || strings.HasPrefix(path, at.path+".") {
				return pool
			}
		}
	}
	return ""
}

// sortRecords brings records into the form that a device keeps: addresses with the
// length of their prefix, no two of one name, in order.
func sortRecords(next map[string]any) string {
	list, _ := next["records"].([]any)
	if next["type"] == nil {
		return "01070734:3: Configuration error: a data group needs a type"
	}
	seen, out := map[string]bool{}, []any{}
	for _, x := range list {
		r := maps.Clone(x.(map[string]any))
		name := r["name"].(string)
		switch next["type"] {
		case "ip":
			if rules.IsNetwork(name) != "" {
				return "01070734:3: Configuration error: " + strconv.Quote(name) + " is no address"
			}
			name = canonical(name)
		case "integer":
			if _, err := strconv.Atoi(name); err != nil {
				return "01070734:3: Configuration error: " + strconv.Quote(name) + " is no integer"
			}
		}
		if seen[name] {
			return "01020066:3: The requested data group record (" + name + ") already exists."
		}
		seen[name] = true
		r["name"] = name
		if r["data"] == nil {
			r["data"] = ""
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b any) int {
		return strings.Compare(a.(map[string]any)["name"].(string), b.(map[string]any)["name"].(string))
	})
	next["records"] = out
	return ""
}

func canonical(name string) string {
	if a, err := netip.ParseAddr(name); err == nil {
		return netip.PrefixFrom(a, a.BitLen()).String()
	}
	p, _ := netip.ParsePrefix(name)
	return p.String()
}
