package canaries

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"patchbay/agent/internal/filter"
	"patchbay/tasks/catalog"
	"patchbay/tasks/rollout"

	"github.com/hashicorp/go-hclog"
)

// rig is a board with a Consul, a store and a Prometheus of its own.
type rig struct {
	t     *testing.T
	board *Board
	end   func()
	first Record // of web, before anything ran

	mu       sync.Mutex
	follower []*views
	newest   *catalog.View
	disk     map[string]json.RawMessage
	full     bool
	tasks    []rollout.Task
	// seen are the candidate's weights of web as everybody else saw them.
	seen []string
	// errors is what Prometheus answers to any query; "" answers nothing.
	errors string
}

type views struct {
	rig  *rig
	wake chan struct{}
	mu   sync.Mutex
	next []*catalog.View
}

func (v *views) Need([]catalog.Query)     {}
func (v *views) Changed() <-chan struct{} { return v.wake }
func (v *views) Take() []*catalog.View {
	v.mu.Lock()
	defer v.mu.Unlock()
	out := v.next
	v.next = nil
	return out
}

func (v *views) give(view *catalog.View) {
	v.mu.Lock()
	v.next = append(v.next, view)
	v.mu.Unlock()
	select {
	case v.wake <- struct{}{}:
	default:
	}
}

func (r *rig) SaveCanary(service string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.full {
		return errors.New("no space left on device")
	}
	r.disk[service] = text
	return nil
}

func (r *rig) ForgetCanary(service string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.disk, service)
	return nil
}

// stored is what a restart would find.
func (r *rig) stored() map[string]Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[string]Record{}
	for service, text := range r.disk {
		var record Record
		if err := json.Unmarshal(text, &record); err != nil {
			r.t.Error(err)
		}
		out[service] = record
	}
	return out
}

// RoundTrip is Prometheus.
func (r *rig) RoundTrip(*http.Request) (*http.Response, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.errors == "" {
		return nil, errors.New("connection refused")
	}
	return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(one(r.errors)))}, nil
}

// start makes a board from what is stored and runs it.
func (r *rig) start(declared ...Canary) {
	r.t.Helper()
	if r.disk == nil {
		r.disk = map[string]json.RawMessage{}
	}
	board, err := New(Options{Store: r, Compile: filter.Compile, Log: hclog.NewNullLogger(), Now: time.Now,
		Follow: func() (Views, func()) {
			r.mu.Lock()
			defer r.mu.Unlock()
			v := &views{rig: r, wake: make(chan struct{}, 1)}
			r.follower = append(r.follower, v)
			if r.newest != nil {
				v.give(r.newest)
			}
			return v, func() {}
		},
		Tasks: func(string) []rollout.Task {
			r.mu.Lock()
			defer r.mu.Unlock()
			return slices.Clone(r.tasks)
		},
		Moved: func() { r.moved() },
	}, declared, r.stored())
	if err != nil {
		r.t.Fatal(err)
	}
	board.prometheus.client = &http.Client{Transport: r}
	r.first, _ = board.Record("web")
	ctx, cancel := context.WithCancel(r.t.Context())
	done := make(chan error, 1)
	r.board, r.end = board, func() {
		cancel()
		if err := <-done; err != nil {
			r.t.Error(err)
		}
	}
	go func() { done <- board.Run(ctx) }()
}

// moved is what Envoys and tasks would see: it must be on disk already.
func (r *rig) moved() {
	onDisk := r.stored()
	if r.board == nil {
		return
	}
	if now, ok := r.board.Record("web"); ok {
		if d := onDisk["web"]; d.State.Weight != now.State.Weight {
			r.t.Errorf("%s was shown while %s was on disk", now.State.Weight, d.State.Weight)
		}
		r.mu.Lock()
		r.seen = append(r.seen, now.State.Weight.String())
		r.mu.Unlock()
	}
}

// consul answers with the health of instances of both versions.
func (r *rig) consul(stable, candidate string, edits ...func(*catalog.View)) {
	instance := func(version, status string) catalog.Instance {
		return catalog.Instance{ID: "web-" + version, Name: "web", Port: 1, Meta: map[string]string{"version": version}, Checks: []catalog.Check{{ID: "c", Status: status}}}
	}
	v := catalog.NewServiceView(query("web"), []catalog.Instance{instance("1", stable), instance("2", candidate)})
	for _, edit := range edits {
		edit(v)
	}
	r.mu.Lock()
	r.newest = v
	followers := slices.Clone(r.follower)
	r.mu.Unlock()
	for _, f := range followers {
		f.give(v)
	}
	synctest.Wait()
}

