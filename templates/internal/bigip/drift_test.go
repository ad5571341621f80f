package bigip_test

import (
	"strings"
	"testing"

	"patchbay/templates/internal/bigip"

	"github.com/google/go-cmp/cmp"
)

func TestTheNextRunUndoesWhatSomebodyDeclaredInTheTenant(t *testing.T) {
	t.Parallel()
	d, s := as3(t, vip)
	s.Give(t, web("10.0.0.1", 80))
	s.Apply(t)
	ask(t, d, "POST", declare, adc(`"edge":{"class":"Tenant","web":{"class":"Application","pool":{"class":"Pool"}}}`))
	if d.Object("ltm/virtual", "/edge/web/virtual") != nil {
		t.Fatal("the declaration of somebody else was not taken")
	}
	s.Apply(t)
	if diff := cmp.Diff(map[string]string{"10.0.0.1:80": "1 enable"}, memberStates(d, "/edge/web/pool")); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	if d.Object("ltm/virtual", "/edge/web/virtual") == nil {
		t.Error("the virtual server is still gone")
	}
	s.Settled(t)
}

func TestATenantThatWasDeletedByHandIsMadeAgainAfterItsStateIsRemoved(t *testing.T) {
	t.Parallel()
	d, s := as3(t, vip)
	s.Give(t, web("10.0.0.1", 80))
	s.Apply(t)
	ask(t, d, "POST", declare, adc(`"other":{"class":"Tenant","a":{"class":"Application","p":{"class":"Pool"}}}`))
	ask(t, d, "DELETE", declare+"/edge", "")
	if said := s.Refused(t); !strings.Contains(said, "HTTP 404 :: declaration for tenant edge was not found.") {
		t.Errorf("the run says:\n%s", said)
	}
	s.Must(t, "state", "rm", "module.edge.bigip_as3.tenant")
	s.Apply(t)
	if d.Object("ltm/virtual", "/edge/web/virtual") == nil {
		t.Error("the virtual server is still gone")
	}
	s.Settled(t)
}

func TestTheNextRunUndoesWhatSomebodyWroteIntoADataGroup(t *testing.T) {
	t.Parallel()
	d := bigip.New(t)
	s, _ := bigip.Stack(t, d, "f5-firewall", nil)
	s.Give(t, web("10.0.0.1", 80), web("10.0.0.2", 80))
	s.Apply(t)
	for sentence, change := range map[string][3]string{
		"one came, one went": {"PATCH", groups + "/~Common~consul_web", `{"records":[{"name":"10.0.0.2"},{"name":"10.0.0.3"}]}`},
		"data was added":     {"PATCH", groups + "/~Common~consul_web", `{"records":[{"name":"10.0.0.1","data":"x"},{"name":"10.0.0.2"}]}`},
		"it was deleted":     {"DELETE", groups + "/~Common~consul_web", ""},
	} {
		if status, said := ask(t, d, change[0], change[1], change[2]); status != 200 {
			t.Fatalf("%s: %d %s", sentence, status, said)
		}
		s.Apply(t)
		if diff := cmp.Diff([]string{"10.0.0.1/32", "10.0.0.2/32"}, records(d, "/Common/consul_web")); diff != "" {
			t.Errorf("%s: records (-want +got):\n%s", sentence, diff)
		}
		s.Settled(t)
	}
}
