package httpapi

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

	"patchbay/tasks"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

// feed gives every reader what is sent to it, without any buffer of its own.
type feed struct{ in chan tasks.State }

func (f feed) Events(ctx context.Context) <-chan tasks.State {
	out := make(chan tasks.State)
	go func() {
		defer close(out)
		for {
			select {
			case s := <-f.in:
				select {
				case out <- s:
				case <-ctx.Done():
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

// live is a served agent with a feed.
type live struct {
	*fake
	feed   feed
	base   string
	client *http.Client
	stop   context.CancelFunc
	served chan error
}

func newLive(t *testing.T) *live {
	l := listen(t)
	ctx, stop := context.WithCancel(context.Background())
	v := &live{fake: newFake(), feed: feed{make(chan tasks.State)}, base: "http://" + l.Addr().String(), stop: stop, served: make(chan error, 1),
		client: &http.Client{Transport: &http.Transport{}}}
	h := checked(t, New(Options{Reader: v, Operator: v, Prober: v, Feed: v.feed}))
	go func() { v.served <- Serve(ctx, l, h) }()
	t.Cleanup(v.client.CloseIdleConnections)
	return v
}

// open starts reading a stream.
func (v *live) open(t *testing.T, path string) *bufio.Reader {
	t.Helper()
	res, err := v.client.Get(v.base + path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%d %s", res.StatusCode, res.Header)
	}
	return bufio.NewReader(res.Body)
}

// next reads one event: its name, then its data.
func next(t *testing.T, r *bufio.Reader) (event, data string) {
	t.Helper()
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return "end", ""
		}
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "event: "):
			event = line[len("event: "):]
		case strings.HasPrefix(line, "data: "):
			data = line[len("data: "):]
		case line == "" && event != "":
			return event, data
		}
	}
}

func wantState(t *testing.T, r *bufio.Reader, want tasks.State) {
	t.Helper()
	event, data := next(t, r)
	text, err := json.Marshal(NewState(want))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("state "+string(text), event+" "+data); diff != "" {
		t.Fatal(diff)
	}
}

func TestAStreamTellsAllStatesAndThenChanges(t *testing.T) {
	v := newLive(t)
	r := v.open(t, "/v1/events")
	for _, s := range v.list {
		wantState(t, r, s)
	}
	changed := v.list[1]
	changed.Note = "line one\nevent: forged\n\ndata: x"
	v.feed.in <- changed
	wantState(t, r, changed)
	v.stop()
	if err := <-v.served; err != nil {
		t.Error(err)
	}
	if event, _ := next(t, r); event != "end" {
		t.Errorf("after the stop came %q", event)
	}
}

func TestAStreamOfOneTaskTellsNothingElse(t *testing.T) {
	for _, path := range []string{"/v1/tasks/db/events", "/v1/events?task=db"} {
		v := newLive(t)
		r := v.open(t, path)
		wantState(t, r, v.list[1])
		other, own := v.list[0], v.list[1]
		own.Note = "new"
		v.feed.in <- other
		v.feed.in <- own
		wantState(t, r, own)
		v.stop()
		<-v.served
	}
}

func TestAStreamIsRefusedPlainly(t *testing.T) {
	h := checked(t, New(Options{Reader: newFake(), Feed: feed{}}))
	for target, want := range map[string]int{"/v1/tasks/none/events": 404, "/v1/events?task=none": 404, "/v1/events?task=": 404, "/v1/events?task=a&task=b": 400} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", target, nil))
		if w.Code != want || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("HEAD", "/v1/events", nil))
	if w.Code != 200 || w.Header().Get("Content-Type") != "text/event-stream" || w.Body.Len() > 0 {
		t.Errorf("HEAD: %d %s", w.Code, w.Body)
	}
	if w := call(t, newFake(), "GET", "/v1/events", nil); w.Code != 404 {
		t.Errorf("without a feed: %d", w.Code)
	}
}

func TestThereIsAnEndToTheNumberOfStreams(t *testing.T) {
	a := newAPI(Options{Reader: newFake(), Feed: feed{}}, func() string { return "id" })
	synctest.Test(t, func(t *testing.T) {
		ctx, leave := context.WithCancel(t.Context())
		var open sync.WaitGroup
		for range maxStreams {
			open.Go(func() {
				a.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "GET", "/v1/events", nil))
			})
		}
		synctest.Wait()
		w := httptest.NewRecorder()
		a.ServeHTTP(w, httptest.NewRequest("GET", "/v1/events", nil))
		if w.Code != 503 || !strings.Contains(w.Body.String(), "100 event streams are open") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		leave()
		open.Wait()
		w = httptest.NewRecorder()
		a.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/v1/events", nil))
		if w.Code != 200 {
			t.Errorf("when all have left: %d", w.Code)
		}
	})
}

// piped is an answer whose reader may take its time.
type piped struct {
	http.ResponseWriter
	to io.Writer
}

