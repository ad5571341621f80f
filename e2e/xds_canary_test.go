package e2e

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"patchbay/e2e/internal/rig"
)

// canaryState is a canary as the API shows it.
type canaryState struct {
	Phase   string
	Step    int
	Weights map[string]float64
	Holds   []struct {
		Rule     string
		Evidence []string
	}
	Events []struct {
		Kind, By string
		To       float64
		Evidence []string
	}
}

func (f *fleet) canary() (canaryState, error) {
	var answer struct{ Canary canaryState }
	err := f.patchbay.Get("/v1/canaries/web", &answer)
	return answer.Canary, err
}

// stands waits until the canary of web is in a phase with a weight of v2 in percent.
func (f *fleet) stands(phase string, weight float64) canaryState {
	f.t.Helper()
	var got canaryState
	f.must(rig.Until(f.t.Context(), limit, func() (err error) {
		if got, err = f.canary(); err != nil {
			return err
		}
		if got.Phase != phase || got.Weights["v2"] != weight {
			return fmt.Errorf("the canary is %s at %v, want %s at %v: %+v", got.Phase, got.Weights, phase, weight, got.Holds)
		}
		return nil
	}))
	return got
}

// told gives the events of a kind with their evidence.
func (s canaryState) told(kind string) (out []string) {
	for _, e := range s.Events {
		if e.Kind == kind {
			out = append(out, strings.Join(e.Evidence, "; "))
		}
	}
	return out
}

// twoVersions declares web in two versions with a canary.
func twoVersions(routes, canary string) string {
	return fmt.Sprintf(`
routes "web" {
  subset "v1" { filter = "Service.Meta.version == \"1\"" }
  subset "v2" { filter = "Service.Meta.version == \"2\"" }
  %s
}
canary "web" {
  stable      = "v1"
  candidate   = "v2"
  check_every = "1s"
  interval    = "1s"
  %s
}`, routes, canary)
}

// versions starts an app of each version of web.
func (f *fleet) versions() (v1, v2 *rig.App) {
	return f.app("web", "one", "version=1"), f.app("web", "two", "version=2")
}

// split counts who answers so many requests.
func (f *fleet) split(c caller, requests int, headers ...string) map[string]int {
	f.t.Helper()
	out := map[string]int{}
	for range requests {
		id, err := c.served("GET /", headers...)
		f.must(err)
		out[id]++
	}
	return out
}

func TestACanaryGoesOnAfterAKillAndReachesAllOfTheTraffic(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 1)
	f.versions()
	config := f.declares(f.gatewayTo("web"), twoVersions("", `
  steps  = [20, 100]
  manual = ["last"]
  match {
    header "x-beta" { exact = "yes" }
  }`))
	f.start(config)
	f.envoy("gateway", "edge")
	c := knock(t, f.doors[0])
	f.stands("progressing", 20)
	f.eventually(c, "two", "x-beta: yes")

	const requests = 5000
	want, sigma := 0.2*requests, math.Sqrt(requests*0.2*0.8)
	off := func() bool {
		got := f.split(c, requests)
		t.Logf("v2 answered %d of %d requests, want %.0f ± %.0f", got["two"], requests, want, 3*sigma)
		if got["one"]+got["two"] != requests {
			t.Errorf("%v answered", got)
		}
		return math.Abs(float64(got["two"])-want) > 3*sigma
	}
	if off() { // by chance, one sample in 370 is
		if off() {
			t.Error("the split is off twice")
		}
	}
	if got := f.split(c, 200, "x-beta: yes"); got["two"] != 200 {
		t.Errorf("the cohort was answered by %v, want v2 only", got)
	}

	load := rig.StartLoadOf(c.put, 2)
	f.patchbay.Kill()
	f.start(config)
	if s := f.stands("progressing", 20); s.Step != 1 || len(s.told("began")) != 1 {
		t.Errorf("after a kill the canary began anew: %+v", s)
	}
	f.ask("canary", "promote", "-reason", "it is good", "web")
	f.must(load.AwaitOnly(t.Context(), limit, "two"))
	f.stands("succeeded", 100)
	if n, failures := load.Stop(); len(failures) > 0 {
		t.Errorf("of %d requests these failed: %v", n, failures)
	}
	if out := f.ask("canary", "show", "web"); !strings.Contains(out, "it is good") || !strings.Contains(out, "succeeded") {
		t.Errorf("the canary is shown without what happened:\n%s", out)
	}
	metrics := f.send("GET", "/metrics", "", http.StatusOK).Body
	for _, line := range []string{`patchbay_canary_weight_ratio{service="web",subset="v2"} 1`, `patchbay_canary_phase{phase="succeeded",service="web"} 1`} {
		if !strings.Contains(metrics, line) {
			t.Errorf("metrics lack %s", line)
		}
	}
	f.ask("canary", "abort", "web")
	f.eventually(c, "one", "x-beta: yes")
	f.stands("aborted", 0)
}

