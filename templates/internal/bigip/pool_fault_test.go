package bigip_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"patchbay/templates/internal/bigip"
	"patchbay/templates/internal/moduletest"
	"patchbay/templates/internal/standin"

	"github.com/google/go-cmp/cmp"
)

func TestPoolRunThatFailsSaysWhyAndTheNextOneHeals(t *testing.T) {
	t.Parallel()
	d := bigip.New(t)
	d.AddDiscovery(task)
	s, server := bigip.Stack(t, d, "f5-pool", nil, taskPools)
	for n, c := range []struct {
		sentence, says string
		tokens         bool
		fault          func()
	}{
		{"the device has as many tokens as it keeps", "maximum active login tokens", true, func() { d.Break(bigip.LoginsRefused(400)) }},
		{"AS3's event list is gone", "task does not exist", false, func() {
			d.Break(bigip.Fault{Path: "/service-discovery/", Status: 404, Body: map[string]any{"code": 404, "message": "task does not exist"}})
		}},
		{"the write is refused", "worker failed", false, func() {
			d.Break(bigip.Fault{Method: "POST", Path: "/service-discovery/", Status: 500, Body: map[string]any{"code": 500, "message": "worker failed"}})
		}},
		{"the token ends in the middle", "X-F5-Auth-Token does not exist", true, func() { d.Break(bigip.TokensExpire(3)) }},
		{"the answer to the write is lost", "connection reset by peer", false, func() {
			server.Inject(standin.Fault{Call: "update", After: errors.New("connection reset by peer")}, standin.Fault{Call: "create", After: errors.New("connection reset by peer")})
		}},
	} {
		s.Write(t, "auth_override.tf", fmt.Appendf(nil, "provider \"bigip\" {\n  token_auth = %t\n}\n", c.tokens))
		s.Give(t, at("10.0.0.1", 80+n))
		c.fault()
		if said := s.Refused(t); !strings.Contains(said, c.says) {
			t.Errorf("%s: Terraform says %q, want %q", c.sentence, said, c.says)
		}
		d.Heal()
		s.Apply(t)
		if diff := cmp.Diff([]string{fmt.Sprint("10.0.0.1 ", 80+n)}, nodesOf(d, task)); diff != "" {
			t.Errorf("%s: nodes after healing (-want +got):\n%s", c.sentence, diff)
		}
		s.Settled(t)
	}
}

func TestPoolWaitsForABusyDevice(t *testing.T) {
	t.Parallel()
	d, s := newEvents(t)
	s.Give(t, at("10.0.0.1", 80))
	d.Break(bigip.Busy("/service-discovery/", 2))
	s.Apply(t)
	s.Settled(t)
}

func TestPoolWithoutAS3HealsAfterAMemberFailed(t *testing.T) {
	t.Parallel()
	d, s := newPools(t)
	s.Give(t, at("10.0.0.1", 80), at("10.0.0.2", 80))
	d.Break(bigip.Fault{Method: "PATCH", Path: "/members/~Common~10.0.0.2", Times: 1, Status: 400, Body: map[string]any{"code": 400, "message": "no room"}})
	if said := s.Refused(t); !strings.Contains(said, "no room") {
		t.Errorf("Terraform says %q", said)
	}
	s.Apply(t)
	if diff := cmp.Diff([]string{"10.0.0.1:80 1", "10.0.0.2:80 1"}, membersOf(d, "/Common/web_pool")); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	s.Settled(t)
}

func TestPoolLeavesNoTokenOnTheDevice(t *testing.T) {
	t.Parallel()
	const applies = 5
	for sentence, c := range map[string]struct {
		block  func(*bigip.Device) []string
		logins int
	}{
		"user and password at each request": {func(*bigip.Device) []string { return nil }, 0},
		"one token that someone renews": {func(d *bigip.Device) []string {
			return []string{fmt.Sprintf("username = %q", bigip.User), fmt.Sprintf("password = %q", bigip.Password), fmt.Sprintf("token_value = %q", d.Token())}
		}, 1},
	} {
		d := bigip.New(t)
		d.AddDiscovery(task)
		s, server := bigip.Stack(t, d, "f5-pool", c.block(d), taskPools)
		for n := range applies {
			s.Give(t, at("10.0.0.1", 80+n))
			s.Apply(t)
		}
		if got := d.Logins(); got != c.logins {
			t.Errorf("%s: %d tokens, want %d", sentence, got, c.logins)
		}
		if starts := server.Count("configure", ""); starts < 2*applies {
			t.Errorf("%s: the provider was configured %d times: the count of logins proves nothing", sentence, starts)
		}
	}
}

