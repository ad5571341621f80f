// Package templates renders a task's Terraform root module and holds the modules
// that Patchbay ships.
//
// It promises that equal inputs give equal bytes and that every value survives:
// what Terraform decodes is what Consul had, up to the Unicode NFC that cty
// applies. In go a task and its [Inputs]; out come [tasks.Files], identified by
// their [InputDigest]. What cannot be written, such as invalid UTF-8 or two keys
// that become one, is an error that names it. [Baseline] goes the other way: it
// reads what an existing terraform.tfvars gave its module.
//
// # Design
//
// Files are written as tokens of hclwrite and values of cty only. The choice
// refused was text templates, which CTS uses: every value from Consul is hostile
// input, and a quote or ${ in it would become configuration. The one large file,
// terraform.tfvars, has its tokens laid out while they are made; hclwrite's own
// writer of values lays them out afterwards, once per level of nesting, and takes
// fifty times as long for 5,000 instances.
//
// Provider blocks that hold objects are JSON, where Terraform asks the provider's
// schema what is a block. The choice refused was to ask for the schema first: it
// takes an init, a process per provider and a second render.
//
// The package touches no disk, clock or network.
package templates