func TestACallerStaysOnItsLegThroughAllSteps(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 1)
	f.versions()
	f.start(f.declares(f.gatewayTo("web"), twoVersions("", `
  steps  = [30, 60]
  manual = ["last"]
  sticky { cookie = "leg" }`)))
	f.envoy("gateway", "edge")
	c := knock(t, f.doors[0])
	f.stands("progressing", 30)
	legs := func() map[string]string {
		out := map[string]string{}
		for n := range 300 {
			caller := fmt.Sprintf("Cookie: leg=caller-%d", n)
			first, err := c.served("GET /", caller)
			f.must(err)
			if again, err := c.served("GET /", caller); err != nil || again != first {
				t.Fatalf("a caller was answered by %s, then by %s, %v", first, again, err)
			}
			out[caller] = first
		}
		return out
	}
	// The weights are at Envoy when both versions answer.
	f.must(rig.Until(t.Context(), limit, func() error {
		if got := f.split(c, 50); len(got) != 2 {
			return fmt.Errorf("answered by %v", got)
		}
		return nil
	}))
	before := legs()
	f.ask("canary", "promote", "web")
	f.stands("succeeded", 60)
	var after map[string]string
	f.must(rig.Until(t.Context(), limit, func() error {
		after = legs()
		n := 0
		for _, id := range after {
			if id == "two" {
				n++
			}
		}
		if n < 150 {
			return fmt.Errorf("v2 has %d of 300 callers", n)
		}
		return nil
	}))
	moved := 0
	for caller, id := range before {
		if id == "two" && after[caller] != "two" {
			t.Errorf("%s left the candidate when it grew", caller)
		}
		if id != after[caller] {
			moved++
		}
	}
	t.Logf("%d of 300 callers came to the candidate between 30%% and 60%%", moved)
}

// maxLost bounds the requests that fail when a candidate with half of the traffic
// breaks: those sent between its failure and the moment when Envoy has the endpoints
// that Consul's answer led to. Two clients send at most 600 requests a second, half of
// them to the candidate; the way takes milliseconds, a busy machine a good part of a
// second.
const maxLost = 150

func TestACandidateThatFailsItsCheckIsRolledBackWithFewLostRequests(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 1)
	_, v2 := f.versions()
	f.start(f.declares(f.gatewayTo("web"), twoVersions("", `
  steps  = [50, 100]
  manual = ["last"]`)))
	f.envoy("gateway", "edge")
	c := knock(t, f.doors[0])
	f.stands("progressing", 50)
	var lost atomic.Int64
	load := rig.StartLoadOf(func() (string, error) {
		id, err := c.put()
		if err != nil {
			lost.Add(1)
		}
		return id, err
	}, 2)
	f.must(load.AwaitOnly(t.Context(), limit, "one", "two"))
	if n := lost.Load(); n != 0 {
		t.Errorf("%d requests failed before the candidate did", n)
	}
	v2.SetStatus(http.StatusServiceUnavailable)
	f.must(rig.Until(t.Context(), limit, func() error {
		if lost.Load() == 0 {
			return errors.New("no request has failed yet")
		}
		return nil
	}))
	f.must(f.consul.SetHealth("two", "critical"))
	f.must(load.AwaitOnly(t.Context(), limit, "one"))
	s := f.stands("rolled back", 0)
	if why := s.told("rolled back"); len(why) != 1 || !strings.Contains(why[0], "none of the candidate's 1 instances passes its checks") {
		t.Errorf("it was rolled back because of %q", why)
	}
	// Envoy has the weights of the rollback when nothing fails in a row.
	f.must(rig.Until(t.Context(), limit, func() error {
		for range 100 {
			if id, err := c.put(); err != nil || id != "one" {
				return fmt.Errorf("answered by %q, %v", id, err)
			}
		}
		return nil
	}))
	atMost := lost.Load()
	f.must(load.AwaitOnly(t.Context(), limit, "one"))
	n, _ := load.Stop()
	t.Logf("%d of %d requests failed from the failure of the candidate on", lost.Load(), n)
	if lost.Load() > maxLost {
		t.Errorf("%d requests failed, want %d at most", lost.Load(), maxLost)
	}
	if got := lost.Load(); got != atMost {
		t.Errorf("%d requests failed after the rollback", got-atMost)
	}
	f.must(f.consul.SetHealth("two", "passing"))
	if got := f.split(c, 200); got["one"] != 200 {
		t.Errorf("after the rollback %v answered, want v1 only", got)
	}
}

// scraped is a fleet whose Envoy a Prometheus reads.
func (f *fleet) scraped(routes string, canary func(prometheus string) string) (*rig.Envoy, caller) {
	f.t.Helper()
	// The gateway first: Prometheus must know its pages, and the canary Prometheus.
	f.start(f.declares(f.gatewayTo("web"), `routes "web" {}`))
	e := f.envoy("gateway", "edge")
	p := startPrometheus(f.t, filepath.Join(f.dir, "prometheus"), rig.Job{Name: "envoy", Path: "/stats/prometheus", Addrs: []string{e.Admin}})
	f.reload(f.gatewayTo("web"), twoVersions(routes, canary(p.URL)))
	return e, knock(f.t, f.doors[0])
}

