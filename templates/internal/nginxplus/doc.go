// Package nginxplus proves what builtin/nginx-plus does to the API of NGINX Plus. It holds
// tests only: a stand-in of the API over HTTP on loopback, and a real Terraform that runs
// the module against it.
//
// The stand-in refuses what the documentation of ngx_http_api_module says the real one
// refuses, with its status, code and text: unknown versions, paths, upstreams and
// parameters, values of the wrong type or range, a parameter that cannot be changed, an
// upstream without zone, a full zone, a body beyond the buffer, a missing right.
//
// # Design
//
// NGINX Plus is sold, so no test can have it; the stand-in takes its place and is strict
// where the documentation is, for a lenient one would prove nothing. It was not made a
// package of the product: nobody else needs an NGINX Plus that is none.
package nginxplus
