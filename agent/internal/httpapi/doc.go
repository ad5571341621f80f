// Package httpapi answers Patchbay's HTTP API: health, status, tasks, runs,
// approvals and metrics.
//
// It promises that reading never waits for a run and that nobody can change
// anything from another host or through a browser's back: a write needs a peer on
// this machine, a Host header that is an address or the listener's own name, and no
// page of another origin behind it. In go a [Reader], an [Operator] and a
// [Prober]; out come an [net/http.Handler] and [Serve], which stops gracefully.
//
// The answers under /v1/health, /v1/status and /v1/tasks[/{name}] have the shapes
// of Consul-Terraform-Sync's API; state, runs, approve and run are Patchbay's own.
// The types of the bodies are exported for the client.
//
// # Design
//
// One table of routes says which methods a path has; the rest follows from it: the
// 405 text, OPTIONS, HEAD. The choice refused was the method patterns of
// http.ServeMux: their 405 is plain text, and the contract's is JSON.
package httpapi
