package azure

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"patchbay/templates/internal/azure/rules"
)

// Seed puts an object as its owner did before the test; what it says is not judged.
func (s *Server) Seed(tb testing.TB, id string, body Body) {
	tb.Helper()
	o, refused := rules.Parse(id)
	if refused != nil {
		tb.Fatalf("seed object: %v", refused)
	}
	text, err := json.Marshal(body)
	if err != nil {
		tb.Fatalf("seed object: %v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = json.Unmarshal(text, &o.Body) // as if it had been sent
	s.keep(o, "Succeeded")
}

// Change lets a hand change an object behind Terraform's back.
func (s *Server) Change(tb testing.TB, id string, change func(properties Body)) {
	tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.Find(id)
	if o == nil {
		tb.Fatalf("change object: there is no %s", id)
	}
	change(o.Properties())
	s.keep(o, "Succeeded")
}

// Has gives the properties of an object; ok is false if there is none.
func (s *Server) Has(id string) (properties Body, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.Find(id)
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
	for _, o := range s.Below(collection) {
		out = append(out, o.Name)
	}
	return out
}

// Find and Below are for the rules, which are asked under the lock: tests use [Server.Has]
// and [Server.Names].

// Find gives an object by its id, nil if there is none.
func (s *Server) Find(id string) *rules.Object { return s.objects[strings.ToLower(id)] }

// Below gives the objects right below a collection, by id.
func (s *Server) Below(collection string) []*rules.Object {
	var out []*rules.Object
	prefix := strings.ToLower(collection) + "/"
	for _, id := range slices.Sorted(maps.Keys(s.objects)) {
		if rest, ok := strings.CutPrefix(id, prefix); ok && !strings.Contains(rest, "/") {
			out = append(out, s.objects[id])
		}
	}
	return out
}

// keep stores an object under a new revision.
func (s *Server) keep(o *rules.Object, state string) {
	s.revision++
	o.Revision = s.revision
	o.Properties()["provisioningState"] = state
	s.objects[strings.ToLower(o.ID)] = o
}

func tag(o *rules.Object) string { return fmt.Sprintf(`W/"%d"`, o.Revision) }

// render gives an object as a GET shows it: with what is below it, where ARM does so.
func (s *Server) render(o *rules.Object) Body {
	text, err := json.Marshal(o.Body)
	if err != nil {
		panic(err) // it was decoded from JSON
	}
	out := Body{}
	_ = json.Unmarshal(text, &out)
	maps.Copy(out, Body{"id": o.ID, "name": o.Name, "type": o.Kind, "etag": tag(o)})
	properties, _ := out["properties"].(Body)
	if children := rules.Children(o); children != "" {
		list := []any{}
		for _, child := range s.Below(o.ID + "/" + children) {
			list = append(list, s.render(child))
		}
		properties[children] = list
	}
	rules.Show(o, properties)
	return out
}
