package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"patchbay/e2e/internal/rig"

	"github.com/google/go-cmp/cmp"
)

// everyRule are routes of web with each rule that a route can have: each has a path of
// its own, or something else that no other request has.
const everyRule = `
routes "web" {
  subset "v1" { filter = "Service.Meta.version == 1" }
  subset "v2" { filter = "Service.Meta.version == 2" }
  default_subset = "v1"

  route "path" {
    match { path = "/exact" }
    to "v2" {}
  }
  route "prefix" {
    match { prefix = "/pre/" }
    to "v2" {}
  }
  route "regex" {
    match { regex = "/users/[0-9]+" }
    to "v2" {}
  }
  route "any case" {
    match {
      path        = "/Folded"
      ignore_case = true
    }
    to "v2" {}
  }
  route "header" {
    match {
      header "x-beta" { exact = "yes" }
    }
    to "v2" {}
  }
  route "header by part" {
    match {
      header "user-agent" { contains = "bot" }
    }
    to "v2" {}
  }
  route "no header" {
    match {
      path = "/stranger"
      header "x-user" { absent = true }
    }
    to "v2" {}
  }
  route "query" {
    match {
      query "beta" { exact = "1" }
    }
    to "v2" {}
  }
  route "method" {
    match { methods = ["DELETE", "PATCH"] }
    to "v2" {}
  }
  route "cookie" {
    match {
      cookie "beta" { exact = "on" }
    }
    to "v2" {}
  }
  route "two at once" {
    match {
      prefix = "/both"
      methods = ["POST"]
      header "x-team" { prefix = "ship" }
    }
    to "v2" {}
  }
  route "moved" {
    match { path = "/old" }
    redirect {
      host = "new.test"
      path = "/new"
      code = 308
    }
  }
  route "moved with its rest" {
    match { prefix = "/docs/" }
    redirect {
      scheme = "https"
      port   = 8443
      prefix = "/manual/"
    }
  }
  route "answered" {
    match { path = "/teapot" }
    respond {
      status = 418
      body   = "short and stout, 100% \"tea\""
    }
  }
  route "rewritten" {
    match { prefix = "/api/" }
    rewrite {
      prefix = "/v3/"
      host   = "inner.test"
    }
  }
  route "rewritten by regex" {
    match { prefix = "/item/" }
    rewrite {
      regex        = "/item/([0-9]+)/([a-z]+)"
      substitution = "/\\2/by-id/\\1"
    }
  }
  route "changed" {
    match { path = "/changed" }
    request_headers {
      set    = { x-from = "edge 100%", x-old = "new" }
      add    = { x-tag = "b" }
      remove = ["x-secret"]
    }
    response_headers {
      set    = { x-served = "%DURATION% patchbay" }
      remove = ["x-app"]
    }
  }
  route "aborted" {
    match { path = "/aborted" }
    fault { status = 503 }
  }
  route "aborted now and then" {
    match { path = "/half" }
    fault {
      status        = 418
      abort_percent = 50
    }
  }
  route "delayed" {
    match { path = "/delayed" }
    fault { delay = "300ms" }
  }
  route "limited" {
    match { path = "/limited" }
    rate_limit {
      requests = 5
      per      = "1h"
    }
  }
  route "mirrored" {
    match { path = "/mirrored" }
    mirror { service = "shadow" }
  }
  route "slow" {
    match { path = "/slow" }
    to { service = "slow" }
    timeout = "200ms"
  }
  route "tried again" {
    match { path = "/retried" }
    to { service = "shaky" }
    retry {
      attempts = 3
      codes    = [503]
    }
  }
  route "tried once" {
    match { path = "/once" }
    to { service = "shaky" }
  }
  route "by user" {
    match { path = "/user" }
    to { service = "ring" }
    hash { header = "x-user" }
  }
  route "by seat" {
    match { path = "/seat" }
    to { service = "ring" }
    hash {
      cookie = "seat"
      ttl    = "1h"
    }
  }
}
routes "ring" {
  load_balancer { policy = "maglev" }
}
routes "shaky" {}
routes "slow" {}
routes "shadow" {}
`

