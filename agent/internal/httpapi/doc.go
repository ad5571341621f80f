// Package httpapi answers Patchbay's HTTP API: health, status, tasks, runs,
// approvals, event streams and metrics.
//
// It promises that reading and removing never wait for a run, that a slow reader
// never holds up a task, and that nobody changes anything who may not: a write
// comes from this machine, or brings a client certificate or the agent's token, or
// the configuration lets all in; and no page of another origin is behind it. In go
// a [Reader], an [Operator], a [Prober], an [Author] and a [Feed]; out come an
// [net/http.Handler], [TLSConfig] and [Serve], which stops gracefully.
//
// The answers under /v1/health, /v1/status and /v1/tasks[/{name}] have the shapes
// of Consul-Terraform-Sync's API; state, runs, approve, run and events are
// Patchbay's own. The types of the bodies are exported for the client.
//
// # Design
//
// One table of routes says which methods a path has; the rest follows from it: the
// 405 text, OPTIONS, HEAD. The choice refused was the method patterns of
// http.ServeMux: their 405 is plain text, and the contract's is JSON.
//
// One OpenAPI document, openapi.yaml, is served, checks requests, and is proved by
// all traffic of the tests. The choice refused was to generate the server from it:
// generated types would be a second form of every task.
//
// A patch of a task is merged into its wire form, checked and decoded as a whole,
// and then only the fields that it names are taken over: the wire form does not
// tell all of a task, such as its directory or a second input.
package httpapi