func TestPoolIsSafeFromHostileInstances(t *testing.T) {
	t.Parallel()
	d, s := newEvents(t)
	odd := func(address string, port int, name string) moduletest.Instance {
		return at(address, port).With(func(i *moduletest.Instance) {
			i.Name = name
			i.Meta = map[string]string{"weight": "1\n2", "version": `"}${x}`, "": "\x00é"}
			i.Tags = []string{"${file(\"/etc/passwd\")}", "\n"}
		})
	}
	s.Give(t,
		at("10.0.0.1", 80), // 0
		odd("10.0.0.2", 80, "web"),
		at("10.0.0.1", 80), // a duplicate
		odd("host.example", 80, "web"),
		odd("010.0.0.1", 80, "web"),
		odd("10.0.0.3\n10.0.0.4", 80, "web"), // 5
		odd(`10.0.0.3","x`, 80, "web"),
		odd("fe80::1%eth0", 80, "web"),
		odd("::::", 80, "web"),
		odd("10.0.0.3", 0, "web"),
		odd("10.0.0.3", 70000, "web"), // 10
		odd("10.0.0.4", 80, "we\"b/../${x}\n"),
		odd("10.0.0.5", 80, ""),
		odd("", 80, "web"),
		odd("::ffff:10.0.0.6", 80, "web"),
	)
	s.Apply(t)
	if diff := cmp.Diff([]string{"10.0.0.1 80", "10.0.0.2 80", "10.0.0.6 80"}, nodesOf(d, task)); diff != "" {
		t.Errorf("nodes (-want +got):\n%s", diff)
	}
	line := func(n int, reason string) string { return "web|" + moduletest.Key(n) + "|" + reason }
	const noAddress, noPort = "skipped: its address is no IP address", "skipped: its port is not a whole number from 1 to 65535"
	const weight = "served with the weight of instance_weights or 1: its meta weight is not a whole number of up to 5 digits"
	want := []string{
		"||skipped: variable pools names no pool for it",
		"we\"b/../${x}\n||skipped: variable pools names no pool for it",
		line(3, "skipped: its address is a host name; a member needs an IP address"),
		line(4, noAddress), line(5, noAddress), line(6, noAddress), line(7, noAddress), line(8, noAddress), line(9, noPort), line(10, noPort), line(13, noAddress),
		line(2, "skipped: 10.0.0.1:80 is a member already, by "+moduletest.Key(0)),
		line(1, weight), line(14, weight),
	}
	if diff := cmp.Diff(want, skippedOf(t, s)); diff != "" {
		t.Errorf("skipped (-want +got):\n%s", diff)
	}
	s.Settled(t)
}

// The provider notes a member as disabled although the device refused, and does not read
// it back: the next runs go on as if it had drained.
func TestPoolWithoutAS3RemovesAMemberThatCouldNotBeDisabled(t *testing.T) {
	t.Parallel()
	d, s := newPools(t)
	s.Give(t, at("10.0.0.1", 80), at("10.0.0.2", 80))
	s.Apply(t)
	s.Give(t, at("10.0.0.2", 80))
	d.Break(bigip.Fault{Method: "PATCH", Path: "/members/~Common~10.0.0.1", Times: 1, Status: 400, Body: map[string]any{"code": 400, "message": "no"}})
	s.Refused(t)
	for _, want := range [][]string{{"10.0.0.1:80 1", "10.0.0.2:80 1"}, {"10.0.0.2:80 1"}} {
		s.Apply(t)
		if diff := cmp.Diff(want, membersOf(d, "/Common/web_pool")); diff != "" {
			t.Errorf("members (-want +got):\n%s", diff)
		}
	}
	s.Settled(t)
}
