// Package client speaks to a running agent over its HTTP API; the command line
// is built on it.
//
// It promises that every call ends with its context and at no other time, because
// a run may take minutes, and that a refusal keeps the server's own words and its
// request ID ([Error]). In go an address, certificates and a context; out come the
// API's own objects.
//
// # Design
//
// The bodies are the server's types under another name, so the two cannot drift
// apart. The choice refused was a client generated from a description of the API:
// a dozen methods do not pay for the generator.
package client
