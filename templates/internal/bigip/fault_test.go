package bigip_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"patchbay/templates/internal/bigip"
	"patchbay/templates/internal/moduletest"

	"github.com/google/go-cmp/cmp"
)

// tokens are the lines of a provider block that logs in for a token at each start.
var tokens = []string{fmt.Sprintf("username = %q", bigip.User), fmt.Sprintf("password = %q", bigip.Password)}

func TestARunThatTheDeviceFailsSaysSoAndTheNextOneHeals(t *testing.T) {
	failed := map[string]any{"code": 422, "tenant": "edge", "message": "declaration failed", "response": "01071ac1:3: the device said no"}
	for sentence, c := range map[string]struct {
		block []string
		fault bigip.Fault
		says  string
	}{
		"too many tokens":               {tokens, bigip.LoginsRefused(400), "HTTP 400 :: user patchbay has reached maximum active login tokens"},
		"too many tokens, newer":        {tokens, bigip.LoginsRefused(401), "HTTP 401 :: user patchbay has reached maximum active login tokens"},
		"all tokens end in the plan":    {tokens, bigip.TokensExpire(3), "HTTP 401 :: X-F5-Auth-Token does not exist."},
		"all tokens end in the apply":   {tokens, bigip.TokensExpire(9), "HTTP 401 :: X-F5-Auth-Token does not exist."},
		"busy for too long":             {nil, bigip.Busy("/appsvcs/declare", 0), "HTTP 503 :: There is an active asynchronous task executing."},
		"a task that fails":             {nil, bigip.TaskFails(failed), "01071ac1:3: the device said no"},
		"a task with errors of schema":  {nil, bigip.TaskFails(map[string]any{"code": 422, "message": "declaration is invalid", "errors": []string{"/edge: no"}}), "/edge: no"},
		"one tenant fails, another not": {nil, bigip.TaskFails(map[string]any{"code": 200, "tenant": "Common", "message": "success"}, failed), "01071ac1:3: the device said no"},
		"a task that is gone":           {nil, bigip.NoTask(), "HTTP 404 :: task does not exist"},
		"an answer that is null":        {nil, bigip.Fault{Path: "/appsvcs/info", Times: 1, Status: 200, Body: json.RawMessage("null")}, "getting AS3 Version failed"},
		"an answer that is a string":    {nil, bigip.Fault{Path: "/appsvcs/task", Times: 1, Status: 200, Body: `{"results":[]}`}, "cannot unmarshal string"},
		"an answer that is empty":       {nil, bigip.Fault{Path: "/appsvcs/settings", Times: 1, Status: 200}, "decode answer"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			d := bigip.New(t)
			s, _ := bigip.Stack(t, d, "f5-as3", c.block, `tenant = "edge"`, vip)
			s.Give(t, web("10.0.0.1", 80))
			s.Apply(t)
			s.Give(t, web("10.0.0.2", 80))
			d.Break(c.fault)
			if said := s.Refused(t); !strings.Contains(said, c.says) {
				t.Errorf("the run says:\n%s\nwant %q", said, c.says)
			}
			if got := memberStates(d, "/edge/web/pool"); len(got) != 1 {
				t.Errorf("after the failed run the pool has members %v", got)
			}
			d.Heal()
			s.Apply(t)
			if diff := cmp.Diff(map[string]string{"10.0.0.2:80": "1 enable"}, memberStates(d, "/edge/web/pool")); diff != "" {
				t.Errorf("members after the next run (-want +got):\n%s", diff)
			}
			s.Settled(t)
		})
	}
}

func TestAFirstRunThatFailsIsRepeatedByTheNextOne(t *testing.T) {
	t.Parallel()
	d := bigip.New(t)
	s, _ := bigip.Stack(t, d, "f5-as3", nil, `tenant = "edge"`, vip)
	s.Give(t, web("10.0.0.1", 80))
	d.Break(bigip.TaskFails(map[string]any{"code": 422, "tenant": "edge", "message": "declaration failed", "response": "no"}))
	s.Refused(t)
	if got := d.Paths("auth/partition"); len(got) > 0 {
		t.Errorf("a failed declaration left partitions %q", got)
	}
	s.Apply(t)
	s.Settled(t)
	if d.Object("ltm/virtual", "/edge/web/virtual") == nil {
		t.Error("the next run did not make the virtual server")
	}
}

func TestARunWaitsForADeviceThatIsBusyForAWhile(t *testing.T) {
	t.Parallel()
	d := bigip.New(t)
	s, _ := bigip.Stack(t, d, "f5-as3", nil, `tenant = "edge"`, vip)
	s.Give(t, web("10.0.0.1", 80))
	d.Break(bigip.Busy("/appsvcs/declare", 3))
	d.Slow(4)
	s.Apply(t)
	if n := d.Count("POST", "/appsvcs/declare"); n != 4 {
		t.Errorf("the declaration was sent %d times, want 3 that were refused and one", n)
	}
	if n := d.Count("GET", "/appsvcs/task"); n != 5 {
		t.Errorf("the task was looked at %d times, want 4 while it ran and one", n)
	}
	s.Settled(t)
}

