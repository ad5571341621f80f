package e2e

import (
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"patchbay/e2e/internal/rig"

	"github.com/hashicorp/consul/api"
)

// changing is a configuration whose answers tell the number of the change. Every third
// one goes to a service that no route had before, the next one from it; every fourth
// one changes the clusters that serve.
func (f *fleet) changing(n int) []string {
	to := fmt.Sprintf("to \"v%d\" {", n%2+1)
	if n%3 == 0 {
		to = fmt.Sprintf("to {\n    service = \"new-%d\"", n)
	}
	return []string{fmt.Sprintf(`
routes "web" {
  connect_timeout = "%ds"
  subset "v1" { filter = "Service.Meta.version == 1" }
  subset "v2" { filter = "Service.Meta.version == 2" }
  %s
    response_headers { set = { x-change = "%d" } }
  }
  route "number %d" {
    match { path = "/only/%d" }
    to "v1" {}
  }
}`, 5+n/4, to, n, n, n), f.gatewayTo("web")}
}

func TestNoRequestFailsWhileRoutesChangeTwoHundredTimes(t *testing.T) {
	t.Parallel()
	const changes = 200
	f := newFleet(t, 1)
	app := f.app("web", "web-1", "version=1")
	f.app("web", "web-2", "version=2")
	for n := 3; n <= changes+1; n += 3 {
		f.register(fmt.Sprintf("new-%d", n), fmt.Sprintf("new-%d-1", n), app.Port())
	}
	f.start(f.declares(f.changing(1)...))
	f.envoy("gateway", "edge")
	c := knock(t, f.doors[0])
	load := rig.StartLoadOf(c.put, 4)
	slowest := time.Duration(0)
	for n := 2; n <= changes+1; n++ {
		began := time.Now()
		f.file("patchbay.hcl", f.declares(f.changing(n)...))
		if n%10 == 0 { // as an operator would
			f.patchbay.Signal(syscall.SIGHUP)
		} else {
			f.send("POST", "/v1/reload", "", 200)
		}
		f.must(rig.Until(t.Context(), limit, func() error {
			got, err := c.call("GET /")
			if err == nil && got.Header.Get("X-Change") != fmt.Sprint(n) {
				err = fmt.Errorf("change %d is not seen, %q is", n, got.Header.Get("X-Change"))
			}
			return err
		}))
		slowest = max(slowest, time.Since(began))
	}
	// Another log means another listener in the place of the one that serves.
	log := filepath.Join(f.dir, "access.log")
	f.reload(append(f.changing(1), fmt.Sprintf("observe { access_log = %q }", log))...)
	f.must(rig.Until(t.Context(), limit, func() error {
		if lines := lines(log); len(lines) < 100 {
			return fmt.Errorf("the access log has %d lines", len(lines))
		}
		return nil
	}))
	requests, failures := load.Stop()
	t.Logf("%d requests during %d changes, %d failed; the slowest change was seen after %s", requests, changes, len(failures), slowest)
	if len(failures) > 0 || requests < 10*changes {
		t.Errorf("of %d requests some failed, or there were too few: %v", requests, failures)
	}
}

// loaded is a fleet with three instances of web under load.
func loaded(t *testing.T, unchecked bool) (f *fleet, apps map[string]*rig.App, load *rig.Load, e *rig.Envoy) {
	f = newFleet(t, 1)
	f.unchecked = unchecked
	apps = map[string]*rig.App{}
	for _, id := range []string{"web-1", "web-2", "web-3"} {
		apps[id] = f.app("web", id)
	}
	f.start(f.declares("routes \"web\" {}", f.gatewayTo("web")))
	e = f.envoy("gateway", "edge")
	load = rig.StartLoadOf(knock(t, f.doors[0]).put, 4)
	f.must(load.AwaitOnly(t.Context(), limit, "web-1", "web-2", "web-3"))
	return f, apps, load, e
}

// unhurt ends a load of which no request may have failed.
func unhurt(t *testing.T, load *rig.Load) {
	t.Helper()
	requests, failures := load.Stop()
	t.Logf("%d requests, %d failed", requests, len(failures))
	if len(failures) > 0 || requests == 0 {
		t.Errorf("of %d requests some failed: %v", requests, failures)
	}
}