func (r *rig) stands(phase rollout.Phase, weight rollout.Share) {
	r.t.Helper()
	synctest.Wait()
	got, ok := r.board.Record("web")
	if !ok || got.State.Phase != phase || got.State.Weight != weight {
		r.t.Fatalf("the canary is %s at %s, want %s at %s: %+v", got.State.Phase, got.State.Weight, phase, weight, got.State.Holds)
	}
}

// pass lets time pass.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func within(t *testing.T, test func(t *testing.T, r *rig)) {
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t}
		defer func() { r.end() }()
		test(t, r)
	})
}

func TestAGoodCandidateReachesAllOfTheTraffic(t *testing.T) {
	within(t, func(t *testing.T, r *rig) {
		r.start(declaredWeb())
		r.stands(rollout.Waiting, 0)
		r.consul(catalog.Passing, catalog.Passing)
		r.stands(rollout.Progressing, 500)
		pass(59 * time.Second)
		r.stands(rollout.Progressing, 500)
		pass(2 * time.Second)
		r.stands(rollout.Progressing, 5000)
		pass(2 * time.Minute)
		r.stands(rollout.Succeeded, rollout.Whole)
		if want := []string{"5%", "50%", "100%"}; !slices.Equal(r.seen, want) {
			t.Errorf("Envoys and tasks saw %v, want %v", r.seen, want)
		}
	})
}

func TestACandidateThatFailsItsChecksIsTakenBackAtOnce(t *testing.T) {
	within(t, func(t *testing.T, r *rig) {
		r.start(declaredWeb())
		r.consul(catalog.Passing, catalog.Passing)
		r.stands(rollout.Progressing, 500)
		r.consul(catalog.Passing, catalog.Warning)
		r.stands(rollout.Progressing, 500)
		r.consul(catalog.Passing, catalog.Critical)
		r.stands(rollout.RolledBack, 0)
	})
}

func TestAnAnswerThatIsNotTrustedHoldsAndProvesNothing(t *testing.T) {
	within(t, func(t *testing.T, r *rig) {
		doubt := func(v *catalog.View) {
			v.Verdict = catalog.Verdict{Trust: catalog.Suspicious, Evidence: []string{"all is gone"}}
		}
		r.start(declaredWeb())
		r.consul(catalog.Passing, catalog.Passing, doubt)
		r.stands(rollout.Waiting, 0)
		r.consul(catalog.Passing, catalog.Passing)
		r.stands(rollout.Progressing, 500)
		r.consul(catalog.Passing, catalog.Critical, doubt)
		pass(time.Hour)
		r.stands(rollout.Progressing, 500)
		got, _ := r.board.Record("web")
		if !slices.ContainsFunc(got.State.Holds, func(h rollout.Hold) bool { return strings.Contains(strings.Join(h.Evidence, ""), "all is gone") }) {
			t.Errorf("no hold tells the doubt: %+v", got.State.Holds)
		}
	})
}

func watched(c *Canary) {
	most := 0.01
	c.Prometheus, c.Plan.Metrics = "http://prometheus", []rollout.Metric{{Name: "errors", Query: "errors", Max: &most}}
}

func TestAMetricAboveItsLimitTakesTheCandidateBack(t *testing.T) {
	within(t, func(t *testing.T, r *rig) {
		r.errors = "0"
		r.start(declaredWeb(watched))
		r.consul(catalog.Passing, catalog.Passing)
		pass(61 * time.Second)
		r.stands(rollout.Progressing, 5000)
		r.mu.Lock()
		r.errors = "0.5"
		r.mu.Unlock()
		pass(21 * time.Second) // two judgements
		r.stands(rollout.RolledBack, 0)
	})
}

