package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"patchbay/agent/config"
	"patchbay/tasks"

	"github.com/google/go-cmp/cmp"
)

// reloading is a Reloader that gives what a test says.
type reloading struct {
	out   Reload
	err   error
	calls int
}

func (r *reloading) Reload(context.Context) (Reload, error) {
	r.calls++
	return r.out, r.err
}

func mistakes(n int) *config.Error {
	e := &config.Error{}
	for i := range n {
		e.Problems = append(e.Problems, config.Problem{Position: config.Position{File: "web.hcl", Line: i + 1, Column: 3}, What: "unknown attribute", Do: "remove it"})
	}
	return e
}

func TestAReloadTellsWhatItChanged(t *testing.T) {
	f := newFake()
	f.reloader = &reloading{out: Reload{Changes: []string{"task web changes: module"}, Restart: []string{"port"}}}
	for _, body := range []string{"", "{}"} {
		w := call(t, f, "POST", "/v1/reload", strings.NewReader(body))
		var got Reload
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		want := Reload{RequestID: got.RequestID, Changes: []string{"task web changes: module"}, Restart: []string{"port"}, Warnings: []string{}}
		if diff := cmp.Diff(want, got); diff != "" || w.Code != 200 || got.RequestID == "" {
			t.Errorf("body %q: %d %s", body, w.Code, diff)
		}
	}
	if !strings.Contains(call(t, f, "POST", "/v1/reload", nil).Body.String(), `"warnings":[]`) {
		t.Error("an empty list is null")
	}
}

func TestAReloadThatFailsIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		status int
		says   []string
	}{
		"one mistake": {fmt.Errorf("load: %w", mistakes(1)), 400, []string{"the configuration has 1 mistake; nothing was changed", "web.hcl:1:3: unknown attribute: remove it"}},
		"two mistakes": {mistakes(2), 400, []string{"the configuration has 2 mistakes; nothing was changed", "\nweb.hcl:1:3: unknown attribute: remove it",
			"\nweb.hcl:2:3: unknown attribute: remove it"}},
		"too many to tell": {mistakes(10_000), 400, []string{"has 10000 mistakes", "\nand ", " more"}},
		"a busy task":      {fmt.Errorf("reload again: %w", tasks.ErrTaskBusy), 409, []string{"reload again"}},
		"a stop":           {tasks.ErrStopping, 503, []string{"nothing was done; ask again when the agent runs"}},
		"a full disk":      {errors.New("save definition: no space left on device"), 500, []string{"no space left"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			f.reloader = &reloading{err: c.err}
			w := call(t, f, "POST", "/v1/reload", nil)
			var got Failure
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatal(err)
			}
			if w.Code != c.status || got.RequestID == "" || len(got.Error.Message) > maxMistakes+100 {
				t.Errorf("%d, request %q, %d bytes", w.Code, got.RequestID, len(got.Error.Message))
			}
			for _, text := range c.says {
				if !strings.Contains(got.Error.Message, text) {
					t.Errorf("%.300q does not say %q", got.Error.Message, text)
				}
			}
		})
	}
}

func TestAReloadIsAWriteAndTakesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		method, body string
		edit         func(*http.Request)
		status       int
	}{
		"from another host":  {"POST", "", func(r *http.Request) { r.RemoteAddr = "192.0.2.7:1" }, 403},
		"from a web page":    {"POST", "", header("Origin", "https://evil.example"), 403},
		"by reading":         {"GET", "", func(*http.Request) {}, 405},
		"with a path":        {"POST", `{"path":"/etc/passwd"}`, func(*http.Request) {}, 400},
		"with a list":        {"POST", `[]`, func(*http.Request) {}, 400},
		"with a broken body": {"POST", `{`, func(*http.Request) {}, 400},
	} {
		t.Run(name, func(t *testing.T) {
			f, r := newFake(), &reloading{}
			f.reloader = r
			w := call(t, f, c.method, "/v1/reload", strings.NewReader(c.body), c.edit)
			if w.Code != c.status || r.calls != 0 {
				t.Errorf("%d after %d reloads: %s", w.Code, r.calls, w.Body)
			}
		})
	}
	if w := call(t, newFake(), "POST", "/v1/reload", nil); w.Code != 404 {
		t.Errorf("without a reloader: %d", w.Code)
	}
}