func TestADataGroupHealsAfterFaults(t *testing.T) {
	t.Parallel()
	d := bigip.New(t)
	s, _ := bigip.Stack(t, d, "f5-firewall", tokens)
	s.Give(t, web("10.0.0.1", 80))
	s.Apply(t)
	for n, c := range []struct {
		fault bigip.Fault
		says  string
	}{
		{bigip.Busy("/data-group/internal", 0), "HTTP 503"},
		{bigip.TokensExpire(6), "HTTP 401"},
		{bigip.Fault{Method: "PUT", Path: "/data-group/", Times: 1, Status: 400, Body: map[string]any{"code": 400, "message": "01070734:3: no"}}, "01070734:3: no"},
	} {
		s.Give(t, web(fmt.Sprintf("10.0.0.%d", n+2), 80))
		d.Break(c.fault)
		if said := s.Refused(t); !strings.Contains(said, c.says) {
			t.Errorf("the run says:\n%s\nwant %q", said, c.says)
		}
		d.Heal()
		s.Apply(t)
		if diff := cmp.Diff([]string{fmt.Sprintf("10.0.0.%d/32", n+2)}, records(d, "/Common/consul_web")); diff != "" {
			t.Errorf("%s: records after the next run (-want +got):\n%s", c.says, diff)
		}
	}
	s.Settled(t)
}

// applies changes one address and applies, count times.
func applies(t *testing.T, s *moduletest.Stack, count int) {
	t.Helper()
	for n := range count {
		s.Give(t, web(fmt.Sprintf("10.0.1.%d", n+1), 80))
		s.Apply(t)
	}
}

func TestSixtyRunsWithBasicAuthenticationMakeNoToken(t *testing.T) {
	t.Parallel()
	d := bigip.New(t)
	s, _ := bigip.Stack(t, d, "f5-firewall", bigip.Basic)
	applies(t, s, 60)
	if n := d.Logins(); n != 0 {
		t.Errorf("60 runs made %d tokens, want none", n)
	}
	for _, r := range d.Requests() {
		if r.Auth != "basic" {
			t.Fatalf("%v was asked with %s", r, r.Auth)
		}
	}
}

func TestRunsWithAManagedTokenMakeNoOther(t *testing.T) {
	t.Parallel()
	d := bigip.New(t)
	s, _ := bigip.Stack(t, d, "f5-as3", append([]string{fmt.Sprintf("token_value = %q", d.Token())}, tokens...), `tenant = "edge"`, vip)
	applies(t, s, 4)
	if n := d.Logins(); n != 1 {
		t.Errorf("4 runs made %d tokens, want none beside the one they were given", n-1)
	}
	for _, r := range d.Requests() {
		if r.Auth != "token" {
			t.Fatalf("%v was asked with %s", r, r.Auth)
		}
	}
}

func TestRunsThatLogInForThemselvesExhaustTheDevice(t *testing.T) {
	t.Parallel()
	d := bigip.New(t)
	for range 94 {
		d.Token()
	}
	s, _ := bigip.Stack(t, d, "f5-firewall", tokens)
	applies(t, s, 3)
	if n := d.Logins(); n != 100 {
		t.Errorf("3 runs made %d tokens, want 2 each: this is why the READMEs say token_auth = false", n-94)
	}
	s.Give(t, web("10.0.2.1", 80))
	if said := s.Refused(t); !strings.Contains(said, "maximum active login tokens") {
		t.Errorf("the run says:\n%s", said)
	}
}

func TestOneTenantOfADeclarationMayFailAndTheOtherNot(t *testing.T) {
	d := bigip.New(t)
	d.Break(bigip.TaskFails(map[string]any{"code": 200, "tenant": "one", "message": "success"}, map[string]any{"code": 422, "tenant": "two", "message": "declaration failed"}))
	tenants := `"one":{"class":"Tenant","a":{"class":"Application","p":{"class":"Pool"}}},"two":{"class":"Tenant","a":{"class":"Application","p":{"class":"Pool"}}}`
	if _, said := ask(t, d, "POST", declare, adc(tenants)); !strings.Contains(said, `"tenant":"one"`) || !strings.Contains(said, `"code":422`) {
		t.Errorf("AS3 said %s", said)
	}
	if diff := cmp.Diff([]string{"/one/a/p"}, d.Paths("ltm/pool")); diff != "" {
		t.Errorf("pools (-want +got):\n%s", diff)
	}
	ask(t, d, "POST", declare, adc(tenants))
	if diff := cmp.Diff([]string{"/one/a/p", "/two/a/p"}, d.Paths("ltm/pool")); diff != "" {
		t.Errorf("pools after the next declaration (-want +got):\n%s", diff)
	}
}