func (p piped) Write(b []byte) (int, error) { return p.to.Write(b) }
func (p piped) FlushError() error           { return nil }

func TestAQuietStreamShowsThatItLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(Options{Reader: &fake{}, Feed: feed{}})
		ctx, leave := context.WithCancel(t.Context())
		w, ended := httptest.NewRecorder(), make(chan struct{})
		go func() {
			defer close(ended)
			h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/v1/events", nil))
		}()
		time.Sleep(3*beat + time.Second) // the bubble's clock
		leave()
		<-ended
		if want := strings.Repeat(": alive\n\n", 3); w.Body.String() != want {
			t.Errorf("got %q", w.Body)
		}
	})
}

func TestASlowReaderLosesOldStatesAndHoldsUpNobody(t *testing.T) {
	defer goleak.VerifyNone(t)
	f, in := newFake(), feed{make(chan tasks.State)}
	read, write := io.Pipe()
	ctx, leave := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		New(Options{Reader: f, Feed: in}).ServeHTTP(piped{httptest.NewRecorder(), write}, httptest.NewRequestWithContext(ctx, "GET", "/v1/events", nil))
	}()
	const sent = 2000
	for n := range sent { // nobody reads: yet every one is taken
		s := f.list[n%2]
		s.Note = string(rune('0' + n))
		in.in <- s
	}
	r := bufio.NewReader(read)
	var notes []string
	for len(notes) < 2 || notes[len(notes)-1] != string(rune('0'+sent-1)) {
		_, data := next(t, r)
		var s State
		if err := json.Unmarshal([]byte(data), &s); err != nil {
			t.Fatal(err)
		}
		notes = append(notes, s.Note)
	}
	if len(notes) > 3+2*2 {
		t.Errorf("%d states of %d came", len(notes), sent)
	}
	if !slices.Contains(notes, string(rune('0'+sent-2))) {
		t.Errorf("the newest of the other task is not among %q", notes)
	}
	leave()
	read.Close()
	<-ended
}

func TestAReaderThatTakesNothingIsCutOff(t *testing.T) {
	s := &stream{exchange: exchange{w: piped{httptest.NewRecorder(), brokenWriter{}}, r: httptest.NewRequest("GET", "/", nil)}, api: &api{Options: Options{Reader: newFake()}}}
	s.control = http.NewResponseController(s.w)
	s.write(make(chan []tasks.State)) // returns, or the test never ends
	if s.send(nil) {
		t.Error("a broken connection took an event")
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// changing is a Reader whose tasks may go.
type changing struct {
	*fake
	mu   sync.Mutex
	gone string
}

func (c *changing) States() []tasks.State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(c.list), func(s tasks.State) bool { return s.Task.Name == c.gone })
}

func (c *changing) State(name string) (tasks.State, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if name == c.gone {
		return tasks.State{}, false
	}
	return c.fake.State(name)
}

// change takes one task away and gives the one before back.
func (c *changing) change(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone = name
}

func TestAStreamTellsThatATaskIsGone(t *testing.T) {
	for target, ends := range map[string]bool{"/v1/tasks/db/events": true, "/v1/events": false} {
		synctest.Test(t, func(t *testing.T) {
			c := &changing{fake: newFake()}
			ctx, leave := context.WithCancel(t.Context())
			w, ended := httptest.NewRecorder(), make(chan struct{})
			go func() {
				defer close(ended)
				New(Options{Reader: c, Feed: feed{}}).ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", target, nil))
			}()
			time.Sleep(beat / 2)
			c.change("db")
			time.Sleep(2 * beat)
			synctest.Wait()
			select {
			case <-ended:
				if !ends {
					t.Errorf("%s ended", target)
				}
			default:
				if ends {
					t.Errorf("%s goes on", target)
				}
			}
			leave()
			<-ended
			if n := strings.Count(w.Body.String(), "event: removed\ndata: \"db\"\n\n"); n != 1 {
				t.Errorf("%s tells %d times: %s", target, n, w.Body)
			}
		})
	}
}

func TestATaskThatNeverWasIsNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, in := &changing{fake: newFake(), gone: "db"}, feed{make(chan tasks.State)}
		ctx, leave := context.WithCancel(t.Context())
		w, ended := httptest.NewRecorder(), make(chan struct{})
		go func() {
			defer close(ended)
			New(Options{Reader: c, Feed: in}).ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/v1/events", nil))
		}()
		in.in <- c.list[1] // inspected
		synctest.Wait()
		c.change("") // and now it is made, unheard
		time.Sleep(beat + time.Second)
		leave()
		<-ended
		if n := strings.Count(w.Body.String(), `event: state
data: {"name":"db"`); n != 1 || strings.Contains(w.Body.String(), "event: removed") {
			t.Errorf("made, it was told %d times: %s", n, w.Body)
		}
	})
}
