package consul

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"patchbay/agent/config"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/consul/api"
	"github.com/hashicorp/go-hclog"
)

var asPatchbay = Registration{Registration: config.Registration{Enabled: true, Name: "patchbay", Check: true}, ID: "patchbay-a", Port: 8558}

func TestARegistrationIsWhatTheContractSays(t *testing.T) {
	change := func(f func(*Registration)) Registration {
		r := asPatchbay
		f(&r)
		return r
	}
	check := func(name, notes, url string) *api.AgentServiceCheck {
		return &api.AgentServiceCheck{CheckID: "patchbay-a-health", Name: name, Notes: notes, HTTP: url, Interval: "10s", Timeout: "2s",
			Status: "critical", DeregisterCriticalServiceAfter: "30m", TLSSkipVerify: true}
	}
	const ours = "Check created by Patchbay"
	cases := map[string]struct {
		r    Registration
		want api.AgentServiceRegistration
	}{
		"the defaults": {asPatchbay, api.AgentServiceRegistration{ID: "patchbay-a", Name: "patchbay", Tags: []string{"cts"}, Port: 8558,
			Check: check("Patchbay Health Status", ours, "http://localhost:8558/v1/health")}},
		"an API over TLS": {change(func(r *Registration) { r.TLS = true }), api.AgentServiceRegistration{ID: "patchbay-a", Name: "patchbay",
			Tags: []string{"cts"}, Port: 8558, Check: check("Patchbay Health Status", ours, "https://localhost:8558/v1/health")}},
		"a check address, an address, a namespace and tags": {change(func(r *Registration) {
			r.CheckAddress, r.Address, r.Namespace, r.Tags = "https://cts.example.com:8558", "10.0.0.1", "team", []string{"cts", "cts-cluster:a"}
		}), api.AgentServiceRegistration{ID: "patchbay-a", Name: "patchbay", Tags: []string{"cts", "cts-cluster:a"}, Port: 8558, Address: "10.0.0.1",
			Namespace: "team", Check: check("Patchbay Health Status", ours, "https://cts.example.com:8558/v1/health")}},
		"no check": {change(func(r *Registration) { r.Check = false }), api.AgentServiceRegistration{ID: "patchbay-a", Name: "patchbay",
			Tags: []string{"cts"}, Port: 8558}},
		"the legacy name": {change(func(r *Registration) { r.Legacy, r.Name = true, "consul-terraform-sync" }),
			api.AgentServiceRegistration{ID: "patchbay-a", Name: "consul-terraform-sync", Tags: []string{"cts"}, Port: 8558,
				Check: check("CTS Health Status", "Check created by Consul-Terraform-Sync", "http://localhost:8558/v1/health")}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, *c.r.service()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// lines is a log that tests read while it is written.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buf.String(), text)
}

// keeping runs a registration whose agent answers by lie and returns its log.
func (w *world) keeping(r Registration, l lie) (log *lines, stop func()) {
	w.tell(l)
	log = &lines{}
	w.client.log = hclog.New(&hclog.LoggerOptions{Output: log})
	ctx, cancel := context.WithCancel(w.ctx)
	var group sync.WaitGroup
	group.Go(func() { w.client.RegisterLoop(ctx, r) })
	return log, func() { cancel(); group.Wait() }
}

func puts(part string) func(call) bool {
	return func(c call) bool { return strings.HasPrefix(c.path, "/v1/agent/service/"+part) }
}

func TestARefusedRegistrationIsToldOnceAndTriedSlowly(t *testing.T) {
	inWorld(t, withToken, func(w *world) {
		log, stop := w.keeping(asPatchbay, func(rw http.ResponseWriter, c call) bool {
			status(http.StatusForbidden, "Permission denied")(rw)
			return true
		})
		time.Sleep(time.Second)
		if n := len(w.seen(puts("register"))); n != 1 {
			t.Errorf("%d tries within a second", n)
		}
		time.Sleep(10 * time.Minute)
		if n := len(w.seen(puts("register"))); n < 15 || n > 30 {
			t.Errorf("%d tries within 10 minutes", n)
		}
		for _, text := range []string{"service:write", "Patchbay will continue without registering itself as a service with Consul", "registering Patchbay as"} {
			if n := log.count(text); n < 1 || n > 2 || strings.HasSuffix(text, "Consul") && n != 1 {
				t.Errorf("%q was told %d times", text, n)
			}
		}
		stop()
		if n := len(w.seen(puts("deregister"))); n != 0 {
			t.Errorf("what was never registered was deregistered %d times", n)
		}
	})
}

func TestAFailedRegistrationIsRetriedEightTimesAndThenForEver(t *testing.T) {
	inWorld(t, withToken, func(w *world) {
		broken := true
		legacy := asPatchbay
		legacy.Legacy = true
		log, stop := w.keeping(legacy, func(rw http.ResponseWriter, c call) bool {
			if !strings.HasPrefix(c.path, "/v1/agent/") {
				return false
			}
			code := http.StatusOK
			if broken {
				code = http.StatusInternalServerError
			}
			rw.WriteHeader(code)
			return true
		})
		defer stop()
		time.Sleep(42 * time.Second) // the pauses of 9 tries take 19 to 32 s, the next try is 24 s later at least
		if n := len(w.seen(puts("register"))); n != 9 {
			t.Errorf("%d tries at first, want 9", n)
		}
		if n := log.count("CTS will continue without registering itself as a service with Consul"); n != 1 {
			t.Errorf("the failure was told %d times", n)
		}
		w.change(func() { broken = false })
		time.Sleep(time.Minute)
		if n := log.count("Consul-Terraform-Sync registered as a service with Consul"); n != 1 {
			t.Errorf("the success was told %d times", n)
		}
	})
}

func TestALostRegistrationIsMadeAnewAndTakenOffAtTheEnd(t *testing.T) {
	inWorld(t, withToken, func(w *world) {
		kept := false
		log, stop := w.keeping(asPatchbay, func(rw http.ResponseWriter, c call) bool {
			switch {
			case puts("register")(c):
				kept = true
			case puts("deregister")(c):
				kept = false
			case !strings.HasPrefix(c.path, "/v1/agent/health/service/id/patchbay-a"):
				return false
			case !kept:
				rw.WriteHeader(http.StatusNotFound)
			default:
				rw.WriteHeader(http.StatusServiceUnavailable) // the check is critical at first
				json.NewEncoder(rw).Encode(api.AgentServiceChecksInfo{
					Service: &api.AgentService{ID: "patchbay-a", Service: "patchbay", Port: 8558, Tags: []string{"cts"}},
					Checks:  api.HealthChecks{{CheckID: "patchbay-a-health"}}})
			}
			return true
		})
		time.Sleep(5 * time.Minute)
		if n := len(w.seen(puts("register"))); n != 1 {
			t.Errorf("a kept registration was made %d times", n)
		}
		w.change(func() { kept = false })
		time.Sleep(40 * time.Second)
		if n := len(w.seen(puts("register"))); n != 2 || log.count("service registration was lost") != 1 {
			t.Errorf("a lost registration was made %d times in all", n)
		}
		stop()
		if n := len(w.seen(puts("deregister"))); n != 1 || kept {
			t.Errorf("the service was deregistered %d times", n)
		}
	})
}

func TestAnAgentThatHangsDoesNotHoldUpTheStop(t *testing.T) {
	inWorld(t, withToken, func(w *world) {
		_, stop := w.keeping(asPatchbay, func(_ http.ResponseWriter, c call) bool {
			if puts("deregister")(c) {
				<-c.gone
			}
			return true
		})
		time.Sleep(time.Second)
		asked := time.Now()
		stop()
		if took := time.Since(asked); took != changeLimit {
			t.Errorf("the stop took %s", took)
		}
	})
}

func TestAStopDuringARegistrationLeavesNothingBehind(t *testing.T) {
	inWorld(t, withToken, func(w *world) {
		there := false
		_, stop := w.keeping(asPatchbay, func(_ http.ResponseWriter, c call) bool {
			if puts("register")(c) {
				time.Sleep(2 * time.Second)
				there = true
			}
			if puts("deregister")(c) {
				there = false
			}
			return true
		})
		time.Sleep(time.Second)
		stop()
		if there || len(w.seen(puts("deregister"))) != 1 {
			t.Error("the service is still registered")
		}
	})
}

func TestARegistrationThatIsOffReturnsAtOnce(t *testing.T) {
	inWorld(t, withToken, func(w *world) {
		w.client.RegisterLoop(w.ctx, Registration{ID: "a"})
		// The client that runs beside it asks for the leader.
		if n := len(w.seen(func(c call) bool { return strings.HasPrefix(c.path, "/v1/agent/") })); n != 0 {
			t.Errorf("%d requests of the agent", n)
		}
	})
}

func TestContractTheAgentKeepsTheRegistrationUntilTheEnd(t *testing.T) {
	r := onConsul(t, config.Consul{}, nil)
	want := asPatchbay
	want.ID = "cts-ü/1"
	ctx, cancel := context.WithCancel(r.ctx)
	var group sync.WaitGroup
	group.Go(func() { r.client.keep(ctx, want, 100*time.Millisecond) })
	defer func() { cancel(); group.Wait() }()
	appears := func(what string, there bool) *api.AgentService {
		t.Helper()
		for limit := time.Now().Add(patience); time.Now().Before(limit); time.Sleep(10 * time.Millisecond) {
			services, err := r.api.Agent().Services()
			if err != nil {
				t.Fatal(err)
			}
			if s := services[want.ID]; (s != nil) == there {
				return s
			}
		}
		t.Fatalf("%s: there %v did not come", what, there)
		return nil
	}
	s := appears("the registration", true)
	if s.Service != "patchbay" || s.Port != 8558 || len(s.Tags) != 1 || s.Tags[0] != "cts" {
		t.Errorf("got %+v", s)
	}
	checks, err := r.api.Agent().Checks()
	if err != nil {
		t.Fatal(err)
	}
	if c := checks[want.ID+"-health"]; c == nil || c.Name != "Patchbay Health Status" || c.Status != "critical" || c.Type != "http" || c.Notes != "Check created by Patchbay" {
		t.Errorf("got check %+v", c)
	}
	for range 2 {
		(&registrar{client: r.client, want: want, log: hclog.NewNullLogger(), placed: true}).leave(r.ctx)
		appears("the lost registration", true)
	}
	cancel()
	group.Wait()
	appears("the end", false)
}
