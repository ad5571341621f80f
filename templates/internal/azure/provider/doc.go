// Package provider makes the calls of hashicorp/azurerm to a stand-in of Azure Resource
// Manager, for what the shipped modules use of it. It keeps one promise: the requests, their
// order and the errors are those of the real provider, also what it forgets when a creation
// fails half way. In goes an [azure.Server]; out comes a provider for package standin:
//
//	arm := azure.Start(t)
//	server := standin.Start(t, provider.New(arm))
//
// # Design
//
// A resource is a table of two functions, arguments to a document and back; what all of them
// do (look, write, poll, read) is written once. Where the real one waits, the time is counted
// and not waited for, so that a test can tell what a change costs. The real provider takes 13
// minutes to build: `make e2e-azure` runs the modules through it too.
package provider