func TestAMetricOfARealPrometheusAboveItsLimitRollsBack(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 1)
	_, v2 := f.versions()
	_, c := f.scraped("", func(prometheus string) string {
		return fmt.Sprintf(`
  steps      = [50, 100]
  manual     = ["last"]
  prometheus = %q
  metric "errors" {
    query = "sum(rate(envoy_cluster_upstream_rq_xx{envoy_cluster_name=\"web/v2\",envoy_response_code_class=\"5\"}[5s])) / sum(rate(envoy_cluster_upstream_rq_total{envoy_cluster_name=\"web/v2\"}[5s])) or vector(0)"
    max   = 0.05
  }`, prometheus)
	})
	f.stands("progressing", 50)
	load := rig.StartLoadOf(c.put, 1)
	f.must(load.AwaitOnly(t.Context(), limit, "one", "two"))
	if s, err := f.canary(); err != nil || s.Phase != "progressing" {
		t.Errorf("before anything failed the canary is %+v, %v", s, err)
	}
	v2.SetStatus(http.StatusInternalServerError) // its check in Consul still passes
	s := f.stands("rolled back", 0)
	if why := s.told("rolled back"); len(why) != 1 || !strings.Contains(why[0], "metric errors is") || !strings.Contains(why[0], "max is 0.05") {
		t.Errorf("it was rolled back because of %q", why)
	}
	f.must(load.AwaitOnly(t.Context(), limit, "one"))
	load.Stop()
}

func TestHostsThatEnvoyEjectedRollBack(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 1)
	_, v2 := f.versions()
	e, c := f.scraped(`
  outlier_detection {
    failures    = 3
    interval    = "1s"
    max_percent = 100
  }`, func(prometheus string) string {
		return fmt.Sprintf("steps = [50, 100]\n  manual = [\"last\"]\n  max_ejected = 40\n  prometheus = %q", prometheus)
	})
	f.stands("progressing", 50)
	load := rig.StartLoadOf(c.put, 1)
	f.must(load.AwaitOnly(t.Context(), limit, "one", "two"))
	v2.SetStatus(http.StatusInternalServerError)
	s := f.stands("rolled back", 0)
	load.Stop()
	if why := s.told("rolled back"); len(why) != 1 || !strings.Contains(why[0], "Envoy ejected 100% of the candidate's hosts, max_ejected is 40%") {
		stats, err := e.Stats("cluster.web/v2.outlier_detection")
		t.Errorf("it was rolled back because of %q; Envoy counts %v, %v", why, stats, err)
	}
}

func TestACanaryIsTakenOverRefusedAndForgottenByReloads(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 1)
	f.versions()
	f.app("web", "three", "version=3")
	f.start(f.declares(f.gatewayTo("web"), twoVersions("", `steps = [100]`)))
	f.envoy("gateway", "edge")
	c := knock(t, f.doors[0])
	f.stands("succeeded", 100)
	f.eventually(c, "two")
	next := strings.NewReplacer(`subset "v2" { filter = "Service.Meta.version == \"2\"" }`, `subset "v3" { filter = "Service.Meta.version == \"3\"" }`,
		`candidate   = "v2"`, `candidate   = "v3"`).Replace(twoVersions("", `steps = [100]`))
	f.reload(f.gatewayTo("web"), next)
	if s := f.stands("succeeded", 100); len(s.told("plan refused")) != 1 {
		t.Errorf("a change that would move all traffic at once was not refused: %+v", s)
	}
	if got := f.split(c, 100); got["two"] != 100 {
		t.Errorf("the refused change moved traffic: %v", got)
	}
	out, code := f.patch("canary", "promote", "web")
	if code == 0 || !strings.Contains(out, "refused") {
		t.Errorf("promote of a refused change gives %d:\n%s", code, out)
	}
	// The careful end of a canary: its routes name who has the traffic now.
	f.reload(f.gatewayTo("web"), `routes "web" {
  default_subset = "v2"
  subset "v2" { filter = "Service.Meta.version == \"2\"" }
}`)
	if got := f.split(c, 100); got["two"] != 100 {
		t.Errorf("the end of the canary moved traffic: %v", got)
	}
	if out := f.ask("canary", "list"); !strings.Contains(out, "no canaries are declared") {
		t.Errorf("the canary is there still:\n%s", out)
	}
}

func TestTheStreamOfEventsTellsOfCanaries(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 1)
	f.versions()
	f.start(f.declares(twoVersions("", "steps = [20, 100]\n  manual = [\"last\"]")))
	f.stands("progressing", 20)
	a, err := f.patchbay.Ask(rig.Request{Method: "GET", Path: "/v1/events", Until: `"phase":"progressing"`})
	f.must(err)
	kinds := []string{}
	for line := range strings.Lines(a.Body) {
		if kind, ok := strings.CutPrefix(strings.TrimSpace(line), "event: "); ok {
			kinds = append(kinds, kind)
		}
	}
	if !slices.Contains(kinds, "canary") {
		t.Errorf("the stream tells of %v only:\n%s", kinds, a.Body)
	}
}