func TestASilentPrometheusHoldsTheStepUntilItsDeadline(t *testing.T) {
	within(t, func(t *testing.T, r *rig) {
		r.start(declaredWeb(watched, func(c *Canary) { c.Plan.Deadline = 10 * time.Minute }))
		r.consul(catalog.Passing, catalog.Passing)
		pass(9 * time.Minute)
		r.stands(rollout.Progressing, 500)
		got, _ := r.board.Record("web")
		if got.State.Last.Result != rollout.Unknown || !strings.Contains(strings.Join(got.State.Last.Evidence, ""), "connection refused") {
			t.Errorf("the judgement is %+v, want unknown for a refused connection", got.State.Last)
		}
		pass(2 * time.Minute)
		r.stands(rollout.RolledBack, 0)
	})
}

func TestEjectionsOfEnvoyTakeTheCandidateBack(t *testing.T) {
	within(t, func(t *testing.T, r *rig) {
		r.errors = "0.5"
		r.start(declaredWeb(func(c *Canary) { c.Prometheus, c.Plan.MaxEjected = "http://prometheus", 2000 }))
		r.consul(catalog.Passing, catalog.Passing)
		pass(21 * time.Second)
		r.stands(rollout.RolledBack, 0)
	})
}

func TestAStepWaitsForTheTasksAndARollbackForNobody(t *testing.T) {
	within(t, func(t *testing.T, r *rig) {
		r.tasks = []rollout.Task{{Name: "lb"}}
		r.start(declaredWeb())
		r.consul(catalog.Passing, catalog.Passing)
		r.stands(rollout.Waiting, 0)
		applied := func(stable, candidate uint32) {
			r.mu.Lock()
			r.tasks = []rollout.Task{{Name: "lb", Applied: map[string]uint32{"v1": stable, "v2": candidate}}}
			r.mu.Unlock()
			r.board.Nudge()
			synctest.Wait()
		}
		applied(10000, 0)
		r.stands(rollout.Progressing, 500)
		pass(time.Hour)
		r.stands(rollout.Progressing, 500)
		applied(9500, 500)
		pass(61 * time.Second)
		r.stands(rollout.Progressing, 5000)
		r.consul(catalog.Passing, catalog.Critical)
		r.stands(rollout.RolledBack, 0)
	})
}

func TestARestartGoesOnWhereTheLastProcessWas(t *testing.T) {
	within(t, func(t *testing.T, r *rig) {
		r.start(declaredWeb())
		r.consul(catalog.Passing, catalog.Passing)
		pass(61 * time.Second)
		r.stands(rollout.Progressing, 5000)
		r.end()
		pass(time.Minute)
		r.follower = nil
		r.start(declaredWeb())
		if r.first.State.Weight != 5000 {
			t.Errorf("before anything ran the weight is %s, want 50%%", r.first.State.Weight)
		}
		pass(31 * time.Second)
		r.stands(rollout.Progressing, rollout.Whole)
	})
}

func TestWhatCannotBeStoredIsNotShown(t *testing.T) {
	within(t, func(t *testing.T, r *rig) {
		r.start(declaredWeb())
		r.mu.Lock()
		r.full = true
		r.mu.Unlock()
		r.consul(catalog.Passing, catalog.Passing)
		pass(time.Minute)
		r.stands(rollout.Waiting, 0)
		if _, err := r.board.Do(t.Context(), "web", rollout.Command{Do: rollout.Pause}); err == nil {
			t.Error("a command was obeyed that could not be stored")
		}
		r.mu.Lock()
		r.full = false
		r.mu.Unlock()
		pass(2 * time.Second)
		r.stands(rollout.Progressing, 500)
	})
}

