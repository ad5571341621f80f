package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"patchbay/tasks"
	"patchbay/tasks/rollout"

	"github.com/google/go-cmp/cmp"
)

// flock has the canary web.
type flock struct {
	state CanaryState
	given []rollout.Command
	err   error
	out   chan CanaryState
}

func (f *flock) Canaries() []CanaryState { return []CanaryState{f.state} }

func (f *flock) Command(_ context.Context, service string, c rollout.Command) (CanaryState, error) {
	f.given = append(f.given, c)
	if service != f.state.Plan.Service {
		return CanaryState{}, ErrNoCanary
	}
	return f.state, f.err
}

func (f *flock) Shifts(context.Context) <-chan CanaryState { return f.out }

func newFlock() *flock {
	p := rollout.DefaultPlan()
	p.Service, p.Stable.Name, p.Candidate.Name = "web", "v1", "v2"
	p.Steps = []rollout.Stage{{Weight: 1250}, {Weight: rollout.Whole}}
	return &flock{out: make(chan CanaryState), state: CanaryState{Plan: p, State: rollout.State{Phase: rollout.Progressing, Step: 1, Weight: 1250,
		Stable: p.Stable, Candidate: p.Candidate, Since: start, Failures: 1, Promoted: "kim", Last: rollout.Judgement{At: start, Result: rollout.Unknown},
		Holds:  []rollout.Hold{{Rule: rollout.RuleTasks, Evidence: []string{"lb has not applied"}, Release: "it applies"}},
		Events: []rollout.Event{{At: start, Kind: rollout.Stepped, Phase: rollout.Progressing, Step: 1, To: 1250, By: "kim<b>"}}}}}
}

// web is the canary as the API shows it.
const webCanary = `"canary":{"service":"web","stable":"v1","candidate":"v2","phase":"progressing","step":1,"steps":[12.5,100],"weights":{"v1":87.5,"v2":12.5},` +
	`"since":"2026-11-21T22:50:26.686Z","promoted":"kim","failures":1,"threshold":2,"last":{"at":"2026-11-21T22:50:26.686Z","result":"unknown","evidence":[]},` +
	`"holds":[{"rule":"tasks","evidence":["lb has not applied"],"release":"it applies"}],` +
	`"events":[{"at":"2026-11-21T22:50:26.686Z","kind":"stepped","phase":"progressing","step":1,"from":0,"to":12.5,"by":"kim<b>","evidence":[]}]}`

func TestCanariesAreShownAndCommanded(t *testing.T) {
	for sentence, c := range map[string]struct {
		canaries     *flock
		method, path string
		body         string
		status       int
		want         string
		given        []rollout.Command
	}{
		"none are declared":          {nil, "GET", "/v1/canaries", "", 200, `"canaries":[]`, nil},
		"one of none":                {nil, "GET", "/v1/canaries/web", "", 404, "a canary of service 'web' is not declared", nil},
		"a command to one of none":   {nil, "POST", "/v1/canaries/web/abort", "", 404, "a canary of service 'web' is not declared", nil},
		"all":                        {newFlock(), "GET", "/v1/canaries", "", 200, strings.Replace(webCanary, `"canary":`, `"canaries":[`, 1), nil},
		"one":                        {newFlock(), "GET", "/v1/canaries/web", "", 200, webCanary, nil},
		"another":                    {newFlock(), "GET", "/v1/canaries/db", "", 404, "a canary of service 'db' is not declared", nil},
		"a command without a body":   {newFlock(), "POST", "/v1/canaries/web/pause", "", 200, webCanary, []rollout.Command{{Do: rollout.Pause}}},
		"who and why":                {newFlock(), "POST", "/v1/canaries/web/promote", `{"by":"kim","reason":"a\nb"}`, 200, webCanary, []rollout.Command{{Do: rollout.Promote, By: "kim", Reason: "a\nb"}}},
		"a command that is none":     {newFlock(), "POST", "/v1/canaries/web/explode", "", 404, "'explode' is no command of a canary: use promote, pause, resume, abort, restart", nil},
		"a command to another":       {newFlock(), "POST", "/v1/canaries/db/abort", "", 404, "'db' is not declared", []rollout.Command{{Do: rollout.Abort}}},
		"a field that nobody knows":  {newFlock(), "POST", "/v1/canaries/web/abort", `{"step":3}`, 400, "unknown field", nil},
		"a name with a line break":   {newFlock(), "POST", "/v1/canaries/web/abort", `{"by":"a\nb"}`, 400, "control character", nil},
		"a reason without end":       {newFlock(), "POST", "/v1/canaries/web/abort", `{"reason":"` + strings.Repeat("x", MaxReason+1) + `"}`, 400, "longer than 4096 bytes", nil},
		"a command read":             {newFlock(), "GET", "/v1/canaries/web/abort", "", 405, "supports the method(s): 'POST'", nil},
		"a command in the wrong way": {newFlock(), "POST", "/v1/canaries/web", "", 405, "supports the method(s): 'GET'", nil},
	} {
		t.Run(sentence, func(t *testing.T) {
			f := newFake()
			if c.canaries != nil {
				f.canaries = c.canaries
			}
			var body io.Reader
			if c.body != "" {
				body = strings.NewReader(c.body)
			}
			w := call(t, f, c.method, c.path, body)
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) {
				t.Errorf("%d %s, want %d with %s", w.Code, w.Body, c.status, c.want)
			}
			if c.canaries != nil {
				if diff := cmp.Diff(c.given, c.canaries.given); diff != "" {
					t.Errorf("commands (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestARefusedCommandSaysWhyAndWhatWasDone(t *testing.T) {
	for sentence, c := range map[string]struct {
		err    error
		status int
		want   string
	}{
		"it makes no sense now": {fmt.Errorf("%w: it is paused already", ErrCanaryRefused), 409, "it is paused already; nothing was changed"},
		"the agent stops":       {tasks.ErrStopping, 503, "ask again when the agent runs"},
		"the disk is full":      {errors.New("no space left"), 500, "no space left"},
	} {
		f := newFake()
		f.canaries = &flock{state: newFlock().state, err: c.err}
		w := call(t, f, "POST", "/v1/canaries/web/pause", nil)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s: %d %s, want %d with %s", sentence, w.Code, w.Body, c.status, c.want)
		}
	}
}

func TestTheStreamTellsHowCanariesStandAndEveryShift(t *testing.T) {
	birds := newFlock()
	v := &fake{ready: true}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s := httptest.NewServer(New(Options{Reader: v, Operator: v, Prober: v, Feed: feed{make(chan tasks.State)}, Canaries: birds}))
	defer s.Close()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	read := func(want string) {
		t.Helper()
		text, got := make([]byte, 1), ""
		for !strings.Contains(got, want) {
			if _, err := res.Body.Read(text); err != nil {
				t.Fatalf("%v after %s", err, got)
			}
			got += string(text)
		}
	}
	read("event: canary\ndata: {\"service\":\"web\"")
	later := birds.state
	later.State.Weight, later.State.Step = rollout.Whole, 2
	birds.out <- later
	read(`"weights":{"v1":0,"v2":100}`)
}