func TestAnInstanceThatFailsItsCheckIsAskedNoMore(t *testing.T) {
	t.Parallel()
	f, _, load, _ := loaded(t, false)
	failed := time.Now()
	f.must(f.consul.SetHealth("web-3", api.HealthCritical))
	shown, err := f.consul.AwaitService(t.Context(), "web", limit, func(e []*api.ServiceEntry) bool {
		passing := 0
		for _, entry := range e {
			if entry.Checks.AggregatedStatus() == api.HealthPassing {
				passing++
			}
		}
		return passing == 2
	})
	f.must(err)
	f.must(load.AwaitOnly(t.Context(), limit, "web-1", "web-2"))
	last := load.Began("web-3")
	t.Logf("the last request to it began %s after its check failed, and %s after Consul showed that", last.Sub(failed), last.Sub(shown))
	f.must(f.consul.SetHealth("web-3", api.HealthPassing))
	f.must(load.AwaitOnly(t.Context(), limit, "web-1", "web-2", "web-3"))
	unhurt(t, load)
}

func TestAnInstanceThatIsDeregisteredFinishesItsRequests(t *testing.T) {
	t.Parallel()
	f, apps, load, _ := loaded(t, false)
	const asked = 9 // each instance gets some, as they take turns
	c, held := knock(t, f.doors[0]), make(chan string, asked)
	for range asked {
		go func() {
			id, err := c.served("GET /", rig.HoldHeader+": yes")
			if err != nil {
				id = err.Error()
			}
			held <- id
		}()
	}
	f.must(rig.Until(t.Context(), limit, func() error {
		if n := apps["web-1"].Held() + apps["web-2"].Held() + apps["web-3"].Held(); n < asked || apps["web-3"].Held() == 0 {
			return fmt.Errorf("%d requests are under way, %d of them at web-3", n, apps["web-3"].Held())
		}
		return nil
	}))
	f.must(f.consul.Deregister("web-3"))
	f.must(load.AwaitOnly(t.Context(), limit, "web-1", "web-2"))
	for _, a := range apps {
		a.Release()
	}
	for range asked {
		if id := <-held; apps[id] == nil {
			t.Errorf("a request that was under way failed: %s", id)
		}
	}
	unhurt(t, load)
}

// told waits until xds status has a text, or has it no more.
func (f *fleet) told(want bool, text string) {
	f.t.Helper()
	f.must(rig.Until(f.t.Context(), limit, func() error {
		if out := f.ask("xds", "status"); strings.Contains(out, text) != want {
			return fmt.Errorf("status has %q: %v, want %v:\n%s", text, !want, want, out)
		}
		return nil
	}))
}

// deadNode tells that no agent answers on the rack, or one does.
func (f *fleet) deadNode(status string) {
	f.t.Helper()
	_, err := f.consul.Client.Catalog().Register(&api.CatalogRegistration{Node: "rack-2", SkipNodeUpdate: true,
		Check: &api.AgentCheck{Node: "rack-2", CheckID: "serfHealth", Name: "Serf Health Status", Status: status}}, nil)
	f.must(err)
}

func TestInstancesWhoseNodesAllLookDeadAtOnceAreKept(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 1)
	for _, id := range []string{"web-1", "web-2"} {
		f.backend(id)
	}
	f.must(f.consul.RegisterOnRack("web", f.backends["web-1"], f.backends["web-2"]))
	f.deadNode(api.HealthPassing)
	f.start(f.declares("routes \"web\" {}", f.gatewayTo("web")))
	f.envoy("gateway", "edge")
	load := rig.StartLoadOf(knock(t, f.doors[0]).body, 2)
	f.must(load.AwaitOnly(t.Context(), limit, "web-1", "web-2"))
	f.told(false, "held")

	f.deadNode(api.HealthCritical)
	f.told(true, "the nodes of all 2 instances look dead at once")
	f.must(load.AwaitOnly(t.Context(), limit, "web-1", "web-2"))
	f.deadNode(api.HealthPassing)
	f.told(false, "held")
	unhurt(t, load)
}

// body gives the whole of an answer, which is the id of a [rig.Backend].
func (c caller) body() (string, error) {
	got, err := c.call("GET /")
	if err == nil && got.Status != http.StatusOK {
		err = fmt.Errorf("%d %s", got.Status, got.Body)
	}
	return got.Body, err
}

