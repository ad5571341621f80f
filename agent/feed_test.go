package agent

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"patchbay/agent/internal/httpapi"
	"patchbay/tasks"

	"github.com/google/go-cmp/cmp"
)

// piped is an answer that is read while it is written.
type piped struct {
	http.ResponseWriter
	to io.Writer
}

func (p piped) Write(b []byte) (int, error) { return p.to.Write(b) }
func (p piped) FlushError() error           { return nil }

// stream is what a reader of server-sent events saw.
type stream struct {
	mu   sync.Mutex
	seen []string
	end  func()
}

// open reads a stream of the engine's events until its end is called.
func (b *bench) open(path string) *stream {
	s, ended := &stream{}, make(chan struct{}, 2)
	read, write := io.Pipe()
	ctx, leave := context.WithCancel(context.Background())
	go func() {
		httpapi.New(httpapi.Options{Reader: b.engine, Feed: b.engine}).ServeHTTP(piped{httptest.NewRecorder(), write},
			httptest.NewRequestWithContext(ctx, http.MethodGet, path, nil))
		write.Close()
		ended <- struct{}{}
	}()
	go func() {
		lines := bufio.NewScanner(read)
		lines.Buffer(nil, 1<<20)
		for event := ""; lines.Scan(); {
			if name, is := strings.CutPrefix(lines.Text(), "event: "); is {
				event = name
			}
			if data, is := strings.CutPrefix(lines.Text(), "data: "); is {
				s.saw(event, data)
			}
		}
		ended <- struct{}{}
	}()
	s.end = func() {
		leave()
		read.Close()
		<-ended
		<-ended
	}
	synctest.Wait()
	return s
}

// saw keeps an event as its kind and task.
func (s *stream) saw(event, data string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := strings.Trim(data, `"`)
	if event == "state" {
		var state httpapi.State
		if err := json.Unmarshal([]byte(data), &state); err != nil {
			state.Name = err.Error()
		}
		name = state.Name
	}
	if last := event + " " + name; len(s.seen) == 0 || s.seen[len(s.seen)-1] != last {
		s.seen = append(s.seen, last)
	}
}

// wantSeen waits for nothing: what happened must have been told at once.
func (s *stream) wantSeen(t *testing.T, when string, want ...string) {
	t.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if diff := cmp.Diff(want, s.seen); diff != "" {
		t.Errorf("%s: %s", when, diff)
	}
	s.seen = nil
}

// wantGone lets the task's last state stand before its end, or not: the newest wins.
func (s *stream) wantGone(t *testing.T, when, name string) {
	t.Helper()
	synctest.Wait()
	s.mu.Lock()
	s.seen = slices.DeleteFunc(s.seen, func(event string) bool { return event == "state "+name })
	s.mu.Unlock()
	s.wantSeen(t, when, "removed "+name)
}

func TestAStreamOfAllTasksTellsOfNewAndOfGoneTasksAtOnce(t *testing.T) {
	old, made, looked := taskNamed(t, "old"), taskNamed(t, "made"), taskNamed(t, "looked")
	synctest.Test(t, func(t *testing.T) {
		b := startBench(t, newMemory(), &terraformFake{}, old)
		b.consulHas(1)
		pass(time.Minute)
		s := b.open("/v1/events")
		s.wantSeen(t, "at first", "state old")
		if a := <-b.create(looked, tasks.RunInspect); a.err != nil {
			t.Fatal(a.err)
		}
		s.wantSeen(t, "an inspection")
		for _, enabled := range []bool{true, false, true} { // a name may be used again
			made.Enabled = enabled
			if a := <-b.create(made, tasks.RunLater); a.err != nil {
				t.Fatal(a.err)
			}
			s.wantSeen(t, "a creation", "state made")
			one := b.open("/v1/tasks/made/events")
			if err := b.engine.Remove(t.Context(), "made", false); err != nil {
				t.Fatal(err)
			}
			s.wantGone(t, "a deletion", "made")
			one.wantGone(t, "the stream of the task", "made")
			one.end()
		}
		b.reload()
		s.wantGone(t, "a block that is gone", "old")
		s.end()
		b.stop()
	})
}

func TestAStreamOfATaskThatIsNotThereIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := startBench(t, newMemory(), &terraformFake{})
		made := taskNamed(t, "made")
		b.consulHas(1)
		for _, path := range []string{"/v1/tasks/made/events", "/v1/events?task=made"} {
			w := httptest.NewRecorder()
			httpapi.New(httpapi.Options{Reader: b.engine, Feed: b.engine}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
			if w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "a task with name 'made' does not exist") {
				t.Errorf("%s: %d %s", path, w.Code, w.Body)
			}
		}
		if a := <-b.create(made, tasks.RunLater); a.err != nil {
			t.Fatal(a.err)
		}
		s := b.open("/v1/events?task=made")
		s.wantSeen(t, "once it is there", "state made")
		s.end()
		b.stop()
	})
}

func TestATaskIsToldOfWhenItIsThereAndNotBefore(t *testing.T) {
	old, made := taskNamed(t, "old"), taskNamed(t, "made")
	made.Enabled = false
	synctest.Test(t, func(t *testing.T) {
		terraform := &terraformFake{took: time.Hour}
		b := startBench(t, newMemory(), terraform, old)
		b.consulHas(1)
		pass(time.Minute) // the apply of the only slot is under way
		s := b.open("/v1/events")
		got := b.create(made, tasks.RunLater)
		pass(time.Minute)
		s.wantSeen(t, "while it waits for its turn", "state old")
		if a := <-got; a.err != nil {
			t.Fatal(a.err)
		}
		synctest.Wait()
		s.mu.Lock()
		if !slices.Contains(s.seen, "state made") {
			t.Errorf("once it is there: %q", s.seen)
		}
		s.mu.Unlock()
		s.end()
		b.stop()
	})
}
