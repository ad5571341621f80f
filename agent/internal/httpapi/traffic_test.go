package httpapi

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
)

// strict is the document with every object closed: an answer has no field that the
// document does not name. It is read once for all tests.
var strict = sync.OnceValues(func() (routers.Router, error) {
	d, err := openapi3.NewLoader().LoadFromData(openapi)
	if err != nil {
		return nil, err
	}
	for _, s := range d.Components.Schemas {
		closeObjects(s)
	}
	for _, p := range d.Paths.Map() {
		for _, o := range p.Operations() {
			for _, r := range o.Responses.Map() {
				for _, m := range r.Value.Content {
					closeObjects(m.Schema)
				}
			}
		}
	}
	return legacy.NewRouter(d)
})

func closeObjects(ref *openapi3.SchemaRef) {
	if ref == nil || ref.Value == nil {
		return
	}
	s := ref.Value
	if s.AdditionalProperties.Schema == nil && len(s.Properties) > 0 {
		no := false
		s.AdditionalProperties.Has = &no
	}
	for _, p := range s.Properties {
		closeObjects(p)
	}
	closeObjects(s.Items)
	closeObjects(s.AdditionalProperties.Schema)
}

// undocumented marks a request that only tolerance takes: the document does not
// allow it.
func undocumented(r *http.Request) { r.Header.Set("X-Undocumented", "1") }

// tee keeps a copy of an answer.
type tee struct {
	recorder
	body bytes.Buffer
}

func (w *tee) Write(b []byte) (int, error) {
	w.body.Write(b)
	return w.recorder.Write(b)
}

// checked proves every exchange of a handler against the document: the answer
// always, the request when it succeeded.
func checked(t *testing.T, next http.Handler) http.Handler {
	router, err := strict()
	if err != nil {
		t.Fatal(err)
	}
	complaints := hclog.NewNullLogger()
	if l, is := next.(logging); is {
		complaints = l.log
	}
	return logging{log: complaints, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The handler under test must get the very body: reading it ahead would hide
		// what it does with one that is late or too long.
		var sent bytes.Buffer
		seen := r.Clone(r.Context())
		if r.Body != nil {
			r.Body = struct {
				io.Reader
				io.Closer
			}{io.TeeReader(r.Body, &sent), r.Body}
		}
		out := &tee{recorder: recorder{ResponseWriter: w}}
		next.ServeHTTP(out, r)
		seen.Body = io.NopCloser(&sent)
		if err := conformsTo(router, seen, out); err != nil {
			t.Errorf("%s %s: %d\n%s\n%v", r.Method, r.URL, out.status, out.body.Bytes(), err)
		}
	})}
}

func conformsTo(router routers.Router, r *http.Request, w *tee) error {
	if r.Method == http.MethodOptions || r.Method == http.MethodHead || w.body.String() == "404 page not found\n" {
		return nil
	}
	route, params, err := router.FindRoute(r)
	if w.status == http.StatusMethodNotAllowed || err != nil && w.status >= 400 {
		return isFailure(w)
	}
	if err != nil {
		return err
	}
	in := &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, SkipSettingDefaults: true, IncludeResponseStatus: true}}
	if w.status < 300 && r.Header.Get("X-Undocumented") == "" {
		if err := openapi3filter.ValidateRequest(context.Background(), in); err != nil {
			return err
		}
	}
	kind, _, err := mime.ParseMediaType(w.Header().Get("Content-Type"))
	if err != nil {
		return err
	}
	if kind != "application/json" {
		if r := route.Operation.Responses.Status(w.status); r == nil || r.Value.Content[kind] == nil {
			return errors.New("the document has no answer of type " + kind)
		}
		return nil
	}
	return openapi3filter.ValidateResponse(context.Background(), (&openapi3filter.ResponseValidationInput{RequestValidationInput: in,
		Status: w.status, Header: w.Header(), Options: in.Options}).SetBodyBytes(w.body.Bytes()))
}

// isFailure proves the answer to a wrong method or path, which no operation has.
func isFailure(w *tee) error {
	body, err := parseJSON(w.body.Bytes())
	if err != nil {
		return err
	}
	return conforms("Failure", body)
}

func TestTheDocumentIsValid(t *testing.T) {
	if err := parsedDocument().Validate(context.Background()); err != nil {
		t.Fatal(err)
	}
	w := call(t, newFake(), "GET", "/v1/openapi.yaml", nil)
	if w.Code != 200 || w.Body.String() != string(openapi) {
		t.Errorf("%d, %d bytes served", w.Code, w.Body.Len())
	}
	if w := call(t, newFake(), "HEAD", "/v1/openapi.yaml", nil); w.Body.Len() != 0 {
		t.Errorf("HEAD got %d bytes", w.Body.Len())
	}
}

func TestTheDocumentHasEveryEndpointAndNoOther(t *testing.T) {
	var served, documented []string
	a := &api{Options: Options{Author: &author{}, Decode: decodeTask, Feed: feed{}, Reloader: &reloading{}}}
	for _, r := range a.routes() {
		for method := range r.methods {
			served = append(served, method+" "+strings.ReplaceAll(r.pattern, "...}", "}"))
		}
	}
	served = append(served, "GET /metrics")
	for path, item := range parsedDocument().Paths.Map() {
		for method := range item.Operations() {
			documented = append(documented, method+" "+path)
		}
	}
	slices.Sort(served)
	slices.Sort(documented)
	if diff := cmp.Diff(documented, served); diff != "" {
		t.Error(diff)
	}
}

func TestTheCheckOfTrafficFindsAWrongAnswer(t *testing.T) {
	router, err := strict()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		status int
		body   string
	}{
		"a field is missing":  {200, `{"ready":true,"reasons":[1]}`},
		"a field is unknown":  {200, `{"ready":true,"x":1}`},
		"the text is no JSON": {200, `{`},
		"the failure is bare": {404, `{"message":"no"}`},
	} {
		t.Run(name, func(t *testing.T) {
			w := &tee{recorder: recorder{ResponseWriter: httptest.NewRecorder(), status: c.status}}
			w.Header().Set("Content-Type", "application/json")
			w.body.WriteString(c.body)
			if err := conformsTo(router, httptest.NewRequest("GET", "/v1/health/ready", nil), w); err == nil {
				t.Error("it passed")
			}
		})
	}
}

func TestARefusedBodyIsRefusedInTheWordsOfTheLibrary(t *testing.T) {
	router, err := legacy.NewRouter(parsedDocument())
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{`{"task":{"name":"x","condition":{"services":{"names":["web"]}}}}`, ofTask(`"version":1`), ofTask(`"x":1`), `[]`, `{}`,
		`{"task":{"name":"x","module":"m","condition":{}}}`, ofTask(`"providers":[1]`), ofTask(`"variables":{"a":{}}`), ofTask(`"enabled":"yes"`)} {
		r := httptest.NewRequest("POST", "/v1/tasks", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		route, params, err := router.FindRoute(r)
		if err != nil {
			t.Fatal(err)
		}
		err = openapi3filter.ValidateRequest(context.Background(), &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route,
			Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc}})
		if err == nil {
			t.Fatalf("the library lets %s through", body)
		}
		want, _, _ := strings.Cut(err.Error(), "\n")
		if _, err := parseDefinition([]byte(body)); err == nil || "request body has an error: "+err.Error() != want {
			t.Errorf("%s:\n got %v\nwant %s", body, err, want)
		}
	}
}