func TestEnvoyServesOnWhileConsulIsGoneAndWhenItComesBackEmpty(t *testing.T) {
	t.Parallel()
	f, apps, load, e := loaded(t, true)
	f.must(f.consul.Stop(limit))
	// Patchbay without Consul has nothing to say, and Envoy keeps what it was told.
	f.must(f.patchbay.Stop(limit))
	f.start(f.declares("routes \"web\" {}", f.gatewayTo("web")))
	f.must(load.AwaitOnly(t.Context(), limit, "web-1", "web-2", "web-3"))

	f.must(f.consul.Start(t.Context()))
	f.told(true, "gateway-edge")
	f.agrees("gateway-edge", e)
	f.unmodified(e)
	f.must(f.consul.Deregister("web-3"))
	f.must(load.AwaitOnly(t.Context(), limit, "web-1", "web-2"))

	// A Consul that lost its data says that there is no instance.
	f.must(f.consul.Stop(limit))
	f.must(f.consul.Wipe())
	f.must(f.consul.Start(t.Context()))
	f.told(true, "held: ")
	f.must(load.AwaitOnly(t.Context(), limit, "web-1", "web-2"))
	for _, id := range []string{"web-2", "web-3"} {
		f.register("web", id, apps[id].Port())
	}
	f.told(false, "held: ")
	f.must(load.AwaitOnly(t.Context(), limit, "web-2", "web-3"))
	unhurt(t, load)
}

// unmodified tells that an Envoy has what it was given first.
func (f *fleet) unmodified(e *rig.Envoy) {
	f.t.Helper()
	for _, stat := range []string{"cluster_manager.cluster_modified", "cluster_manager.cluster_removed", "listener_manager.listener_modified", "listener_manager.listener_removed"} {
		got, err := e.Stats(stat)
		if n, known := got[stat]; err != nil || !known || n != 0 {
			f.t.Errorf("%s is %v, %v, want 0: nothing was changed", stat, got, err)
		}
	}
}

func TestAConfigurationThatEnvoyRefusesIsShownAndTheOneBeforeServesOn(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 2)
	f.app("web", "web-1")
	f.start(f.declares("routes \"web\" {}", f.gatewayTo("web")))
	f.envoy("gateway", "edge")
	c := knock(t, f.doors[0])
	f.eventually(c, "web-1")

	// What other programs of Envoy's host have is known to Envoy alone.
	taken, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", f.doors[1]))
	f.must(err)
	defer taken.Close()
	two := strings.Replace(f.gatewayTo("web"), "listener {", fmt.Sprintf("listener {\n    port = %d\n    service \"web\" {}\n  }\n  listener {", f.doors[1]), 1)
	f.reload("routes \"web\" {}", two)
	f.told(true, "gateway-edge refused LDS")
	f.told(true, "ddress already in use")
	f.told(true, "REFUSED")
	f.eventually(c, "web-1")

	f.must(taken.Close())
	f.reload("routes \"web\" {}", f.gatewayTo("web"))
	f.told(false, "refused")
	f.eventually(c, "web-1")
}

func TestAMistakeInTheMeshStopsAStartAndChangesNothingInAReload(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 1)
	f.app("web", "web-1", "version=1")
	mistakes := strings.NewReplacer(`weight = 90`, `weight = 91`, `version == 2"`, `version === 2"`).Replace(split("", 90, 10))
	f.file("patchbay.hcl", mistakes)
	told := []string{"patchbay.hcl:9:3", "the weights add up to 101 %, not 100", "patchbay.hcl:4:27", "cannot use filter"}
	f.says(15, "", []string{"start", "-config-file", "patchbay.hcl"}, told...)

	f.start(f.declares("routes \"web\" {}", f.gatewayTo("web")))
	e := f.envoy("gateway", "edge")
	f.eventually(knock(t, f.doors[0]), "web-1")
	before, err := taken(e)
	f.must(err)
	f.file("patchbay.hcl", mistakes)
	f.says(11, "", []string{"reload"}, append(told, "nothing was changed")...)
	f.agrees("gateway-edge", e)
	if after, err := taken(e); err != nil || fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("Envoy had %v before the mistake, and has %v; %v", before, after, err)
	}
	f.eventually(knock(t, f.doors[0]), "web-1")
}
