package azure_test

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"patchbay/templates/internal/moduletest"
)

var (
	update  = flag.Bool("update", false, "rewrite golden files")
	errLost = errors.New("connection reset by peer")
)

// sample is a module with the arguments that its tests give it.
type sample struct {
	name, module string
	arguments    []string
}

// shipped are all of them.
var shipped = []sample{
	{"azure-ip-group", "azure-ip-group", at},
	{"azure-nsg", "azure-nsg", onEdge},
	{"azure-lb", "azure-lb", onBalancer},
	{"azure-app-gateway-dns", "azure-app-gateway", append([]string{`overflow = "first"`}, inZone)},
	{"azure-app-gateway-owned", "azure-app-gateway", owned},
	{"azure-nginx", "azure-nginx", onDeployment},
}

func TestPlansAreAsTheGoldenFilesHaveThem(t *testing.T) {
	t.Parallel()
	plansAreGolden(t, newRig, shipped)
}

// plansAreGolden compares the plans of all modules on rigs with their golden files.
func plansAreGolden(t *testing.T, newRig func(testing.TB, string, ...string) *rig, of []sample) {
	t.Helper()
	one := instance("web", "10.0.0.1", 8080)
	for _, s := range of {
		r := newRig(t, s.module, s.arguments...)
		plans := map[string]any{}
		for sentence, services := range map[string][]moduletest.Instance{
			"no instance":          nil,
			"one instance":         {one},
			"two instances":        {one, instance("web", "10.0.0.2", 8080)},
			"a duplicate address":  {one, one},
			"an IPv6 address":      {instance("web", "2001:DB8:0::1", 8080)},
			"odd names":            {instance("Web.API", "10.0.0.1", 8080), instance("web;}\n", "10.0.0.2", 8080), instance("", "10.0.0.3", 8080)},
			"100 instances, short": moduletest.Instances("web", 100),
		} {
			r.Give(t, services...)
			plan := r.Planned(t)
			if len(services) == 100 {
				plan = counted(plan)
			}
			plans[sentence] = bare(plan)
		}
		moduletest.Golden(t, filepath.Join("testdata", s.name+".json"), *update, plans)
	}
}

// bare leaves out what is null, as a gateway has hundreds of arguments, and empty maps,
// which to the real provider are null.
func bare(x any) any {
	switch x := x.(type) {
	case map[string]any:
		maps.DeleteFunc(x, func(_ string, inner any) bool {
			m, isMap := inner.(map[string]any)
			return inner == nil || isMap && len(m) == 0
		})
		for name := range x {
			x[name] = bare(x[name])
		}
	case []any:
		for n := range x {
			x[n] = bare(x[n])
		}
	}
	return x
}

// counted keeps the actions of each type of resource and how many there are.
func counted(plan any) any {
	counts := map[string]int{}
	for address, r := range plan.(map[string]any)["resources"].(map[string]any) {
		kind, _, _ := strings.Cut(strings.TrimPrefix(address, "module.edge."), "[")
		values, _ := r.(map[string]any)["values"].(map[string]any)
		line := fmt.Sprint(kind, " ", r.(map[string]any)["actions"])
		for _, list := range []string{"cidrs", "destination_address_prefixes", "records"} {
			if text, ok := values[list].(string); ok {
				line += " " + list + ": " + text
			}
		}
		counts[line]++
	}
	return counts
}

func TestModulesSettleWithNoOneAndAHundredInstances(t *testing.T) {
	t.Parallel()
	for _, s := range shipped {
		r := newRig(t, s.module, s.arguments...)
		for _, count := range []int{0, 1, 100} {
			r.Give(t, moduletest.Instances("web", count)...)
			r.Apply(t)
			r.Settled(t)
		}
	}
}

func TestModulesAreFormattedAndValidAndRefuseUnknownArguments(t *testing.T) {
	t.Parallel()
	for _, s := range shipped {
		r := newRig(t, s.module, s.arguments...)
		if out, err := r.Run("fmt", "-check", "-diff", s.module); err != nil {
			t.Errorf("fmt %s: %v:\n%s", s.module, err, out)
		}
		r.Must(t, "validate")
		for wrong, want := range map[string]string{
			"colour = 1": `An argument named "colour" is not expected here`,
			"name = [1]": "string required",
			"tags {}":    `Blocks of type "tags" are not expected here`,
		} {
			r.Write(t, "wrong.tf", []byte("resource \"azurerm_ip_group\" \"x\" {\n  "+wrong+"\n}\n"))
			if out, err := r.Run("validate"); err == nil || !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
				t.Errorf("%s: %q: want %q: %v:\n%s", s.module, wrong, want, err, out)
			}
		}
	}
}
