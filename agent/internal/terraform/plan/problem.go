package plan

import (
	"fmt"
	"strings"
)

// problem is a diagnostic as a person reads it.
func (m message) problem() string {
	if text, ok := m.undeclared(); ok {
		return text
	}
	d := m.Diagnostic
	var b strings.Builder
	b.WriteString(d.Summary)
	switch {
	case d.Range.Filename != "" && d.Address != "":
		fmt.Fprintf(&b, " (%s, %s:%d)", d.Address, d.Range.Filename, d.Range.Start.Line)
	case d.Range.Filename != "":
		fmt.Fprintf(&b, " (%s:%d)", d.Range.Filename, d.Range.Start.Line)
	case d.Address != "":
		fmt.Fprintf(&b, " (%s)", d.Address)
	}
	if d.Detail != "" {
		b.WriteString(": " + d.Detail)
	}
	return b.String()
}

// remedies are the variables that Consul's data fills, with what to do when a
// module has none of the name. Every module must have services.
var remedies = map[string]string{
	"services":         "",
	"catalog_services": `, add to module or set "use_as_module_input" to false`,
	"consul_kv":        `, add to module, remove the module_input or set "use_as_module_input" of the condition to false`,
	"nodes":            `, add to module, remove the module_input or set "use_as_module_input" of the condition to false`,
}

// undeclared tells in the words of Consul-Terraform-Sync that the task's module
// lacks a variable that the task gives it. Only the root module's main.tf counts:
// what modules do among themselves is Terraform's to tell.
func (m message) undeclared() (text string, ok bool) {
	d := m.Diagnostic
	label, ok := strings.CutPrefix(d.Snippet.Context, "module ")
	if !ok || d.Summary != "Unsupported argument" || d.Range.Filename != "main.tf" {
		return "", false
	}
	rest, _ := strings.CutPrefix(d.Detail, `An argument named "`)
	name, rest, _ := strings.Cut(rest, `"`)
	remedy, ok := remedies[name]
	if !ok || !strings.HasPrefix(rest, " is not expected here.") {
		return "", false
	}
	return fmt.Sprintf(`module for task %s is missing the "%s" variable%s`, label, name, remedy), true
}
