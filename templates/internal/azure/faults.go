package azure

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"patchbay/templates/internal/azure/rules"
)

// SkipDelay is the header by which an answer lets Azure's SDK poll at once.
const SkipDelay = "X-Go-Azure-Sdk-Skip-Polling-Delay"

const operationsPath = "/subscriptions/" + Subscription + "/providers/Microsoft.Network/locations/westeurope/operations/"

// Fault breaks the requests of a method whose path contains a part; what is empty fits
// all. Either Status, or Operation, or Cut says how.
type Fault struct {
	Method, Path string
	// Skip lets that many matching requests pass first; Times is how many are broken, at least one.
	Skip, Times int
	// Status is what is answered instead: 409 is another operation in progress, 412 a changed
	// object, 429 too many requests, others a server's error.
	Status int
	// RetryAfter is how many seconds a 429 asks to wait.
	RetryAfter int
	// Operation turns a change into a long-running one that is in progress for Polls
	// polls; after that it has failed with Code, or if that is empty succeeded.
	Operation bool
	Polls     int
	Code      string
	// Cut loses the answer after the change was made.
	Cut bool
}

// Inject makes faults happen to the requests that come. The first that fits happens.
func (s *Server) Inject(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range faults {
		f.Times = cmp.Or(f.Times, 1)
		s.faults = append(s.faults, &f)
	}
}

// due gives the fault that a request has.
func (s *Server) due(r *http.Request) *Fault {
	n := slices.IndexFunc(s.faults, func(f *Fault) bool {
		return (f.Method == "" || f.Method == r.Method) && strings.Contains(strings.ToLower(r.URL.Path), strings.ToLower(f.Path))
	})
	if n < 0 {
		return nil
	}
	f := s.faults[n]
	if f.Skip > 0 {
		f.Skip--
		return nil
	}
	if f.Times--; f.Times == 0 {
		s.faults = slices.Delete(s.faults, n, n+1)
	}
	return f
}

// names of what is answered by status, where nothing more is said.
var names = map[int]string{
	http.StatusConflict:           "AnotherOperationInProgress",
	http.StatusPreconditionFailed: "PreconditionFailed",
	http.StatusTooManyRequests:    "TooManyRequests",
	http.StatusForbidden:          "AuthorizationFailed",
}

func (f *Fault) answer() answer {
	code := cmp.Or(f.Code, names[f.Status], "InternalServerError")
	a := told(rules.Refuse(f.Status, code, "The request was refused: %s. Please retry later.", code))
	if f.RetryAfter > 0 {
		a.header = map[string]string{"Retry-After": fmt.Sprint(f.RetryAfter)}
	}
	return a
}

// operation is one that runs on after its request was answered.
type operation struct {
	object, before *rules.Object
	polls          int
	code           string
}

// operate begins an operation and gives where it is polled. after is nil for a removal.
func (s *Server) operate(after, before *rules.Object, f *Fault) string {
	name := fmt.Sprint(len(s.operations) + 1)
	s.operations[name] = &operation{object: after, before: before, polls: f.Polls, code: f.Code}
	return "https://" + s.Host() + operationsPath + name + "?api-version=2025-01-01"
}

// poll tells how an operation is getting on. One that fails leaves the object that it
// changed as it was, one that it made as failed, one that it removed in its place.
func (s *Server) poll(name string) answer {
	op := s.operations[name]
	switch {
	case op == nil:
		return told(rules.Refuse(http.StatusNotFound, "OperationNotFound", "The operation %s was not found.", name))
	case op.polls > 0:
		op.polls--
		return answer{body: Body{"status": "InProgress"}}
	case op.code == "":
		if op.object != nil && s.objects[strings.ToLower(op.object.ID)] == op.object {
			s.keep(op.object, "Succeeded")
		}
		return answer{body: Body{"status": "Succeeded"}}
	case op.before != nil:
		s.keep(op.before, "Failed")
	default:
		s.keep(op.object, "Failed")
	}
	return answer{body: Body{"status": "Failed", "error": Body{"code": op.code, "message": "The operation failed."}}}
}
