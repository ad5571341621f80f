package rules

import (
	"fmt"
	"net/http"
	"strings"
)

// The one subscription and resource group that there are.
const (
	Subscription  = "00000000-0000-0000-0000-00000000beef"
	ResourceGroup = "network"
)

// Body is a JSON object.
type Body = map[string]any

// ID makes the id of an object in the stand-in's resource group, of a path such as
// Microsoft.Network/ipGroups/web.
func ID(path string) string {
	return fmt.Sprintf("/subscriptions/%s/resourceGroups/%s/providers/%s", Subscription, ResourceGroup, path)
}

// Object is what ARM holds under an id.
type Object struct {
	// ID, and from it the type, the last name and the id of the parent, "" if it has none.
	ID, Kind, Name, Parent string
	Body                   Body
	// Revision counts up with each change.
	Revision int
}

// Properties are those of the document, never nil.
func (o *Object) Properties() Body {
	p, _ := o.Body["properties"].(Body)
	if p == nil {
		p = Body{}
		o.Body["properties"] = p
	}
	return p
}

// Parse takes an id apart. What it cannot be is refused as ARM does.
func Parse(id string) (*Object, *Refusal) {
	words := strings.Split(strings.Trim(id, "/"), "/")
	if len(words) < 2 || !strings.EqualFold(words[1], Subscription) {
		return nil, Refuse(http.StatusNotFound, "SubscriptionNotFound", "The subscription of '%s' could not be found.", id)
	}
	if len(words) < 4 || !strings.EqualFold(words[2], "resourceGroups") || !strings.EqualFold(words[3], ResourceGroup) {
		return nil, Refuse(http.StatusNotFound, "ResourceGroupNotFound", "The resource group of '%s' could not be found.", id)
	}
	if len(words) < 8 || len(words)%2 != 0 {
		return nil, Refuse(http.StatusNotFound, "InvalidResourceType", "'%s' is the id of nothing.", id)
	}
	o := &Object{ID: "/" + strings.Join(words, "/"), Kind: words[5], Name: words[len(words)-1], Body: Body{}}
	for n := 6; n < len(words); n += 2 {
		o.Kind += "/" + words[n]
	}
	if len(words) > 8 {
		o.Parent = "/" + strings.Join(words[:len(words)-2], "/")
	}
	if _, ok := kinds[strings.ToLower(o.Kind)]; !ok {
		return nil, Refuse(http.StatusNotFound, "InvalidResourceType", "The resource type '%s' could not be found.", o.Kind)
	}
	return o, nil
}

// World is what the stand-in holds: a document is judged beside the others.
type World interface {
	// Find gives the object of an id, nil if there is none.
	Find(id string) *Object
	// Below gives the objects right below a collection, by id.
	Below(collection string) []*Object
}

// Refusal is an error as ARM tells it.
type Refusal struct {
	// Status is that of HTTP.
	Status        int
	Code, Message string
}

// Error is the code and the message.
func (r *Refusal) Error() string { return r.Code + ": " + r.Message }

// Refuse makes a refusal.
func Refuse(status int, code, format string, args ...any) *Refusal {
	return &Refusal{Status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

// Text gives a string of a document, "" if it is something else.
func Text(b Body, name string) string { t, _ := b[name].(string); return t }

// List gives a list of a document.
func List(b Body, name string) []any { l, _ := b[name].([]any); return l }

// texts gives a list of strings; ok is false where there is anything else.
func texts(b Body, name string) (out []string, ok bool) {
	for _, x := range List(b, name) {
		t, ok := x.(string)
		if !ok {
			return nil, false
		}
		out = append(out, t)
	}
	return out, b[name] == nil || List(b, name) != nil
}

// whole gives a whole number of a document, or an error with its name.
func whole(b Body, name string) (int, error) {
	n, ok := b[name].(float64)
	if !ok || n != float64(int(n)) {
		return 0, fmt.Errorf("%s is no whole number", name)
	}
	return int(n), nil
}
