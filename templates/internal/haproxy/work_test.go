package haproxy_test

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"patchbay/templates/internal/haproxy"
	"patchbay/templates/internal/moduletest"
)

// slow is a backend whose requests end when the test says so.
type slow struct {
	moduletest.Instance
	began, end chan struct{}
}

func newSlow(t *testing.T) slow {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	s := slow{began: make(chan struct{}), end: make(chan struct{})}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.began <- struct{}{}
		<-s.end
		fmt.Fprint(w, "slow")
	})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	addr := l.Addr().(*net.TCPAddr)
	s.Instance = moduletest.Instance{Name: "web", Address: addr.IP.String(), Port: addr.Port, Status: "passing"}
	return s
}

func TestRequestsInWorkAreFinished(t *testing.T) {
	h := haproxy.New(t, "")
	s := h.Stack(t, "spare_slots = 0")
	other := moduletest.Backend(t, "other")
	for sentence, next := range map[string]moduletest.Instance{
		"whose instance goes": other,
		"whose instance goes by a reload": other.With(func(i *moduletest.Instance) {
			i.User = map[string]string{"haproxy_balance": "leastconn"}
		}),
	} {
		t.Run(sentence, func(t *testing.T) {
			busy := newSlow(t)
			s.Give(t, busy.Instance)
			s.Apply(t)
			answer := make(chan string, 1)
			go func() {
				status, body := h.Ask()
				answer <- fmt.Sprint(status, " ", body)
			}()
			<-busy.began
			worker := h.Worker(t)
			s.Give(t, next)
			s.Apply(t)
			if reloaded := h.Worker(t) != worker; reloaded != (next.User != nil) {
				t.Errorf("haproxy was reloaded: %v", reloaded)
			}
			h.Serves(t, "other")
			close(busy.end)
			if got := <-answer; got != "200 slow" {
				t.Errorf("the request in work was answered %q", got)
			}
		})
	}
}

func TestWeightedAndIPv6BackendsAreServed(t *testing.T) {
	h := haproxy.New(t, "")
	s := h.Stack(t)
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Fatalf("listen on IPv6 loopback: %v", err)
	}
	six, four := moduletest.Serve(t, l, "six"), moduletest.Backend(t, "four")
	s.Give(t, four)
	s.Apply(t)
	worker := h.Worker(t)
	s.Give(t, weigh(six, "3").With(func(i *moduletest.Instance) { i.Address = "0:0::0001" }), four)
	s.Apply(t)
	h.Serves(t, "six", "four")
	seen := map[string]int{}
	for range 400 {
		_, body := h.Ask()
		seen[body]++
	}
	// Exact but for the threads of HAProxy, which meet at the same server now and then.
	for name, want := range map[string]int{"six": 300, "four": 100} {
		if got := seen[name]; got < want-20 || got > want+20 {
			t.Errorf("%s answered %d of 400 requests, want about %d", name, got, want)
		}
	}
	if got := h.Worker(t); got != worker {
		t.Errorf("haproxy was reloaded: worker %s, before %s", got, worker)
	}
}

func TestTCPBackendsAreServed(t *testing.T) {
	h := haproxy.New(t, "")
	tcp := &haproxy.Server{Dir: h.Dir, Addr: moduletest.FreeAddr(t)}
	h.Configure(t, "frontend tcp\n  mode tcp\n  bind "+tcp.Addr+"\n  default_backend db\nbackend web\n")
	s := h.Stack(t, `mode = "tcp"`)
	for _, name := range []string{"a", "b"} {
		s.Give(t, moduletest.Backend(t, name).With(func(i *moduletest.Instance) { i.Name = "db" }))
		s.Apply(t)
		tcp.Serves(t, name)
	}
	s.Settled(t)
}

// both listens on one port of both loopback addresses, so that localhost is either.
func both(t *testing.T, name string) moduletest.Instance {
	t.Helper()
	for range 10 {
		four, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatalf("listen: %v", err)
		}
		six, err := net.Listen("tcp", fmt.Sprintf("[::1]:%d", four.Addr().(*net.TCPAddr).Port))
		if err != nil {
			_ = four.Close()
			continue
		}
		moduletest.Serve(t, six, name)
		return moduletest.Serve(t, four, name)
	}
	t.Fatal("no port is free on both loopback addresses")
	return moduletest.Instance{}
}

func TestHostNamesAreServedAfterAReload(t *testing.T) {
	h := haproxy.New(t, "")
	s := h.Stack(t)
	plain := both(t, "a")
	named := plain.With(func(i *moduletest.Instance) { i.Address = "localhost" })
	nowhere := named.With(func(i *moduletest.Instance) { i.Address = strings.Repeat("x", 64) + ".invalid" }) // too long to ask for
	worker := ""
	for _, step := range []struct {
		sentence string
		services []moduletest.Instance
		reload   bool
	}{
		{"a name beside one that does not resolve", []moduletest.Instance{named, nowhere}, true},
		{"another weight", []moduletest.Instance{weigh(named, "7"), weigh(nowhere, "7")}, false},
		{"maintenance of one", []moduletest.Instance{named, nowhere.With(func(i *moduletest.Instance) { i.Status = "critical" })}, false},
		{"an address in place of the name", []moduletest.Instance{plain}, true},
		{"nothing but members after that", []moduletest.Instance{plain, weigh(plain, "2")}, false},
	} {
		s.Give(t, step.services...)
		s.Apply(t)
		h.Serves(t, "a")
		if now := h.Worker(t); (now != worker) != step.reload {
			t.Errorf("%s: worker %s, before %s, want a reload: %v", step.sentence, now, worker, step.reload)
		} else {
			worker = now
		}
		s.Settled(t)
	}
}
