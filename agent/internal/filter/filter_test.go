package filter

import (
	"strings"
	"testing"

	"patchbay/tasks/catalog"
)

func web() catalog.Instance {
	return catalog.Instance{
		ID: "web-1", Name: "web", Address: "10.0.0.1", Port: 80, Tags: []string{"blue", "v1"},
		Meta: map[string]string{"zone": "dmz", "a.b": "x"}, Weights: catalog.Weights{Passing: 10, Warning: 1},
		TaggedAddresses: map[string]catalog.Endpoint{"lan": {Address: "10.0.0.9", Port: 81}},
		Node: catalog.Node{ID: "n-id", Name: "n1", Address: "10.0.0.2", Datacenter: "dc1",
			Meta: map[string]string{"rack": "r7"}, TaggedAddresses: map[string]string{"wan": "1.2.3.4"}},
		Checks: []catalog.Check{
			{ID: "serfHealth", Name: "Serf", Status: catalog.Passing},
			{ID: "c", Name: "http", Status: catalog.Warning, Type: "http", Output: "slow", ServiceID: "web-1", ServiceTags: []string{"v1"}},
		},
	}
}

func TestExpressionsMatchAsInConsul(t *testing.T) {
	for expr, want := range map[string]bool{
		`"blue" in Service.Tags`:                                            true,
		`"green" in Service.Tags`:                                           false,
		`Service.Tags contains "v1" and Service.Port == 80`:                 true,
		`Service.Meta.zone == dmz`:                                          true,
		`Service.Meta["a.b"] == "x"`:                                        true,
		`Service.Meta.none != x`:                                            true,
		`"zone" in Service.Meta`:                                            true,
		`Node.Meta["rack"] == "r7"`:                                         true,
		`Node.Meta["rack"] != "r7"`:                                         false,
		`Node.Meta.rack matches "^r\\d$"`:                                   true,
		"Node.Node matches `^n\\d+$`":                                       true,
		`Checks.Status == warning`:                                          true,
		`Checks.Status == critical`:                                         false,
		`not Checks.Status != passing`:                                      false,
		`Checks.Output matches "slow" and Checks.ServiceName == web`:        true,
		`Service.Weights.Passing == 10`:                                     true,
		`Service.TaggedAddresses.lan.Port == 81`:                            true,
		`Node.TaggedAddresses.wan == "1.2.3.4"`:                             true,
		`((((((Service.Kind == ""))))))`:                                    true,
		`Checks.CheckID == serfHealth and Checks.Type == http`:              true,
		`Node.Datacenter == dc1 and (Service.ID == x or Node.ID == "n-id")`: true,
	} {
		t.Run(expr, func(t *testing.T) {
			match, err := Compile(expr)
			if err != nil {
				t.Fatal(err)
			}
			if got := match(web()); got != want {
				t.Errorf("match = %v, want %v", got, want)
			}
		})
	}
}

func TestEmptyExpressionGivesNoMatcher(t *testing.T) {
	for _, expr := range []string{"", "  \n"} {
		if match, err := Compile(expr); match != nil || err != nil {
			t.Errorf("Compile(%q) = %p, %v, want nil and no error", expr, match, err)
		}
	}
}

func TestBadExpressionsSayWhatIsWrong(t *testing.T) {
	for expr, want := range map[string]string{
		`Service.Tagz contains "x"`:                "the field Service.Tagz is not known; known are Node.",
		`Service.Connect.Native == true`:           "the field Service.Connect is not known",
		`Service.Port == eighty`:                   `Failed to coerce value "eighty"`,
		`Service.Port matches "8"`:                 "Invalid match operator",
		`Service.Kind is empty`:                    "Invalid match operator",
		`Node.Node matches "("`:                    "Failed to compile regular expression",
		`Service.Port ==`:                          "parse filter: 1:",
		`(((`:                                      "parse filter: 1:",
		"\"\xff\" in Service.Tags":                 "parse filter: 1:",
		strings.Repeat("(", 4000):                  "parse filter: ",
		strings.Repeat("not ", 3000) + "x":         "at most 8192",
		strings.Repeat("(", 40) + "Node.Node==x":   "parse filter: ",
		"Node.Node == " + strings.Repeat("a", 9e3): "at most 8192",
	} {
		t.Run(expr[:min(40, len(expr))], func(t *testing.T) {
			match, err := Compile(expr)
			if err == nil || match != nil {
				t.Fatal("compiled")
			}
			if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error = %q, want one line with %q", err, want)
			}
		})
	}
}

func TestALongExpressionWithoutNestingCompiles(t *testing.T) {
	var parts []string
	for range 250 {
		parts = append(parts, `Service.Meta.zone == "d"`)
	}
	match, err := Compile(strings.Join(append(parts, `"v1" in Service.Tags`), " or "))
	if err != nil {
		t.Fatal(err)
	}
	if !match(web()) {
		t.Error("no match, want one by the last part")
	}
}

func TestAMatcherServesManyGoroutines(t *testing.T) {
	match, err := Compile(`Node.Meta.rack matches "r7" and Service.Port == 80`)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan bool)
	for range 8 {
		go func() { done <- match(web()) }()
	}
	for range 8 {
		if !<-done {
			t.Error("no match")
		}
	}
}
