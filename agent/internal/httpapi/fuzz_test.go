package httpapi

import (
	"encoding/json"
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
		case 200, 400, 404:
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