// ruled is a fleet whose gateway has every rule, with its apps.
func ruled(t *testing.T) (c caller, apps map[string]*rig.App) {
	f := newFleet(t, 1)
	apps = map[string]*rig.App{}
	for id, service := range map[string]string{"web-1": "web", "web-2": "web", "ring-1": "ring", "ring-2": "ring", "ring-3": "ring",
		"shaky-1": "shaky", "shaky-2": "shaky", "slow-1": "slow", "shadow-1": "shadow"} {
		apps[id] = f.app(service, id, "version="+id[strings.LastIndex(id, "-")+1:])
	}
	apps["shaky-1"].SetStatus(http.StatusServiceUnavailable)
	apps["slow-1"].SetDelay(limit)
	f.start(f.declares(everyRule, f.gatewayTo("web")))
	f.envoy("gateway", "edge")
	return knock(t, f.doors[0]), apps
}

// matches tell which requests are for v2, by a rule, and which nearly are.
var matches = map[string][]string{
	"web-2": {"GET /exact", "GET /exact?q=1", "GET /pre/x", "GET /users/42", "GET /FOLDED", "GET /x|X-Beta: yes", "GET /x|User-Agent: googlebot/2",
		"GET /stranger", "GET /x?a=b&beta=1", "DELETE /x", "PATCH /x", "GET /x|Cookie: a=b; beta=on; c=d", "GET /x|Cookie: beta=on", "POST /both/x|X-Team: shipping"},
	"web-1": {"GET /", "GET /exact/", "GET /pre", "GET /users/42a", "GET /users/", "GET /x|X-Beta: yes!", "GET /stranger|X-User: a",
		"GET /x?beta=11", "GET /x?abeta=1", "POST /x", "GET /x|Cookie: alphabeta=on", "GET /x|Cookie: beta=one", "GET /x|Cookie: a=beta=on", "GET /both/x|X-Team: shipping", "POST /both/x|X-Team: sales"},
}

func TestEachRuleOfARouteDoesWhatItSays(t *testing.T) {
	t.Parallel()
	c, apps := ruled(t)
	for id, requests := range matches {
		for _, r := range requests {
			parts := strings.Split(r, "|")
			if got, err := c.served(parts[0], parts[1:]...); err != nil || got != id {
				t.Errorf("%s is answered by %q, want %s; %v", r, got, id, err)
			}
		}
	}
	for what, test := range map[string]func(t *testing.T, c caller, apps map[string]*rig.App){
		"answers that ask nobody": answersAlone, "requests that are changed": changesRequests, "faults on purpose": disturbs,
		"a limit of requests": limits, "a mirror": mirrors, "a timeout and retries": retries, "a hash": hashes,
	} {
		t.Run(what, func(t *testing.T) { test(t, c, apps) })
	}
}

// must makes a request that gets an answer of any kind.
func (c caller) must(t *testing.T, what string, headers ...string) reply {
	t.Helper()
	got, err := c.call(what, headers...)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func answersAlone(t *testing.T, c caller, _ map[string]*rig.App) {
	for what, want := range map[string]string{
		"GET /old":          "308 http://new.test/new",
		"GET /docs/a/b?c=d": "301 https://old.test:8443/manual/a/b?c=d",
		"GET /teapot":       "418 ",
	} {
		got := c.must(t, what, "Host: old.test")
		if is := fmt.Sprint(got.Status, " ", got.Header.Get("Location")); is != want {
			t.Errorf("%s is answered by %s, want %s", what, is, want)
		}
	}
	if got := c.must(t, "GET /teapot").Body; got != `short and stout, 100% "tea"` {
		t.Errorf("the answer of the gateway itself is %q", got)
	}
}

func changesRequests(t *testing.T, c caller, _ map[string]*rig.App) {
	if got := c.must(t, "GET /api/things?q=1"); got.Path != "/v3/things?q=1" || got.Host != "inner.test" {
		t.Errorf("rewritten to %s of %s, want /v3/things?q=1 of inner.test", got.Path, got.Host)
	}
	if got := c.must(t, "GET /item/7/part?q=1"); got.Path != "/part/by-id/7?q=1" {
		t.Errorf("rewritten to %s, want /part/by-id/7?q=1", got.Path)
	}
	got := c.must(t, "GET /changed", "X-Secret: s", "X-Tag: a", "X-Old: old")
	asked := map[string][]string{}
	for _, name := range []string{"X-From", "X-Old", "X-Tag", "X-Secret"} {
		asked[name] = got.Echo.Header.Values(name)
	}
	want := map[string][]string{"X-From": {"edge 100%"}, "X-Old": {"new"}, "X-Tag": {"a", "b"}, "X-Secret": nil}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("headers of the request (-wanted +got):\n%s", diff)
	}
	if h := got.Header; h.Get("X-Served") != "%DURATION% patchbay" || h.Get("X-App") != "" {
		t.Errorf("headers of the answer: %v", h)
	}
}

