// Package filter evaluates Consul's filter expressions on instances.
//
// It promises the answer that Consul itself gives for
// /v1/health/service/:name?filter=…, as far as an instance carries the fields. In
// go an expression and instances; out comes yes or no. A field that an instance
// does not carry, such as Service.Proxy, is an error at compile time and never a
// silent no.
//
// # Design
//
// The expression runs here and not in Consul, so that all tasks and xDS share one
// blocking query per service whatever their filters. It is compiled by the library
// and version that Consul's server uses, against a structure with Consul's field
// names. The choice refused was a parser of our own: the two would drift apart.
package filter
