// Package templates renders a task's Terraform root module and holds the modules
// that Patchbay ships.
//
// It promises that equal inputs give equal bytes and that every value survives:
// what Terraform decodes is what Consul had, up to the Unicode NFC that cty
// applies. In go a task and its [Inputs]; out come [tasks.Files]. What cannot be
// written, such as invalid UTF-8 or two keys that become one, is an error that
// names it.
//
// # Design
//
// Files are written with hclwrite and cty only. The choice refused was text
// templates, which CTS uses: every value from Consul is hostile input, and a
// quote or ${ in it would become configuration.
//
// The package touches no disk, clock or network.
package templates
