package nginxplus_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patchbay/templates/internal/moduletest"
)

func TestABusyServerIsLeftDrainingAndRemovedByALaterRun(t *testing.T) {
	d := newDevice(t)
	s := newStack(t, d, "drain_seconds = 1", `service_names = ["web"]`)
	a, b, c := at("10.0.0.1", 80), at("10.0.0.2", 80), at("10.0.0.3", 80)
	s.Give(t, a, b)
	s.Apply(t)
	d.with(func() { d.upstreams["http/web"].peers[0].active = 3 })
	s.Give(t, c)
	out := s.Must(t, "apply", "-auto-approve")
	same(t, "servers", []string{"10.0.0.1:80 weight=1 drain", "10.0.0.3:80 weight=1"}, d.has("http/web"))
	if !strings.Contains(out, "left draining until the next change of the upstream: 10.0.0.1:80") {
		t.Errorf("the run does not tell what stays:\n%s", out)
	}
	s.Settled(t)
	d.with(func() { d.upstreams["http/web"].peers[0].active = 0 })
	s.Give(t, b, c)
	s.Apply(t)
	same(t, "servers", []string{"10.0.0.2:80 weight=1", "10.0.0.3:80 weight=1"}, d.has("http/web"))
}

func TestADrainedServerThatIsWantedAgainServes(t *testing.T) {
	d := newDevice(t)
	s := newStack(t, d, "drain_seconds = 1", `service_names = ["web"]`)
	s.Give(t, at("10.0.0.1", 80))
	s.Apply(t)
	d.with(func() { d.upstreams["http/web"].peers[0].active = 3 })
	s.Give(t)
	s.Apply(t)
	same(t, "emptied while busy", []string{"10.0.0.1:80 weight=1 drain"}, d.has("http/web"))
	s.Give(t, at("10.0.0.1", 80))
	s.Apply(t)
	same(t, "wanted again", []string{"10.0.0.1:80 weight=1"}, d.has("http/web"))
}

func TestRemovalWaitsForConnectionsAndNoLonger(t *testing.T) {
	for _, c := range []struct {
		sentence  string
		arguments []string
		ends      bool // the connections do, once the server drains
		want      []string
	}{
		{"they end", []string{"drain_seconds = 30"}, true, []string{}},
		{"they do not, and busy ones are removed", []string{"drain_seconds = 1", "remove_busy = true"}, false, []string{}},
		{"at once", []string{"drain_seconds = 0"}, false, []string{}},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			d := newDevice(t)
			s := newStack(t, d, append(c.arguments, `service_names = ["web"]`)...)
			s.Give(t, at("10.0.0.1", 80))
			s.Apply(t)
			d.with(func() {
				d.upstreams["http/web"].peers[0].active = 1
				d.changed = func(method string, p *peer) {
					if c.ends && method == "PATCH" && p.Drain {
						p.active = 0
					}
				}
			})
			d.asked()
			s.Give(t)
			s.Apply(t)
			same(t, "servers", c.want, d.has("http/web"))
			if calls := d.asked(); c.arguments[0] == "drain_seconds = 0" && len(calls) != 2 {
				t.Errorf("removal at once asked %q, want a GET and a DELETE", calls)
			}
		})
	}
}

func TestNothingIsRemovedWhileSomethingCouldNotBeAdded(t *testing.T) {
	d := newDevice(t)
	s := newStack(t, d)
	s.Give(t, at("10.0.0.1", 80))
	s.Apply(t)
	d.with(func() { d.refuse = "10.0.0.3:80" })
	s.Give(t, at("10.0.0.2", 80), at("10.0.0.3", 80))
	said := s.Refused(t)
	for _, want := range []string{"cannot add server 10.0.0.3:80", "zone is full; enlarge it", "1 of 2 changes failed", "nothing was removed there", "the next run tries again"} {
		if !strings.Contains(said, want) {
			t.Errorf("the error does not say %q:\n%s", want, said)
		}
	}
	same(t, "servers", []string{"10.0.0.1:80 weight=1", "10.0.0.2:80 weight=1"}, d.has("http/web"))
	d.with(func() { d.refuse = "" })
	s.Apply(t)
	same(t, "servers after", []string{"10.0.0.2:80 weight=1", "10.0.0.3:80 weight=1"}, d.has("http/web"))
	s.Settled(t)
}

