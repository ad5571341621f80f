// Package e2e tests the built binary against real servers: Consul, Terraform and
// NGINX.
//
// It promises that what it checks is what a user gets: it starts the program as a
// user does, and looks at NGINX's answers, the HTTP API, the command line and the
// files that stay. In go scenarios of an operator's life; out comes the word
// whether traffic went where it should. Package rig below it starts the servers;
// demo shows one such life to a person, bench measures it.
//
// # Design
//
// No package of the product is imported, so that a change inside cannot change
// what is asked of the outside. Every wait is for a condition; no test asserts how
// long something took. The choice refused was containers: a user needs none.
package e2e
