package client

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"patchbay/agent/internal/httpapi"
	"patchbay/tasks"
	"patchbay/tasks/catalog"

	"github.com/google/go-cmp/cmp"
)

// answer makes a server that gives one answer and tells what it was asked.
func answer(t *testing.T, status int, body string) (*Client, *http.Request) {
	t.Helper()
	var got http.Request
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = *r
		content, _ := io.ReadAll(r.Body)
		got.Body = io.NopCloser(strings.NewReader(string(content)))
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	return newClient(t, Options{Address: s.URL}), &got
}

func newClient(t *testing.T, o Options) *Client {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func encode(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestEveryCallAsksItsPathAndGivesTheObject(t *testing.T) {
	run := tasks.Run{ID: "r1", Task: "web", Phase: tasks.Applied, Input: catalog.NewHasher().Sum()}
	held := tasks.HeldPlan{Task: "web", Run: "r1", Changes: catalog.NewHasher().Int(1).Sum()}
	state := State{Name: "web", Status: tasks.StatusSuccessful, Newest: &run, Held: &held}
	task := Task{Name: "web", Module: "./m"}
	summary := Summary{Tasks: httpapi.TaskSummary{Enabled: httpapi.EnabledCount{True: 2}}}
	statuses := map[string]TaskStatus{"web": {TaskName: "web", Status: tasks.StatusErrored}}
	for sentence, c := range map[string]struct {
		answer any
		call   func(context.Context, *Client) (any, error)
		method string
		uri    string
		want   any
	}{
		"health": {struct{}{}, func(ctx context.Context, c *Client) (any, error) { return nil, c.Health(ctx) }, "GET", "/v1/health", nil},
		"ready": {Readiness{Ready: true}, func(ctx context.Context, c *Client) (any, error) { return c.Ready(ctx) },
			"GET", "/v1/health/ready", Readiness{Ready: true}},
		"status": {summary, func(ctx context.Context, c *Client) (any, error) { return c.Status(ctx) }, "GET", "/v1/status", summary},
		"statuses of tasks with events": {statuses, func(ctx context.Context, c *Client) (any, error) { return c.TaskStatuses(ctx, true) },
			"GET", "/v1/status/tasks?include=events", statuses},
		"tasks": {httpapi.TaskList{Tasks: []Task{task}}, func(ctx context.Context, c *Client) (any, error) { return c.Tasks(ctx) },
			"GET", "/v1/tasks", []Task{task}},
		"states": {httpapi.StateList{Tasks: []State{state}}, func(ctx context.Context, c *Client) (any, error) { return c.States(ctx) },
			"GET", "/v1/state", []State{state}},
		"state of a task whose name is escaped": {httpapi.OneState{State: state},
			func(ctx context.Context, c *Client) (any, error) { return c.State(ctx, "we/b?") },
			"GET", "/v1/tasks/we%2Fb%3F/state", state},
		"runs": {httpapi.RunList{Runs: []tasks.Run{run}}, func(ctx context.Context, c *Client) (any, error) { return c.Runs(ctx, "web", 7) },
			"GET", "/v1/tasks/web/runs?limit=7", []tasks.Run{run}},
		"run": {httpapi.OneRun{Run: run}, func(ctx context.Context, c *Client) (any, error) { return c.Run(ctx, "web", "r1") },
			"GET", "/v1/tasks/web/runs/r1", run},
		"approve": {httpapi.ApproveAnswer{Approved: held},
			func(ctx context.Context, c *Client) (any, error) {
				return c.Approve(ctx, "web", ApproveRequest{By: "ann"})
			},
			"POST", "/v1/tasks/web/approve", held},
		"reload": {httpapi.Reload{Changes: []string{"id changes"}}, func(ctx context.Context, c *Client) (any, error) { return c.Reload(ctx) },
			"POST", "/v1/reload", httpapi.Reload{Changes: []string{"id changes"}}},
		"run now": {httpapi.Accepted{}, func(ctx context.Context, c *Client) (any, error) { return nil, c.RunNow(ctx, "web") },
			"POST", "/v1/tasks/web/run", nil},
	} {
		t.Run(sentence, func(t *testing.T) {
			client, asked := answer(t, 200, encode(t, c.answer))
			got, err := c.call(t.Context(), client)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
			if asked.Method != c.method || asked.RequestURI != c.uri {
				t.Errorf("asked %s %s, want %s %s", asked.Method, asked.RequestURI, c.method, c.uri)
			}
		})
	}
}

func TestApproveSendsTheDigestThatWasLookedAt(t *testing.T) {
	client, asked := answer(t, 200, `{}`)
	want := ApproveRequest{By: "ann", Reason: "planned", Changes: catalog.NewHasher().Int(1).Sum()}
	if _, err := client.Approve(t.Context(), "web", want); err != nil {
		t.Fatal(err)
	}
	var got ApproveRequest
	if err := json.NewDecoder(asked.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	if ct := asked.Header.Get("Content-Type"); ct != "application/json" {
		t.Errorf("content type is %q", ct)
	}
}

func TestARefusalKeepsTheServersWords(t *testing.T) {
	for sentence, c := range map[string]struct {
		status int
		body   string
		want   Error
		text   string
	}{
		"with a request ID": {409, `{"error":{"message":"another plan is held now"},"request_id":"7f"}`,
			Error{Status: 409, Message: "another plan is held now", RequestID: "7f"},
			"409 Conflict: another plan is held now, see logs for more details (Request ID: 7f)"},
		"without one": {404, `{"error":{"message":"no such task"}}`,
			Error{Status: 404, Message: "no such task"},
			"request returned 404 status code with error: no such task"},
		"as plain text": {404, "404 page not found\n", Error{Status: 404, Message: "404 page not found"},
			"request returned 404 status code with error: 404 page not found"},
		"without any text": {500, "", Error{Status: 500, Message: "Internal Server Error"},
			"request returned 500 status code with error: Internal Server Error"},
		"with a text without end": {500, strings.Repeat("x", 4096), Error{Status: 500, Message: strings.Repeat("x", maxMessage)},
			"request returned 500 status code with error: " + strings.Repeat("x", maxMessage)},
		"as a redirect that is not followed": {302, `moved`, Error{Status: 302, Message: "moved"},
			"request returned 302 status code with error: moved"},
	} {
		t.Run(sentence, func(t *testing.T) {
			client, _ := answer(t, c.status, c.body)
			_, err := client.State(t.Context(), "web")
			got, ok := errors.AsType[*Error](err)
			if !ok {
				t.Fatalf("error is %v", err)
			}
			if diff := cmp.Diff(c.want, *got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got.Error() != c.text {
				t.Errorf("text is %q", got.Error())
			}
		})
	}
}

func TestNotBeingReadyIsAnAnswer(t *testing.T) {
	client, _ := answer(t, 503, `{"ready":false,"reasons":["task web has not been run since the start"]}`)
	got, err := client.Ready(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Readiness{Reasons: []string{"task web has not been run since the start"}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAFailureBeforeReadinessIsAnError(t *testing.T) {
	client, _ := answer(t, 503, `{"error":{"message":"starting"},"request_id":"1"}`)
	if r, err := client.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "starting") {
		t.Fatalf("got %v, %v", r, err)
	}
}

func TestAnAnswerOfSomethingElseSaysSo(t *testing.T) {
	client, _ := answer(t, 200, "<html>")
	if _, err := client.States(t.Context()); err == nil || !strings.Contains(err.Error(), "is this address a Patchbay agent's?") {
		t.Fatalf("error is %v", err)
	}
}

func TestASegmentThatWouldVanishIsRefused(t *testing.T) {
	client, asked := answer(t, 200, `{}`)
	for _, name := range []string{"", ".", ".."} {
		if _, err := client.State(t.Context(), name); err == nil {
			t.Errorf("%q was asked as %s", name, asked.RequestURI)
		}
	}
	if asked.Method != "" {
		t.Errorf("the server was asked %s", asked.RequestURI)
	}
}

func TestACallEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	leave := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		cancel()
		<-leave
	}))
	defer s.Close()
	defer close(leave)
	if err := newClient(t, Options{Address: s.URL}).Health(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("error is %v", err)
	}
}

func TestTheClientHasNoTimeOutOfItsOwn(t *testing.T) {
	c := newClient(t, Options{})
	transport := c.http.Transport.(*http.Transport)
	if got := []time.Duration{c.http.Timeout, transport.ResponseHeaderTimeout}; got[0] != 0 || got[1] != 0 {
		t.Errorf("time-outs are %v", got)
	}
}

func TestTLSIsVerifiedAsTheOptionsSay(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") }))
	defer s.Close()
	plain := httptest.NewServer(s.Config.Handler)
	defer plain.Close()
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	content := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(ca, content, 0o600); err != nil {
		t.Fatal(err)
	}
	for sentence, c := range map[string]struct {
		options Options
		want    string // "" is success
	}{
		"an unknown authority is refused":           {Options{Address: s.URL}, "signed by unknown authority"},
		"an authority from a file is trusted":       {Options{Address: s.URL, CACert: ca}, ""},
		"an authority from a directory is trusted":  {Options{Address: s.URL, CAPath: dir}, ""},
		"nothing is verified when told so":          {Options{Address: s.URL, SkipVerify: true}, ""},
		"plain HTTP to a TLS server is told":        {Options{Address: strings.Replace(s.URL, "https", "http", 1)}, "sent an HTTP request to an HTTPS server"},
		"TLS to a plain server is told":             {Options{Address: strings.Replace(plain.URL, "http", "https", 1)}, "server gave HTTP response to HTTPS client"},
		"a plain server is reached over plain HTTP": {Options{Address: plain.URL}, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			err := newClient(t, c.options).Health(t.Context())
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error is %v, want %q", err, c.want)
			}
		})
	}
}

