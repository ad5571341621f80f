// Package source reads the files of a Terraform module: its blocks with their
// expressions, what it declares and what it needs, in HCL and in JSON syntax alike.
//
// It promises that nothing of a module is run or evaluated, that what is read is
// bounded, and that every part knows its place. In goes a file system that holds one
// module; out comes a [Module]. What cannot be parsed is a [Problem] of it, not an
// error. [Contract] has what a task gives to a module.
//
// # Design
//
// Both syntaxes become one tree of blocks whose expressions are those of hclsyntax, so
// that whoever judges a module does it once. In JSON, where only a schema tells a block
// from an argument, the few blocks of Terraform's own are known and the rest are
// arguments. The choice refused was hashicorp/terraform-config-inspect: it gives names
// and no expressions.
package source
