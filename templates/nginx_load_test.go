package templates_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"patchbay/templates/internal/moduletest"
)

// load asks NGINX all the time, at a bounded rate, and counts what happened.
type load struct {
	// kept reuses connections. NGINX before 1.27.4 closes idle ones at a reload,
	// so such a client must, as HTTP (RFC 9112, 9.3.1) expects of it, send a GET again
	// on a new connection when the kept one was closed under it; net/http does. Else
	// each request has a connection of its own, and nothing is ever sent again: the
	// body cannot be read twice.
	kept bool

	mu       sync.Mutex
	requests int
	answers  map[string]int
	failures map[string]int
}

// start runs clients until stop is called.
func (l *load) start(url string, clients int, pause time.Duration) (stop func()) {
	l.answers, l.failures = map[string]int{}, map[string]int{}
	done := make(chan struct{})
	var group errgroup.Group
	for range clients {
		group.Go(func() error {
			transport := &http.Transport{DisableKeepAlives: !l.kept}
			defer transport.CloseIdleConnections()
			client := &http.Client{Transport: transport, Timeout: moduletest.Patience}
			tick := time.NewTicker(pause)
			defer tick.Stop()
			for {
				select {
				case <-done:
					return nil
				case <-tick.C:
					l.one(client, url)
				}
			}
		})
	}
	return sync.OnceFunc(func() {
		close(done)
		_ = group.Wait()
	})
}

func (l *load) one(client *http.Client, url string) {
	body, err := l.ask(client, url)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests++
	if err != nil {
		l.failures[err.Error()]++
		return
	}
	l.answers[body]++
}

func (l *load) ask(client *http.Client, url string) (string, error) {
	method, payload := http.MethodPost, io.Reader(io.NopCloser(strings.NewReader("x")))
	if l.kept {
		method, payload = http.MethodGet, nil
	}
	request, err := http.NewRequest(method, url, payload)
	if err != nil {
		return "", err
	}
	if !l.kept {
		request.ContentLength = 1
	}
	answer, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %s", answer.Status)
	}
	return string(content), err
}

func TestNginxLosesNoRequestWhileItReloads(t *testing.T) {
	e := newEdge(t, "")
	s := newStack(t, e, live, "keepalive = 8")
	sets := [][]moduletest.Instance{{moduletest.Backend(t, "a")}, {moduletest.Backend(t, "b"), moduletest.Backend(t, "c")}}
	names := [][]string{{"a"}, {"b", "c"}}
	s.Give(t, sets[0]...)
	s.Apply(t)
	e.serves(t, names[0]...)
	e.workers(t) // those of the start know no backend

	fresh, kept := &load{}, &load{kept: true}
	stopFresh := fresh.start("http://"+e.addr, 2, 5*time.Millisecond)
	defer stopFresh()
	stopKept := kept.start("http://"+e.addr, 2, 5*time.Millisecond)
	defer stopKept()
	const changes = 20
	for n := 1; n <= changes; n++ {
		s.Give(t, sets[n%2]...)
		s.Apply(t)
		e.serves(t, names[n%2]...)
	}
	stopFresh()
	stopKept()
	for sentence, l := range map[string]*load{"a connection for each request": fresh, "kept connections": kept} {
		t.Logf("%s: %d requests during %d reloads, answers %v, failures %v", sentence, l.requests, changes, l.answers, l.failures)
		if len(l.failures) > 0 {
			t.Errorf("%s: of %d requests failed %v; nginx says:\n%s", sentence, l.requests, l.failures, e.read(t, "error.log"))
		}
		for _, name := range []string{"a", "b", "c"} {
			if l.answers[name] == 0 {
				t.Errorf("%s: backend %s never answered", sentence, name)
			}
		}
	}
}

func TestNginxTakesThousandsOfInstances(t *testing.T) {
	e := newEdge(t, "")
	s := newStack(t, e, live)
	for _, count := range []int{1, 100, 1000, 5000} {
		name := fmt.Sprint("last of ", count)
		last := moduletest.Backend(t, name)
		services := make([]moduletest.Instance, count)
		for n := range services {
			// The longest addresses need the largest zone; those that are down are not asked.
			ip := net.IP{0xfd, 0, 1, 2, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, byte(n >> 8), byte(n)}
			services[n] = moduletest.Instance{Name: "web", Address: ip.String(), Port: 65000, Status: "critical"}
		}
		services[count-1] = last
		s.Give(t, services...)
		began := time.Now()
		s.Apply(t)
		t.Logf("terraform apply with %d instances: %v", count, time.Since(began))
		e.serves(t, name)
		if got := strings.Count(e.read(t, live), "\n  server "); got != count {
			t.Errorf("the file has %d servers, want %d", got, count)
		}
	}
	s.Settled(t)
}

func TestNginxModulesShareOneNginx(t *testing.T) {
	second := moduletest.FreeAddr(t)
	e := newEdge(t, fmt.Sprintf(`server { listen %s; location / { set $up b-web; proxy_pass http://$up; } }`, second))
	other := &edge{dir: e.dir, addr: second}
	one := newStack(t, e, live)
	two := newStack(t, e, "conf.d/b.conf", `upstream_prefix = "b-"`)
	names := []string{"a", "b"}
	backends := []moduletest.Instance{moduletest.Backend(t, "a"), moduletest.Backend(t, "b")}
	for n := range 6 {
		one.Give(t, backends[n%2])
		two.Give(t, backends[(n+1)%2])
		var group errgroup.Group
		for name, s := range map[string]*moduletest.Stack{"first": one, "second": two} {
			group.Go(func() error {
				if out, err := s.Run("apply", "-auto-approve"); err != nil {
					return fmt.Errorf("apply %s module: %w:\n%s", name, err, out)
				}
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		e.serves(t, names[n%2])
		other.serves(t, names[(n+1)%2])
	}
	onlyFiles(t, e, "b.conf", "web.conf")
}

func BenchmarkNginxApply(b *testing.B) {
	for _, count := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("instances=%d", count), func(b *testing.B) {
			e := newEdge(b, "")
			s := newStack(b, e, live)
			backends := []moduletest.Instance{moduletest.Backend(b, "a"), moduletest.Backend(b, "b")}
			names := []string{"a", "b"}
			n := 0
			change := func() {
				n++
				services := make([]moduletest.Instance, count)
				for i := range services {
					services[i] = backends[n%2]
				}
				s.Give(b, services...)
			}
			change()
			s.Apply(b)
			var served time.Duration
			for b.Loop() {
				b.StopTimer()
				change()
				began := time.Now()
				b.StartTimer()
				s.Apply(b)
				b.StopTimer()
				served += lastAnswer(b, e, names[(n+1)%2]).Sub(began)
				b.StartTimer()
			}
			b.ReportMetric(float64(served.Milliseconds())/float64(b.N), "ms-until-new-only")
		})
	}
}

// lastAnswer gives the time of the last answer of the old backend, or now; old
// workers take requests for 100 ms after a reload.
func lastAnswer(b *testing.B, e *edge, old string) time.Time {
	last := time.Now()
	for time.Since(last) < 200*time.Millisecond {
		if _, body := e.ask(); body == old {
			last = time.Now()
		}
		time.Sleep(time.Millisecond)
	}
	return last
}
