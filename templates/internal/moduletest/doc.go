// Package moduletest runs the shipped modules as their users do: a real Terraform or
// OpenTofu, a root module of a few lines, services as Patchbay gives them.
//
// # Design
//
// A [Stack] is one root module with one shipped module and its state. Everything goes
// through the command line of Terraform, since that is what a module is made for; a
// library that plans by itself would prove less. Providers come from the process of the
// test, by Terraform's reattachment, so that no test downloads any. What a test waits
// for has a bound, and every failure ends the test with all that Terraform said.
package moduletest