func TestServersOfOthersAreLeftAloneWithALedger(t *testing.T) {
	d := newDevice(t)
	d.put("http/web", "192.0.2.1:80")
	d.put("http/web", "10.0.0.2:80")
	ledgers := t.TempDir()
	s := newStack(t, d, fmt.Sprintf("ledger_dir = %q", ledgers), "drain_seconds = 0", `service_names = ["web"]`)
	s.Give(t, with(at("10.0.0.1", 80), "weight", "2"), with(at("10.0.0.2", 80), "weight", "9"))
	out := s.Must(t, "apply", "-auto-approve")
	if !strings.Contains(out, "left as they are") || !strings.Contains(out, "10.0.0.2:80") {
		t.Errorf("the run does not tell what it left:\n%s", out)
	}
	same(t, "servers", []string{"10.0.0.1:80 weight=2", "10.0.0.2:80 weight=1", "192.0.2.1:80 weight=1"}, d.has("http/web"))
	s.Give(t, with(at("10.0.0.1", 80), "weight", "3"))
	s.Apply(t)
	same(t, "servers of its own change", []string{"10.0.0.1:80 weight=3", "10.0.0.2:80 weight=1", "192.0.2.1:80 weight=1"}, d.has("http/web"))

	d.put("http/web", "10.0.0.1:80") // of somebody else, at the address of ours
	s.Give(t)
	s.Apply(t)
	same(t, "emptied", []string{"10.0.0.2:80 weight=1", "192.0.2.1:80 weight=1"}, d.has("http/web"))
	files, err := filepath.Glob(ledgers + "/*")
	if err != nil || len(files) != 1 {
		t.Fatalf("ledgers = %q, %v, want one", files, err)
	}
	if content, err := os.ReadFile(files[0]); err != nil || len(content) > 0 {
		t.Errorf("the ledger of an empty upstream has %q, %v", content, err)
	}
	s.Give(t, at("10.0.0.1", 80))
	s.Apply(t)
	same(t, "filled again", []string{"10.0.0.1:80 weight=1", "10.0.0.2:80 weight=1", "192.0.2.1:80 weight=1"}, d.has("http/web"))
}

func TestALedgerKnowsWhatARunThatFailedHasMade(t *testing.T) {
	d := newDevice(t)
	s := newStack(t, d, fmt.Sprintf("ledger_dir = %q", t.TempDir()), "drain_seconds = 0")
	d.with(func() { d.refuse = "10.0.0.2:80" })
	s.Give(t, at("10.0.0.1", 80), at("10.0.0.2", 80))
	s.Refused(t)
	d.with(func() { d.refuse = "" })
	s.Give(t, at("10.0.0.3", 80))
	s.Apply(t)
	same(t, "servers", []string{"10.0.0.3:80 weight=1"}, d.has("http/web"))

	if said := newStack(t, d, `ledger_dir = "/no/such/directory"`, `service_names = ["web"]`).Refused(t); !strings.Contains(said, "cannot write to /no/such/directory") || !strings.Contains(said, "nothing was changed") {
		t.Errorf("want a refusal of the directory:\n%s", said)
	}
}

func TestServersSurviveARestartByTheStateFile(t *testing.T) {
	d := newDevice(t)
	state := filepath.Join(t.TempDir(), "web.conf")
	d.upstreams["http/web"].state = state
	s := newStack(t, d)
	s.Give(t, moduletest.Instances("web", 2)...)
	s.Apply(t)
	content, err := os.ReadFile(state)
	if err != nil || string(content) != "server 10.0.0.1:8080 weight=1;\nserver 10.0.0.2:8080 weight=1;\n" {
		t.Errorf("state file = %q, %v", content, err)
	}
	d.with(func() { // a restart gives new ids
		up := d.upstreams["http/web"]
		up.next = 0
		for _, p := range up.peers {
			p.ID = 10 - p.ID
		}
	})
	s.Settled(t)
	s.Give(t, moduletest.Instances("web", 1)...)
	s.Apply(t)
	same(t, "servers", []string{"10.0.0.1:8080 weight=1"}, d.has("http/web"))
}

func TestDestroyLeavesTraffic(t *testing.T) {
	d := newDevice(t)
	s := newStack(t, d)
	s.Give(t, at("10.0.0.1", 80))
	s.Apply(t)
	d.asked()
	s.Must(t, "destroy", "-auto-approve")
	same(t, "calls of destroy", nil, d.asked())
	same(t, "servers", []string{"10.0.0.1:80 weight=1"}, d.has("http/web"))
}
