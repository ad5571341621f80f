// Package server serves xDS: resources go in, and every connected client gets
// those of its role in the order in which it can use them.
//
// It promises what the stock caches do not: a name that is asked for again is
// answered again, a name that does not exist is told to be missing, a refused
// version is not sent again, endpoints follow every change of their cluster,
// clusters and endpoints come before the listeners and routes that use them and go
// after these have let go of them, and a client that a change does not concern is
// sent nothing.
//
// In come [Change] values through [Store.Publish]; out go discovery responses, and
// what each client has of them through [Server.Clients].
//
// # Design
//
// The loops that read requests, number responses and write them are
// go-control-plane's; each stream has a loop of its own whose "cache" is the
// stream's own state, so no table maps streams to state. Acknowledgements, which are most
// of what comes, are taken before the loop and spare it. What is queued is not a
// response but the wish to send one: it is built by the stream's goroutine at the
// moment it is written, from what is newest then, so changes that come while a
// client is slow merge. The refused way, a queue of built responses, grows with the
// slowest client and sends it what is already out of date.
package server
