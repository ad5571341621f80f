package azure

import (
	"encoding/json"
	"net/http"
	"strings"

	"patchbay/templates/internal/azure/rules"
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
	o, refused := rules.Parse(r.URL.Path)
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
			refused = rules.Refuse(http.StatusMethodNotAllowed, "MethodNotAllowed", "The method %s is not there.", r.Method)
		}
	}
	if refused != nil {
		return told(refused), false
	}
	return a, f != nil && f.Cut
}

// match refuses a change of something that has changed since the client saw it.
func (s *Server) match(r *http.Request, o *rules.Object) *rules.Refusal {
	wanted := r.Header.Get("If-Match")
	has := s.Find(o.ID)
	if wanted == "" || wanted == "*" && has != nil || has != nil && tag(has) == wanted {
		return nil
	}
	return rules.Refuse(http.StatusPreconditionFailed, "PreconditionFailed", "The condition '%s' in the If-Match header was not satisfied.", wanted)
}

func (s *Server) get(path string) answer {
	if o := s.Find(strings.TrimSuffix(path, "/")); o != nil {
		return answer{body: s.render(o), header: map[string]string{"ETag": tag(o)}}
	}
	// A collection has one word less than an object.
	if o, _ := rules.Parse(path + "/any"); o != nil {
		list := []any{}
		for _, o := range s.Below(path) {
			list = append(list, s.render(o))
		}
		return answer{body: Body{"value": list}}
	}
	o, refused := rules.Parse(path)
	if refused == nil {
		refused = rules.Refuse(http.StatusNotFound, "ResourceNotFound", "The Resource '%s/%s' under resource group '%s' was not found.", o.Kind, o.Name, ResourceGroup)
	}
	return told(refused)
}

func (s *Server) put(o *rules.Object, body []byte, f *Fault) (answer, *rules.Refusal) {
	if err := json.Unmarshal(body, &o.Body); err != nil {
		return answer{}, rules.Refuse(http.StatusBadRequest, "InvalidRequestContent", "The request content was invalid and could not be deserialized: '%s'.", err)
	}
	if refused := rules.Judge(s, o); refused != nil {
		return answer{}, refused
	}
	status := http.StatusCreated
	before := s.Find(o.ID)
	if before != nil {
		o.ID, o.Name, status = before.ID, before.Name, http.StatusOK // ids keep the case they were made with
	}
	if collection := rules.Children(o); collection != "" {
		delete(o.Properties(), collection) // they have requests of their own
	}
	a := answer{status: status, header: map[string]string{}}
	state := "Succeeded"
	if f != nil && f.Operation {
		state = "Updating"
		a.header["Azure-AsyncOperation"] = s.operate(o, before, f)
	}
	s.keep(o, state)
	a.body = s.render(o)
	a.header["ETag"] = tag(o)
	return a, nil
}

func (s *Server) remove(o *rules.Object, f *Fault) (answer, *rules.Refusal) {
	has := s.Find(o.ID)
	if has == nil {
		return answer{status: http.StatusNoContent}, nil
	}
	if by := rules.Used(has); by != "" {
		return answer{}, rules.Refuse(http.StatusBadRequest, "InUse", "%s cannot be deleted because it is in use by %s.", o.ID, by)
	}
	for id := range s.objects {
		if id == strings.ToLower(o.ID) || strings.HasPrefix(id, strings.ToLower(o.ID)+"/") {
			delete(s.objects, id)
		}
	}
	a := answer{status: http.StatusOK}
	if f != nil && f.Operation {
		a.status, a.header = http.StatusAccepted, map[string]string{"Azure-AsyncOperation": s.operate(nil, has, f)}
	}
	return a, nil
}
