package haproxy_test

import (
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"patchbay/templates/internal/haproxy"
	"patchbay/templates/internal/moduletest"
)

// underLoad makes changes while clients ask with fresh and with kept connections, and
// fails when a request was lost or a backend never answered.
func underLoad(t *testing.T, h *haproxy.Server, names []string, changes func()) {
	t.Helper()
	loads := map[string]*haproxy.Load{"a connection for each request": {}, "kept connections": {Kept: true}}
	var stops []func()
	for _, l := range loads {
		stops = append(stops, l.Start("http://"+h.Addr, 2, 5*time.Millisecond))
	}
	stop := func() {
		for _, s := range stops {
			s()
		}
	}
	defer stop()
	changes()
	stop()
	for sentence, l := range loads {
		t.Logf("%s: %d requests, answers %v, failures %v", sentence, l.Requests, l.Answers, l.Failures)
		if len(l.Failures) > 0 {
			t.Errorf("%s: of %d requests failed %v", sentence, l.Requests, l.Failures)
		}
		for _, name := range names {
			if l.Answers[name] == 0 {
				t.Errorf("%s: backend %s never answered", sentence, name)
			}
		}
	}
}

func TestMemberChangesLoseNoRequestAndNeedNoReload(t *testing.T) {
	h := haproxy.New(t, "")
	// Without slots in spare, some are given from one instance to another under load.
	s := h.Stack(t, "spare_slots = 0", `server_options = "check inter 200ms"`)
	a, b, c := moduletest.Backend(t, "a"), moduletest.Backend(t, "b"), moduletest.Backend(t, "c")
	sets := [][]moduletest.Instance{{a}, {b, c}, {b.With(func(i *moduletest.Instance) { i.Status = "maintenance" }), c}}
	names := [][]string{{"a"}, {"b", "c"}, {"c"}}
	s.Give(t, sets[0]...)
	s.Apply(t)
	h.Serves(t, names[0]...)
	worker := h.Worker(t)
	underLoad(t, h, []string{"a", "b", "c"}, func() {
		for n := 1; n <= 12; n++ {
			s.Give(t, sets[n%3]...)
			s.Apply(t)
			h.Serves(t, names[n%3]...)
		}
	})
	if got := h.Worker(t); got != worker {
		t.Errorf("haproxy was reloaded: worker %s, before %s", got, worker)
	}
}

func TestStructureChangesReloadAndLoseNoRequest(t *testing.T) {
	h := haproxy.New(t, "")
	s := h.Stack(t)
	sets := [][]moduletest.Instance{{moduletest.Backend(t, "a")}, {moduletest.Backend(t, "b"), moduletest.Backend(t, "c")}}
	names := [][]string{{"a"}, {"b", "c"}}
	s.Give(t, sets[0]...)
	s.Apply(t)
	h.Serves(t, names[0]...)
	worker := h.Worker(t)
	underLoad(t, h, []string{"a", "b", "c"}, func() {
		for n := 1; n <= 8; n++ {
			var services []moduletest.Instance
			for _, i := range sets[n%2] {
				services = append(services, i.With(func(i *moduletest.Instance) {
					i.User = map[string]string{"haproxy_balance": []string{"roundrobin", "leastconn"}[n%2]}
				}))
			}
			s.Give(t, services...)
			s.Apply(t)
			h.Serves(t, names[n%2]...)
			after := h.Worker(t)
			if after == worker {
				t.Error("haproxy was not reloaded for another way of balancing")
			}
			worker = after
		}
	})
}

func TestFromOneToAThousandInstances(t *testing.T) {
	h := haproxy.New(t, "")
	s := h.Stack(t)
	for _, count := range []int{1, 100, 1000} {
		services := make([]moduletest.Instance, count)
		for n := range services {
			ip := net.IP{0xfd, 0, 1, 2, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, byte(n >> 8), byte(n)}
			services[n] = moduletest.Instance{Name: "web", Address: ip.String(), Port: 65000, Status: "critical"}
		}
		for _, last := range []string{"made", "moved"} {
			name := fmt.Sprint(last, " to be the last of ", count)
			services[count-1] = moduletest.Backend(t, name)
			s.Give(t, services...)
			before, began := h.Worker(t), time.Now()
			s.Apply(t)
			t.Logf("terraform apply with %d instances: %v", count, time.Since(began))
			h.Serves(t, name)
			if got := strings.Count(h.Read(t, haproxy.Live), "\n  server ") - strings.Count(h.Read(t, haproxy.Live), "# spare"); got != count {
				t.Errorf("the file has %d members, want %d", got, count)
			}
			if last == "moved" && h.Worker(t) != before {
				t.Errorf("with %d instances haproxy was reloaded for one that moved", count)
			}
		}
	}
	s.Settled(t)
}

// BenchmarkModule measures one change of one instance, given and applied: until HAProxy
// has confirmed it. Reloads are counted by HAProxy's master.
func BenchmarkModule(b *testing.B) {
	for _, count := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("haproxy/%d", count), func(b *testing.B) {
			h := haproxy.New(b, "")
			s := h.Stack(b)
			services := moduletest.Instances("web", count)
			s.Give(b, services...)
			s.Apply(b)
			worker, commands := h.Worker(b), 0
			for b.Loop() {
				services[count/2].Port++
				s.Give(b, services...)
				commands += commandsOf(b, s)
			}
			b.ReportMetric(float64(commands)/float64(b.N), "calls/change")
			if h.Worker(b) != worker {
				b.Error("haproxy was reloaded")
			}
		})
	}
}

var commands = regexp.MustCompile(`(\d+) commands of the Runtime API`)

// commandsOf applies and gives the number of commands that the module says it gave.
func commandsOf(tb testing.TB, s *moduletest.Stack) int {
	tb.Helper()
	out := s.Must(tb, "apply", "-auto-approve", "-input=false")
	found := commands.FindStringSubmatch(out)
	if found == nil {
		tb.Fatalf("the apply does not tell what it did:\n%s", out)
	}
	count, err := strconv.Atoi(found[1])
	if err != nil {
		tb.Fatalf("read number of commands: %v", err)
	}
	return count
}
