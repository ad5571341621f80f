package azure

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// manage answers a request to an object, a collection or an operation.
func (s *Server) manage(r *http.Request, body []byte) (a answer, cut bool) {
	if name, ok := strings.CutPrefix(r.URL.Path, operationsPath); ok {
		return s.poll(name), false
	}
	f := s.due(r)
	if f != nil && f.Status != 0 {
		return f.answer(), false
	}
	if r.Method == http.MethodGet {
		return s.get(r.URL.Path), false
	}
	o, refused := parse(r.URL.Path)
	if refused == nil {
		refused = s.match(r, o)
	}
	if refused == nil {
		switch r.Method {
		case http.MethodPut:
			a, refused = s.put(o, body, f)
		case http.MethodDelete:
			a, refused = s.remove(o, f)
		default:
			refused = refuse(http.StatusMethodNotAllowed, "MethodNotAllowed", "The method %s is not there.", r.Method)
		}
	}
	if refused != nil {
		return refused.answer(), false
	}
	return a, f != nil && f.Cut
}

// match refuses a change of something that has changed since the client saw it.
func (s *Server) match(r *http.Request, o *object) *refusal {
	wanted := r.Header.Get("If-Match")
	has := s.objects[strings.ToLower(o.id)]
	if wanted == "" || wanted == "*" && has != nil || has != nil && has.tag() == wanted {
		return nil
	}
	return refuse(http.StatusPreconditionFailed, "PreconditionFailed", "The condition '%s' in the If-Match header was not satisfied.", wanted)
}

func (s *Server) get(path string) answer {
	if o := s.objects[strings.ToLower(strings.TrimSuffix(path, "/"))]; o != nil {
		return answer{body: s.render(o), header: map[string]string{"ETag": o.tag()}}
	}
	// A collection has one word less than an object.
	if o, _ := parse(path + "/any"); o != nil {
		list := []any{}
		for _, o := range s.below(path) {
			list = append(list, s.render(o))
		}
		return answer{body: Body{"value": list}}
	}
	o, refused := parse(path)
	if refused == nil {
		refused = refuse(http.StatusNotFound, "ResourceNotFound", "The Resource '%s/%s' under resource group '%s' was not found.", o.kind, o.name, ResourceGroup)
	}
	return refused.answer()
}

func (s *Server) put(o *object, body []byte, f *Fault) (answer, *refusal) {
	if err := json.Unmarshal(body, &o.body); err != nil {
		return answer{}, refuse(http.StatusBadRequest, "InvalidRequestContent", "The request content was invalid and could not be deserialized: '%s'.", err)
	}
	if o.parent != "" && s.objects[strings.ToLower(o.parent)] == nil {
		return answer{}, refuse(http.StatusNotFound, "ParentResourceNotFound", "Failed to perform 'write' on resource(s) of type '%s', because the parent resource '%s' could not be found.", o.kind, o.parent)
	}
	k := kinds[strings.ToLower(o.kind)]
	if k.location && o.body["location"] == nil {
		return answer{}, refuse(http.StatusBadRequest, "LocationRequired", "The location property is required for this definition.")
	}
	if refused := k.judge(s, o); refused != nil {
		return answer{}, refused
	}
	status := http.StatusCreated
	before := s.objects[strings.ToLower(o.id)]
	if before != nil {
		o.id, o.name, status = before.id, before.name, http.StatusOK // ids keep the case they were made with
	}
	if k.children != "" {
		delete(o.properties(), k.children) // they have requests of their own
	}
	a := answer{status: status, header: map[string]string{}}
	state := "Succeeded"
	if f != nil && f.Operation {
		state = "Updating"
		a.header["Azure-AsyncOperation"] = s.operate(o, before, f)
	}
	s.keep(o, state)
	a.body = s.render(o)
	a.header["ETag"] = o.tag()
	return a, nil
}

func (s *Server) remove(o *object, f *Fault) (answer, *refusal) {
	has := s.objects[strings.ToLower(o.id)]
	if has == nil {
		return answer{status: http.StatusNoContent}, nil
	}
	if used := kinds[strings.ToLower(o.kind)].used; used != nil {
		if by := used(has); by != "" {
			return answer{}, refuse(http.StatusBadRequest, "InUse", "%s cannot be deleted because it is in use by %s.", o.id, by)
		}
	}
	for id := range s.objects {
		if id == strings.ToLower(o.id) || strings.HasPrefix(id, strings.ToLower(o.id)+"/") {
			delete(s.objects, id)
		}
	}
	a := answer{status: http.StatusOK}
	if f != nil && f.Operation {
		a.status, a.header = http.StatusAccepted, map[string]string{"Azure-AsyncOperation": s.operate(nil, has, f)}
	}
	return a, nil
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
