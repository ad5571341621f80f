// Package dynamic fills in the values of terraform_provider blocks that come from
// elsewhere: the environment, Consul KV and Vault.
//
// It promises that every call of [Resolver.Provider] gives what these hold now, so
// that a rotated secret reaches the next run, and that no error and no log line
// shows a value: neither one that was read nor the text around a template. In go a
// provider block and functions that read the environment and Consul; out comes the
// same block without templates, or an error that names provider, argument and call.
//
// A string is a template when it calls one of env, envOrDefault, mustEnv, key,
// keyOrDefault, keyExists, keyExistsGet, secret and secrets between {{ and }}; what
// they mean is as in consul-template. Any other string stays as it is, so that a
// password may hold braces.
//
// # Design
//
// Go's text/template with these few functions, a step counter in every loop and
// bounded texts. consul-template itself was refused: it would watch every value for
// ever, keep secrets in a store of its own and bring functions that read files and
// start programs. Vault's client is made when the first template asks for it, so
// that a daemon without such templates starts without Vault. A secret with a lease is
// kept until two thirds of the lease are over and then renewed; all others are read
// each time. Vault's own token is renewed by [Resolver.Run].
package dynamic
