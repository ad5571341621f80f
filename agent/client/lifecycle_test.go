package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"patchbay/tasks"

	"github.com/google/go-cmp/cmp"
)

func TestTasksAreMadeChangedAndRemoved(t *testing.T) {
	plan := &Inspection{ChangesPresent: true, Plan: "Plan: 1 to add\n"}
	fields := Fields{"name": "web", "module": "./m"}
	for sentence, c := range map[string]struct {
		answer  string
		call    func(context.Context, *Client) (any, error)
		request string
		body    string
		want    any
	}{
		"create": {`{"request_id":"1","task":{"name":"web","module":"./m"}}`,
			func(ctx context.Context, c *Client) (any, error) { return c.CreateTask(ctx, fields, tasks.RunLater) },
			"POST /v1/tasks", `{"task":{"module":"./m","name":"web"}}`, Created{RequestID: "1", Task: Task{Name: "web", Module: "./m"}}},
		"create and run": {`{"request_id":"1","task":{"name":"web"}}`,
			func(ctx context.Context, c *Client) (any, error) { return c.CreateTask(ctx, fields, tasks.RunNow) },
			"POST /v1/tasks?run=now", `{"task":{"module":"./m","name":"web"}}`, Created{RequestID: "1", Task: Task{Name: "web"}}},
		"inspect a creation": {`{"request_id":"1","task":{},"run":{"plan":"Plan: 1 to add\n","changes_present":true}}`,
			func(ctx context.Context, c *Client) (any, error) { return c.CreateTask(ctx, fields, tasks.RunInspect) },
			"POST /v1/tasks?run=inspect", `{"task":{"module":"./m","name":"web"}}`, Created{RequestID: "1", Run: plan}},
		"change": {`{}`,
			func(ctx context.Context, c *Client) (any, error) {
				return c.PatchTask(ctx, "we/b", Fields{"enabled": false}, tasks.RunLater)
			},
			"PATCH /v1/tasks/we%2Fb", `{"enabled":false}`, (*Inspection)(nil)},
		"inspect a change": {`{"inspect":{"plan":"Plan: 1 to add\n","changes_present":true}}`,
			func(ctx context.Context, c *Client) (any, error) {
				return c.PatchTask(ctx, "web", Fields{"enabled": true}, tasks.RunInspect)
			},
			"PATCH /v1/tasks/web?run=inspect", `{"enabled":true}`, plan},
		"delete": {`{"request_id":"1"}`,
			func(ctx context.Context, c *Client) (any, error) { return nil, c.DeleteTask(ctx, "web", false) },
			"DELETE /v1/tasks/web", ``, nil},
		"delete and destroy": {`{"request_id":"1"}`,
			func(ctx context.Context, c *Client) (any, error) { return nil, c.DeleteTask(ctx, "web", true) },
			"DELETE /v1/tasks/web?destroy=true", ``, nil},
	} {
		t.Run(sentence, func(t *testing.T) {
			client, asked := answer(t, 200, c.answer)
			got, err := c.call(t.Context(), client)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
			if request := asked.Method + " " + asked.RequestURI; request != c.request {
				t.Errorf("asked %s, want %s", request, c.request)
			}
			if body, _ := io.ReadAll(asked.Body); string(body) != c.body {
				t.Errorf("body is %s, want %s", body, c.body)
			}
		})
	}
}

func TestRefusalsAreToldAsTheirCommandsTellThem(t *testing.T) {
	client, _ := answer(t, 500, `{"error":{"message":"task 'web' is active"},"request_id":"7f"}`)
	for want, call := range map[string]func() error{
		"request returned 500 status code with error: task 'web' is active": func() error {
			_, err := client.PatchTask(t.Context(), "web", Fields{"enabled": true}, tasks.RunNow)
			return err
		},
		"500 Internal Server Error: task 'web' is active, see logs for more details (Request ID: 7f)": func() error {
			return client.DeleteTask(t.Context(), "web", false)
		},
	} {
		if err := call(); err == nil || err.Error() != want {
			t.Errorf("error is %v, want %s", err, want)
		}
	}
}

func TestEventsAreWholeStatesUntilTheStreamEnds(t *testing.T) {
	stream := ": hello\n\nevent: state\ndata: {\"name\":\"web\",\ndata: \"enabled\":true}\n\n: still there\n\n" +
		"event: news\ndata: {}\n\nid: 2\nevent:state\ndata:{\"name\":\"lb\"}\n\nevent: removed\ndata: \"lb\"\n\nevent: state\ndata: {\"name\":\"cut"
	client, asked := answer(t, 200, stream)
	var got []Event
	var last error
	for e, err := range client.Events(t.Context(), "") {
		if last = err; err == nil {
			got = append(got, e)
		}
	}
	if diff := cmp.Diff([]Event{{State: State{Name: "web", Enabled: true}}, {State: State{Name: "lb"}}, {Removed: "lb"}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !errors.Is(last, ErrStreamEnded) {
		t.Errorf("the last error is %v", last)
	}
	if asked.RequestURI != "/v1/events" || asked.Header.Get("Accept") != "text/event-stream" {
		t.Errorf("asked %s for %q", asked.RequestURI, asked.Header.Get("Accept"))
	}
}

func TestNoStreamTellsWhy(t *testing.T) {
	for sentence, c := range map[string]struct {
		status           int
		body, task, want string
		uri              string
	}{
		"it was refused":          {404, `404 page not found`, "", "request returned 404 status code with error: 404 page not found", "/v1/events"},
		"there is no such task":   {404, `{"error":{"message":"no"}}`, "a/b", "request returned 404 status code with error: no", "/v1/tasks/a%2Fb/events"},
		"no task can be named so": {200, ``, "..", `request returned 404 status code with error: nothing is named ".."`, ""},
		"an event is not JSON":    {200, "event: state\ndata: <html>\n\n", "", "is this address a Patchbay agent's?", "/v1/events"},
	} {
		t.Run(sentence, func(t *testing.T) {
			client, asked := answer(t, c.status, c.body)
			pairs := 0
			for _, err := range client.Events(t.Context(), c.task) {
				if pairs++; err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("error is %v, want %q", err, c.want)
				}
			}
			if pairs != 1 {
				t.Errorf("there were %d pairs", pairs)
			}
			if asked.RequestURI != c.uri {
				t.Errorf("asked %s, want %s", asked.RequestURI, c.uri)
			}
		})
	}
}

func TestAStreamEndsWithItsContext(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "event: state\ndata: {\"name\":\"web\"}\n\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	for e, err := range newClient(t, Options{Address: s.URL}).Events(ctx, "") {
		if e.State.Name == "web" {
			cancel()
		}
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("the last error is %v", last)
	}
}

func TestAnEventWithoutEndIsRefused(t *testing.T) {
	for sentence, stream := range map[string]string{
		"in one line":   "data: " + strings.Repeat("x", 200),
		"in many lines": strings.Repeat("data: xxxxxxxx\n", 20),
	} {
		t.Run(sentence, func(t *testing.T) {
			if _, data, err := newEventReader(strings.NewReader(stream), 100).next(); err == nil || errors.Is(err, ErrStreamEnded) {
				t.Errorf("got %q, %v", data, err)
			}
		})
	}
}