func TestPeopleCommandACanary(t *testing.T) {
	within(t, func(t *testing.T, r *rig) {
		r.start(declaredWeb())
		r.consul(catalog.Passing, catalog.Passing)
		do := func(verb rollout.Verb, want error) {
			t.Helper()
			_, err := r.board.Do(t.Context(), "web", rollout.Command{Do: verb, By: "kim", Reason: "why not"})
			if !errors.Is(err, want) {
				t.Fatalf("%s gives %v, want %v", verb, err, want)
			}
		}
		do(rollout.Pause, nil)
		do(rollout.Pause, ErrRefused)
		pass(time.Hour)
		r.stands(rollout.Paused, 500)
		do(rollout.Promote, nil)
		r.stands(rollout.Progressing, 5000)
		do(rollout.Pause, nil)
		do(rollout.Resume, nil)
		do(rollout.Abort, nil)
		r.stands(rollout.Aborted, 0)
		do(rollout.Restart, nil)
		pass(11 * time.Second)
		r.stands(rollout.Progressing, 500)
		if _, err := r.board.Do(t.Context(), "other", rollout.Command{Do: rollout.Abort}); !errors.Is(err, ErrUnknown) {
			t.Errorf("a canary that is not declared gives %v", err)
		}
		record, _ := r.board.Record("web")
		var told []string
		for _, e := range record.State.Events {
			if e.By != "" {
				told = append(told, fmt.Sprint(e.Kind, " by ", e.By))
			}
		}
		want := []string{"paused by kim", "command refused by kim", "promoted by kim", "stepped by kim", "paused by kim", "resumed by kim", "aborted by kim", "restarted by kim"}
		if !slices.Equal(told, want) {
			t.Errorf("the events are %q, want %q", told, want)
		}
	})
}

func TestAReloadTakesOverNewChangedAndRemovedCanaries(t *testing.T) {
	within(t, func(t *testing.T, r *rig) {
		r.start()
		if err := r.board.Declare([]Canary{declaredWeb()}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		r.consul(catalog.Passing, catalog.Passing)
		r.stands(rollout.Progressing, 500)
		changed := declaredWeb(func(c *Canary) { c.Plan.Interval = time.Hour })
		if err := errors.Join(r.board.Declare([]Canary{changed}), r.board.Keep([]Canary{changed})); err != nil {
			t.Fatal(err)
		}
		pass(30 * time.Minute)
		r.stands(rollout.Progressing, 500)
		if err := r.board.Keep(nil); err != nil {
			t.Fatal(err)
		}
		if got := r.board.Records(); len(got) != 0 || len(r.stored()) != 0 {
			t.Errorf("a removed canary left %v and %v", got, r.stored())
		}
	})
}

func TestAJumpOfAllTrafficIsRefusedAndTheFormerSplitStays(t *testing.T) {
	within(t, func(t *testing.T, r *rig) {
		r.start(declaredWeb(func(c *Canary) { c.Plan.Interval = 10 * time.Second }))
		r.consul(catalog.Passing, catalog.Passing)
		pass(time.Minute)
		r.stands(rollout.Succeeded, rollout.Whole)
		next := declaredWeb(func(c *Canary) { c.Candidate.Name, c.Plan.Candidate.Name = "v3", "v3" })
		if err := r.board.Declare([]Canary{next}); err != nil {
			t.Fatal(err)
		}
		record, _ := r.board.Record("web")
		if record.Declared.Candidate.Name != "v2" || Weights([]Record{record})["web"]["v2"] != 100 {
			t.Errorf("the refused change moved traffic: %+v", record)
		}
	})
}

func TestWatchersHearOfChangesUntilTheyLeave(t *testing.T) {
	within(t, func(t *testing.T, r *rig) {
		r.start(declaredWeb())
		ctx, cancel := context.WithCancel(t.Context())
		heard := r.board.Watch(ctx)
		r.consul(catalog.Passing, catalog.Passing)
		if <-heard; len(heard) != 0 {
			t.Error("a slow watcher has more than one change waiting")
		}
		r.stands(rollout.Progressing, 500)
		cancel()
		synctest.Wait()
		if _, open := <-heard; open {
			t.Error("a watcher that left hears more")
		}
	})
}

func TestNumbersOfAnotherPlanAreNotJudged(t *testing.T) {
	within(t, func(t *testing.T, r *rig) {
		r.errors = "0.5"
		r.start(declaredWeb(watched))
		r.consul(catalog.Passing, catalog.Passing)
		pass(9 * time.Second) // asked for, not judged yet
		r.mu.Lock()
		r.errors = "0"
		r.mu.Unlock()
		changed := declaredWeb(watched, func(c *Canary) { c.Plan.Metrics[0].Query, c.Plan.Threshold = "others", 1 })
		if err := r.board.Declare([]Canary{changed}); err != nil {
			t.Fatal(err)
		}
		pass(11 * time.Second)
		r.stands(rollout.Progressing, 500)
	})
}
