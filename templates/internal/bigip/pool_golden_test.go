package bigip_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"patchbay/templates/internal/bigip"
	"patchbay/templates/internal/moduletest"
)

func TestPoolPlansWhatItPlanned(t *testing.T) {
	t.Parallel()
	of := func(name, address string, port int) moduletest.Instance {
		return moduletest.Instance{Name: name, Address: address, Port: port, Status: "passing"}
	}
	for mode, arguments := range map[string][]string{
		"event": {`pools = { web = "/shop/web/web_pool", "Web.API \"1\"" = "~shop~web~api_pool" }`},
		"ltm":   {ltm, `pools = { web = "/Common/web_pool", "Web.API \"1\"" = "/Common/shop/api_pool" }`},
	} {
		d := bigip.New(t)
		s, _ := bigip.Stack(t, d, "f5-pool", nil, arguments...)
		plans := map[string]any{}
		for sentence, services := range map[string][]moduletest.Instance{
			"no instance":         nil,
			"one instance":        {of("web", "10.0.0.1", 8080)},
			"two instances":       {of("web", "10.0.0.1", 8080), of("web", "10.0.0.2", 8081)},
			"a duplicate address": {of("web", "10.0.0.1", 8080), of("web", "10.0.0.1", 8080)},
			"an IPv6 address":     {of("web", "2001:DB8:0::1", 8080)},
			"odd names":           {of(`Web.API "1"`, "10.0.0.1", 8080), of("web;}\n", "10.0.0.2", 8080), of("", "10.0.0.3", 8080)},
			"100 instances":       moduletest.Instances("web", 100),
		} {
			s.Give(t, services...)
			plan := s.Planned(t)
			if len(services) == 100 {
				plan = digestOf(plan)
			}
			plans[sentence] = plan
		}
		moduletest.Golden(t, filepath.Join("testdata", "f5-pool-"+mode+".json"), *update, plans)
	}
}

// digestOf keeps how many resources a plan has and what is done to each kind.
func digestOf(plan any) any {
	counts := map[string]int{}
	for _, r := range plan.(map[string]any)["resources"].(map[string]any) {
		values := r.(map[string]any)["values"].(map[string]any)
		counts[fmt.Sprintf("%v %v nodes, state %v", r.(map[string]any)["actions"], values["node"], values["state"])]++
	}
	return counts
}
