// Command patchbay is the daemon and its command line: start runs the daemon,
// every other command asks a running one over its HTTP API.
//
// It promises that a command says on standard output what it was asked for and
// nothing else, on standard error what went wrong and what to do, and in its exit
// code which of the two it was. In go arguments, configuration files and the API;
// out come tables for people or, with -o json, the API's own objects.
//
// # Design
//
// One file per command; run takes arguments and two writers and returns the exit
// code, so that tests drive it as a user does. Everything that is shown passes
// through one function that makes control characters visible, because names, tags
// and errors come from Consul, Terraform and devices. Long flags may have one dash
// or two, as in Consul-Terraform-Sync: arguments are rewritten before cobra sees
// them. Started as consul-terraform-sync the program has that program's commands,
// words, logs and exit codes: the legacy files hold what differs. The choice refused was a flag package of our own.
package main
