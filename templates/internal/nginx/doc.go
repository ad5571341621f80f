// Package nginx proves what builtin/nginx does beyond one machine's HTTP upstreams:
// stream upstreams, templates of the user's own, and machines that are reached over SSH.
// It holds tests only; those of the HTTP upstreams are beside package templates.
//
// A test starts a real NGINX and, for other machines, a real OpenSSH server, both as
// ordinary processes of this user on loopback, and has a real Terraform change them.
//
// # Design
//
// One NGINX has an http and a stream block, since the two share the file's directory, the
// lock and the reload in production too. The tests are apart from those of package templates
// so that they need nobody to wait for them there; a stand-in for SSH was refused, because
// what matters is what the real client and server do with keys that do not fit.
package nginx
