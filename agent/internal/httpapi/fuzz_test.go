package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"patchbay/tasks"

	"github.com/google/go-cmp/cmp"
)

func FuzzApproveBody(f *testing.F) {
	for _, seed := range []string{`{}`, `{"by":"kim","reason":"a\nb","changes":""}`, `{"BY":1}`, `null`, `{"by":"\ud800"}`, `{} {}`, `{"changes":"` + strings.Repeat("ab", 32) + `"}`,
		`{"by":"\u0000"}`, "{\"by\":\"\xff\"}", `{"x":{}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := parseApprove(body)
		if err != nil {
			if r != (ApproveRequest{}) || len(err.Error()) > 2*maxEcho {
				t.Fatalf("refused with %d bytes of text and %+v", len(err.Error()), r)
			}
			return
		}
		if len(r.By) > MaxBy || len(r.Reason) > MaxReason || !utf8.ValidString(r.By+r.Reason) || strings.ContainsAny(r.By, "\n\x00\x1b") {
			t.Fatalf("let through %+v", r)
		}
		again, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := parseApprove(again); err != nil || !cmp.Equal(r, back) {
			t.Fatalf("%s came back as %+v, %v", again, back, err)
		}
	})
}

func FuzzRequest(f *testing.F) {
	for _, seed := range [][2]string{{"/v1/status/tasks", "include=events&status=critical"}, {"/v1/tasks/web/runs", "limit=7"}, {"/v1/tasks/%2f/state", ""},
		{"/v1/status/tasks/a/b", "status=%zz"}, {"/v1/tasks/web/runs/run-8", "limit=-1;a"}, {"//", "limit"}, {"/v1/tasks/..", "include="}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, path, query string) {
		r, err := http.NewRequest("GET", "http://127.0.0.1/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.RequestURI = path
		r.URL.Path, r.URL.RawQuery = path, query
		w := httptest.NewRecorder()
		a := newFake()
		New(Options{Reader: a, Operator: a, Prober: a}).ServeHTTP(w, r)
		switch w.Code {
		case 200, 400, 404, 405:
		default:
			t.Fatalf("%q?%q: %d %s", path, query, w.Code, w.Body)
		}
		if w.Header().Get("Content-Type") == "application/json" && !json.Valid(w.Body.Bytes()) {
			t.Fatalf("no JSON: %s", w.Body)
		}
		if n, err := parseLimit(query); err == nil && (n < 1 || n > MaxRuns) {
			t.Fatalf("limit %d of %q", n, query)
		}
		if q, err := parseStatusQuery(query); err == nil && q.status != "" && q.status != tasks.StatusUnknown && !strings.Contains(strings.ToLower(query), "status") {
			t.Fatalf("status %q of %q", q.status, query)
		}
	})
}

// fuzzWrite sends a write with the agent's own reading of tasks and proves what
// holds of every answer.
func fuzzWrite(t *testing.T, f *fake, a *author, method, path, query string, body []byte) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://127.0.0.1:8558"+path, bytes.NewReader(body))
	r.URL.RawQuery, r.RemoteAddr = query, "127.0.0.1:40000"
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	New(Options{Reader: f, Operator: f, Prober: f, Author: a, Decode: decodeAsAgent}).ServeHTTP(w, r)
	if w.Header().Get("Content-Type") != "application/json" || !json.Valid(w.Body.Bytes()) {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if w.Code >= 400 && w.Body.Len() > 3*maxProblems || strings.Contains(w.Body.String(), "a fault of Patchbay") {
		t.Fatalf("%d, %d bytes: %.2000s", w.Code, w.Body.Len(), w.Body)
	}
	return w
}

func FuzzCreate(f *testing.F) {
	for _, body := range realTasks {
		f.Add("", []byte(`{"task":`+body+`}`))
	}
	for _, query := range []string{"run=now", "run=inspect", "run=NOW", "run=%zz", "run=&run="} {
		f.Add(query, []byte(minimal))
	}
	for _, body := range []string{`{"task":{"name":"a\u0000"}}`, `{"task":null}`, `[[[[`, `{"task":{"name":"x","module":"m/m/m","condition":{"services":{"names":["a"],"regexp":"("}}}}`,
		ofTask(`"variables":{"a":"[","b":"\"${x}\""}`), ofTask(`"buffer_period":{"min":"-1s","max":"9999999h"}`), minimal + minimal, strings.Repeat(`{"task":`, 50)} {
		f.Add("", []byte(body))
	}
	f.Fuzz(func(t *testing.T, query string, body []byte) {
		a := &author{}
		w := fuzzWrite(t, newFake(), a, "POST", "/v1/tasks", query, body)
		switch w.Code {
		case 201, 200:
			if len(a.created) != 1 || !nameForm.MatchString(a.created[0].Name) || a.created[0].Condition == (tasks.Condition{}) {
				t.Fatalf("%d: created %+v of %s", w.Code, a.created, body)
			}
		case 400, 500:
			if len(a.created) != 0 {
				t.Fatalf("%d, and created %+v", w.Code, a.created)
			}
		default:
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	})
}

func FuzzUpdate(f *testing.F) {
	for _, body := range []string{`{"enabled":true}`, `{"Enabled":"false"}`, `{"enabled":1e400}`, `{"description":"a\nb","module":"m/m/m"}`, `{"variables":{"zone":null,"a":"[1,2]"}}`,
		`{"condition":{"schedule":{"cron":"@daily"}}}`, `{"condition":{"services":{"regexp":"^a","names":null}}}`, `{"module_input":{"services":null,"consul_kv":{"path":"a"}}}`,
		`{"buffer_period":{"min":"1s"}}`, `{"name":"web"}`, `{"condition":null}`, `{"enabled":true,"ENABLED":true}`, `{"providers":[],"version":null}`, `{"foo":{}}`, `[]`,
		`{"condition":[]}`, `{"condition":{"services":[]}}`, `{"module_input":""}`} {
		f.Add("", []byte(body))
		f.Add("run=Inspect", []byte(body))
	}
	present, err := decodeAsAgent(json.RawMessage(realTasks["regexp"]))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, query string, body []byte) {
		present := present
		present.WorkingDir, present.VariableFiles, present.Guard = "/srv/own", []string{"/srv/a.tfvars"}, tasks.Guard{MaxDestroys: 3}
		agent, a := &fake{list: []tasks.State{{Task: present}}}, &author{}
		w := fuzzWrite(t, agent, a, "PATCH", "/v1/tasks/a", query, body)
		if w.Code != 200 && w.Code != 400 || w.Code == 400 && len(a.replaced) != 0 {
			t.Fatalf("%d %s, replaced %+v", w.Code, w.Body, a.replaced)
		}
		for _, next := range a.replaced {
			if next.Name != present.Name || next.WorkingDir != present.WorkingDir || !cmp.Equal(next.Guard, present.Guard) || !cmp.Equal(next.VariableFiles, present.VariableFiles) {
				t.Fatalf("%s changed what no patch can: %+v", body, next)
			}
			if shown, err := json.Marshal(NewTask(next, nil)); err != nil || conforms("TaskRequest", map[string]any{"task": reread(t, shown)}) != nil {
				t.Fatalf("%s made %s, %v", body, shown, err)
			}
		}
	})
}

func reread(t *testing.T, text []byte) (value any) {
	t.Helper()
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	return value
}

func FuzzWriteQuery(f *testing.F) {
	for _, seed := range []string{"run=now", "run=Now", "destroy=true", "destroy=", "destroy=1", "run=inspect&destroy=false", "%zz", "run=now;x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		exact, err := parseRun(query)
		any, anyErr := parseAnyRun(query)
		if err == nil && (anyErr != nil || exact != any) {
			t.Fatalf("%q is %q and %q, %v", query, exact, any, anyErr)
		}
		if err != nil && exact != tasks.RunLater || len(fmt.Sprint(err, anyErr)) > 4*maxEcho {
			t.Fatalf("%q: %q, %v, %v", query, exact, err, anyErr)
		}
		if destroy, err := parseDestroy(query); destroy && (err != nil || !strings.Contains(query, "destroy") && !strings.Contains(query, "%")) {
			t.Fatalf("%q destroys, %v", query, err)
		}
		w := fuzzWrite(t, newFake(), &author{}, "DELETE", "/v1/tasks/web", query, nil)
		if w.Code != 202 && w.Code != 400 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	})
}