func disturbs(t *testing.T, c caller, apps map[string]*rig.App) {
	before := apps["web-1"].Requests()
	if got := c.must(t, "GET /aborted"); got.Status != 503 || apps["web-1"].Requests() != before {
		t.Errorf("a request that is aborted is answered by %d, and %d came to the app", got.Status, apps["web-1"].Requests()-before)
	}
	began := time.Now()
	if got := c.must(t, "GET /delayed"); got.Status != 200 || time.Since(began) < 300*time.Millisecond {
		t.Errorf("a delayed request is answered by %d after %s", got.Status, time.Since(began))
	}
	const asked = 400 // 4 σ are 40 of them
	aborted := 0
	for range asked {
		if c.must(t, "GET /half").Status == 418 {
			aborted++
		}
	}
	if aborted < asked/2-50 || aborted > asked/2+50 {
		t.Errorf("%d of %d requests were aborted, want about half", aborted, asked)
	}
}

func limits(t *testing.T, c caller, _ map[string]*rig.App) {
	var got []int
	for range 7 {
		got = append(got, c.must(t, "GET /limited").Status)
	}
	if want := []int{200, 200, 200, 200, 200, 429, 429}; !slices.Equal(got, want) {
		t.Errorf("answered by %v, want %v", got, want)
	}
}

func mirrors(t *testing.T, c caller, apps map[string]*rig.App) {
	const asked = 20
	for range asked {
		if got := c.must(t, "GET /mirrored"); got.ID != "web-1" {
			t.Fatalf("answered by %s, want web-1", got.ID)
		}
	}
	err := rig.Until(t.Context(), limit, func() error {
		if got := apps["shadow-1"].Requests(); got != asked {
			return fmt.Errorf("%d copies came, want %d", got, asked)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func retries(t *testing.T, c caller, apps map[string]*rig.App) {
	if got := c.must(t, "GET /slow"); got.Status != http.StatusGatewayTimeout {
		t.Errorf("a request that takes too long is answered by %d %s", got.Status, got.Body)
	}
	failed := 0
	for range 20 {
		if got := c.must(t, "GET /retried"); got.Status != 200 || got.ID != "shaky-2" {
			t.Errorf("tried again, and answered by %s with %d", got.ID, got.Status)
		}
	}
	// Apart from the others, as the two apps take turns.
	for range 20 {
		if c.must(t, "GET /once").Status == 503 {
			failed++
		}
	}
	if failed == 0 || apps["shaky-1"].Requests() <= failed {
		t.Errorf("of those tried once %d failed, and %d of all came to the one that fails: nothing was tried again", failed, apps["shaky-1"].Requests())
	}
}

func hashes(t *testing.T, c caller, _ map[string]*rig.App) {
	by := map[string]bool{}
	for user := range 30 {
		name := fmt.Sprintf("X-User: %d", user)
		first := c.must(t, "GET /user", name).ID
		for range 3 {
			if got := c.must(t, "GET /user", name).ID; got != first {
				t.Fatalf("user %d is answered by %s, then by %s", user, first, got)
			}
		}
		by[first] = true
	}
	seat := c.must(t, "GET /seat")
	cookie, _, _ := strings.Cut(seat.Header.Get("Set-Cookie"), ";")
	for range 10 {
		if got := c.must(t, "GET /seat", "Cookie: "+cookie); !strings.HasPrefix(cookie, "seat=") || got.ID != seat.ID {
			t.Errorf("a caller of %s with the cookie %q is answered by %s", seat.ID, cookie, got.ID)
		}
	}
	if len(by) != 3 { // 30 users all miss one of three by chance once in 60,000 times
		t.Errorf("all users are answered by %v, want all three", by)
	}
}
