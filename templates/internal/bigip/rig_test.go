package bigip_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"testing"

	"patchbay/templates/internal/bigip"
	"patchbay/templates/internal/moduletest"
)

var update = flag.Bool("update", false, "rewrite golden files")

// note is an element of an output skipped.
type note struct{ Service, Instance, Reason string }

// notes gives what a module left out.
func notes(t *testing.T, s *moduletest.Stack) (out []note) {
	t.Helper()
	s.Output(t, "skipped", &out)
	return out
}

// memberStates gives the members of a pool by name, each with its ratio and what it does:
// enable, disable or offline.
func memberStates(d *bigip.Device, pool string) map[string]string {
	out := map[string]string{}
	for name, m := range d.Members(pool) {
		state := "enable"
		switch {
		case m["state"] == "user-down":
			state = "offline"
		case m["session"] == "user-disabled":
			state = "disable"
		}
		out[name] = fmt.Sprint(m["ratio"], " ", state)
	}
	return out
}

// readable gives a plan with its declarations of AS3 as values instead of text, and their
// long lists as their length.
func readable(plan any) any {
	switch v := plan.(type) {
	case map[string]any:
		for key, inner := range v {
			if text, is := inner.(string); is && key == "as3_json" {
				var declaration any
				if json.Unmarshal([]byte(text), &declaration) == nil {
					inner = declaration
				}
			}
			v[key] = readable(inner)
		}
	case []any:
		if len(v) > 8 {
			return fmt.Sprintf("%d elements from %v to %v", len(v), v[0], v[len(v)-1])
		}
		for n := range v {
			v[n] = readable(v[n])
		}
	}
	return plan
}

// cases are the services that golden plans are made for.
func cases() map[string][]moduletest.Instance {
	one := moduletest.Instance{Name: "web", Address: "10.0.0.1", Port: 8080, Status: "passing"}
	named := func(name string) moduletest.Instance {
		return one.With(func(i *moduletest.Instance) { i.Name = name })
	}
	return map[string][]moduletest.Instance{
		"no instance":         nil,
		"one instance":        {one},
		"two instances":       moduletest.Instances("web", 2),
		"a hundred instances": moduletest.Instances("web", 100),
		"a duplicate address": {one, one},
		"an IPv6 address":     {one.With(func(i *moduletest.Instance) { i.Address = "2001:DB8:0::1" })},
		"odd names":           {named("Web.API"), named("a;b{}"), named("${x}"), named("label"), named("")},
	}
}
