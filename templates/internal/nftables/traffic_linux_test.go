package nftables

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"patchbay/templates/internal/moduletest"
)

// allow is the argument of the module that opens a port of the host to service web.
func allow(port int) string {
	return fmt.Sprintf(`allow = [{ service = "web", ports = [%d] }]`, port)
}

func TestInstancesGetThroughAndNobodyElse(t *testing.T) {
	a, b, c, six, other := "10.77.1.1", "10.77.1.2", "10.77.1.3", "fd77::a", "fd77::b"
	all := []string{a, b, c, six, other}
	f := newFirewall(t, all...)
	port, free := f.serve(t), f.serve(t)
	s := f.stack(t, allow(port))
	f.reaches(t, port, all, all)
	for _, step := range []struct {
		sentence string
		services []moduletest.Instance
		served   []string
	}{
		{"before any instance is known the port is closed", nil, nil},
		{"one instance", []moduletest.Instance{at(a, 80)}, []string{a}},
		{"scaled up, with IPv6", []moduletest.Instance{at(a, 80), at(b, 81), at(six, 80)}, []string{a, b, six}},
		{"one replaced, one gone", []moduletest.Instance{at(b, 81), at("FD77:0::B", 80)}, []string{b, other}},
		{"the node's address stands for an empty one", []moduletest.Instance{at("", 80).With(func(i *moduletest.Instance) { i.Node = c })}, []string{c}},
		{"emptied: closed for all, never open for all", nil, nil},
		{"another service changes nothing", []moduletest.Instance{at(a, 80).With(func(i *moduletest.Instance) { i.Name = "db" })}, nil},
		{"filled again", []moduletest.Instance{at(a, 80), at(six, 80)}, []string{a, six}},
	} {
		s.Give(t, step.services...)
		s.Apply(t)
		f.reaches(t, port, all, step.served)
		f.reaches(t, free, all, all)
		s.Settled(t)
		if t.Failed() {
			t.Fatalf("that was: %s\n%s", step.sentence, f.ruleset(t))
		}
	}
}

func TestOpenConnectionsOutliveTheirInstance(t *testing.T) {
	a := "10.77.1.1"
	f := newFirewall(t, a)
	port := f.serve(t)
	s := f.stack(t, allow(port))
	s.Give(t, at(a, 80))
	s.Apply(t)
	c, err := f.dial(a, port)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	defer c.Close()
	s.Give(t)
	s.Apply(t)
	f.reaches(t, port, []string{a}, nil)
	answer := make([]byte, len(serving))
	if err := c.SetDeadline(time.Now().Add(moduletest.Patience)); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(answer); err != nil || string(answer[:n]) != serving {
		t.Errorf("the connection from before: %q, %v", answer[:n], err)
	}
}

// load connects all the time and counts what came of it.
type load struct {
	mu       sync.Mutex
	tries    int
	outcomes map[string]int
}

func (l *load) run(done <-chan struct{}, reach func() error) {
	tick := time.NewTicker(4 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
		}
		err := reach()
		l.mu.Lock()
		l.tries++
		l.outcomes[fmt.Sprint(err)]++
		l.mu.Unlock()
	}
}

func TestNoConnectionFailsDuring100Changes(t *testing.T) {
	stays, six, comes, never := "10.77.1.1", "fd77::a", "10.77.1.2", "10.77.1.3"
	f := newFirewall(t, stays, six, comes, never)
	port := f.serve(t)
	s := f.stack(t, allow(port))
	base := append(moduletest.Instances("web", 20), at(stays, 80), at(six, 80))
	s.Give(t, base...)
	s.Apply(t)

	loads := map[string]*load{stays: {}, six: {}, never: {}}
	done := make(chan struct{})
	var clients sync.WaitGroup
	for client, l := range loads {
		l.outcomes = map[string]int{}
		clients.Go(func() { l.run(done, func() error { return f.reach(client, port) }) })
	}
	stop := sync.OnceFunc(func() {
		close(done)
		clients.Wait()
	})
	defer stop()
	const changes = 100
	for n := range changes {
		// Each of them changes both families, adds and removes.
		now := append(base, at(fmt.Sprintf("10.77.2.%d", n+1), 80), at(fmt.Sprintf("fd77::%d", 100+n), 80))
		if n%2 == 0 {
			now = append(now, at(comes, 80))
		}
		s.Give(t, now...)
		s.Apply(t)
		if err := f.reach(comes, port); n%2 == 0 && err != nil || n%2 == 1 && !errors.Is(err, errRefused) {
			t.Fatalf("change %d: %s: %v", n, comes, err)
		}
	}
	stop()
	for client, want := range map[string]string{stays: "<nil>", six: "<nil>", never: "refused"} {
		l := loads[client]
		t.Logf("%s: %d connections during %d changes: %v", client, l.tries, changes, l.outcomes)
		if l.tries < changes || l.outcomes[want] != l.tries {
			t.Errorf("%s: of %d connections %v, want all %s", client, l.tries, l.outcomes, want)
		}
	}
}

func TestThousandsOfInstancesGetThrough(t *testing.T) {
	last, lastSix, never := "10.77.1.1", "fd77::a", "10.77.1.3"
	f := newFirewall(t, last, lastSix, never)
	port := f.serve(t)
	s := f.stack(t, allow(port))
	for _, count := range []int{1, 100, 1000} {
		services := moduletest.Instances("web", count)
		for n := range services {
			services[n] = at(fmt.Sprintf("fd00:1:2:3:1314:1516:1718:%x", n), 65000)
		}
		services = append(append(services, moduletest.Instances("web", count)...), at(last, 80), at(lastSix, 80))
		s.Give(t, services...)
		began := time.Now()
		s.Apply(t)
		t.Logf("terraform apply with %d instances: %v", len(services), time.Since(began))
		f.reaches(t, port, []string{last, lastSix, never}, []string{last, lastSix})
		var sets map[string]struct{ Elements map[string][]string }
		s.Output(t, "sets", &sets)
		if e := sets["web"].Elements; len(e["ip4"]) != count+1 || len(e["ip6_port"]) != count+1 {
			t.Errorf("%d IPv4 and %d IPv6 elements, want %d each", len(e["ip4"]), len(e["ip6_port"]), count+1)
		}
	}
	s.Settled(t)
}
