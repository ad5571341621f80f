package rules

import (
	"encoding/json"
	"slices"
)

// ADC finds the declaration in a body: it may be wrapped in class AS3, and all of it
// may be one string of JSON, as the provider sends it.
func ADC(body string) (adc map[string]any, message string) {
	var content any
	if err := json.Unmarshal([]byte(body), &content); err != nil {
		return nil, "declaration is not valid JSON"
	}
	if text, encoded := content.(string); encoded {
		if err := json.Unmarshal([]byte(text), &content); err != nil {
			return nil, "declaration is not valid JSON"
		}
	}
	outer, _ := content.(map[string]any)
	if outer["class"] == "AS3" {
		for key := range outer {
			if !slices.Contains([]string{"class", "action", "persist", "declaration", "controls", "logLevel", "trace"}, key) {
				return nil, ": should NOT have additional properties (" + key + ")"
			}
		}
		outer, _ = outer["declaration"].(map[string]any)
	}
	if outer["class"] != "ADC" {
		return nil, "/class: should be equal to ADC"
	}
	return outer, ""
}

// Tenants gives the tenants of a declaration by name.
func Tenants(adc map[string]any) map[string]map[string]any {
	out := map[string]map[string]any{}
	for name, x := range adc {
		if m, isObject := x.(map[string]any); isObject && m["class"] == "Tenant" {
			out[name] = m
		}
	}
	return out
}
