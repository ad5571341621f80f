package azure

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// object is what ARM holds under an id.
type object struct {
	id, kind, name, parent string
	body                   Body
	revision               int
}

// properties of an object, never nil.
func (o *object) properties() Body {
	p, _ := o.body["properties"].(Body)
	if p == nil {
		p = Body{}
		o.body["properties"] = p
	}
	return p
}

// parse takes an id apart. What it cannot be is refused as ARM does.
func parse(id string) (*object, *refusal) {
	words := strings.Split(strings.Trim(id, "/"), "/")
	if len(words) < 2 || !strings.EqualFold(words[1], Subscription) {
		return nil, refuse(http.StatusNotFound, "SubscriptionNotFound", "The subscription of '%s' could not be found.", id)
	}
	if len(words) < 4 || !strings.EqualFold(words[2], "resourceGroups") || !strings.EqualFold(words[3], ResourceGroup) {
		return nil, refuse(http.StatusNotFound, "ResourceGroupNotFound", "The resource group of '%s' could not be found.", id)
	}
	if len(words) < 8 || len(words)%2 != 0 {
		return nil, refuse(http.StatusNotFound, "InvalidResourceType", "'%s' is the id of nothing.", id)
	}
	o := &object{id: "/" + strings.Join(words, "/"), kind: words[5], name: words[len(words)-1], body: Body{}}
	for n := 6; n < len(words); n += 2 {
		o.kind += "/" + words[n]
	}
	if len(words) > 8 {
		o.parent = "/" + strings.Join(words[:len(words)-2], "/")
	}
	if _, ok := kinds[strings.ToLower(o.kind)]; !ok {
		return nil, refuse(http.StatusNotFound, "InvalidResourceType", "The resource type '%s' could not be found.", o.kind)
	}
	return o, nil
}

// Seed puts an object as its owner did before the test; what it says is not judged.
func (s *Server) Seed(tb testing.TB, id string, body Body) {
	tb.Helper()
	o, refused := parse(id)
	if refused != nil {
		tb.Fatalf("seed object: %v", refused)
	}
	text, err := json.Marshal(body)
	if err != nil {
		tb.Fatalf("seed object: %v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = json.Unmarshal(text, &o.body) // as if it had been sent
	s.keep(o, "Succeeded")
}

// Change lets a hand change an object behind Terraform's back.
func (s *Server) Change(tb testing.TB, id string, change func(properties Body)) {
	tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.objects[strings.ToLower(id)]
	if o == nil {
		tb.Fatalf("change object: there is no %s", id)
	}
	change(o.properties())
	s.keep(o, "Succeeded")
}

// Has gives the properties of an object; ok is false if there is none.
func (s *Server) Has(id string) (properties Body, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.objects[strings.ToLower(id)]
	if o == nil {
		return nil, false
	}
	return s.render(o)["properties"].(Body), true
}

// Names lists the names below a collection, such as ID("Microsoft.Network/ipGroups").
func (s *Server) Names(collection string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, o := range s.below(collection) {
		out = append(out, o.name)
	}
	return out
}

// below gives the objects right below a collection, by id.
func (s *Server) below(collection string) []*object {
	var out []*object
	prefix := strings.ToLower(collection) + "/"
	for _, id := range slices.Sorted(maps.Keys(s.objects)) {
		if rest, ok := strings.CutPrefix(id, prefix); ok && !strings.Contains(rest, "/") {
			out = append(out, s.objects[id])
		}
	}
	return out
}

// keep stores an object under a new revision.
func (s *Server) keep(o *object, state string) {
	s.revision++
	o.revision = s.revision
	o.properties()["provisioningState"] = state
	s.objects[strings.ToLower(o.id)] = o
}

func (o *object) tag() string { return fmt.Sprintf(`W/"%s"`, strconv.Itoa(o.revision)) }

// render gives an object as a GET shows it: with what is below it, where ARM does so.
func (s *Server) render(o *object) Body {
	text, err := json.Marshal(o.body)
	if err != nil {
		panic(err) // it was decoded from JSON
	}
	out := Body{}
	_ = json.Unmarshal(text, &out)
	maps.Copy(out, Body{"id": o.id, "name": o.name, "type": o.kind, "etag": o.tag()})
	properties, _ := out["properties"].(Body)
	k := kinds[strings.ToLower(o.kind)]
	if k.children != "" {
		list := []any{}
		for _, child := range s.below(o.id + "/" + k.children) {
			list = append(list, s.render(child))
		}
		properties[k.children] = list
	}
	if k.show != nil {
		k.show(o, properties)
	}
	return out
}