func TestOptionsThatCannotWorkAreRefused(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for sentence, c := range map[string]struct {
		options Options
		want    string
	}{
		"another scheme":             {Options{Address: "unix:///run/x"}, "unknown protocol scheme: unix"},
		"an address without host":    {Options{Address: "http://"}, "names no host"},
		"an address that is no URL":  {Options{Address: "127.0.0.1:8558"}, "parse address"},
		"a certificate without key":  {Options{ClientCert: "c.pem"}, "both client cert and client key must be provided"},
		"a key without certificate":  {Options{ClientKey: "k.pem"}, "both client cert and client key must be provided"},
		"a pair that is not there":   {Options{ClientCert: "/nowhere/c", ClientKey: "/nowhere/k"}, "load client certificate"},
		"a CA that is not there":     {Options{CACert: "/nowhere/ca"}, "read CA certificate"},
		"a CA that is no PEM":        {Options{CACert: empty}, "holds no PEM certificate"},
		"a CA directory not there":   {Options{CAPath: "/nowhere"}, "read CA directory"},
		"a CA directory without any": {Options{CAPath: t.TempDir()}, "holds no file"},
	} {
		t.Run(sentence, func(t *testing.T) {
			if _, err := New(c.options); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want %q", err, c.want)
			}
		})
	}
}

func TestTheEnvironmentFillsOptions(t *testing.T) {
	env := map[string]string{"PATCHBAY_ADDRESS": "http://a", "CTS_ADDRESS": "http://b", "CTS_CACERT": "ca", "CTS_CAPATH": "d",
		"CTS_CLIENT_CERT": "c", "PATCHBAY_CLIENT_KEY": "k", "CTS_SSL_VERIFY": "false"}
	got, err := Environment(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	want := Options{Address: "http://a", CACert: "ca", CAPath: "d", ClientCert: "c", ClientKey: "k", SkipVerify: true}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b tasks.Secret) bool { return a.Reveal() == b.Reveal() })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := Environment(func(string) string { return "perhaps" }); err == nil {
		t.Error("SSL_VERIFY=perhaps was accepted")
	}
}
