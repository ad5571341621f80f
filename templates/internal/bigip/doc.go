// Package bigip is a BIG-IP for tests: iControl REST (pools, members, nodes, data
// groups, address lists, transactions), AS3 and event-driven service discovery over
// HTTP on loopback.
//
// It promises to refuse what a BIG-IP refuses and to say so in the same form: unknown
// properties, bad names, missing partitions, members without port, declarations that
// break AS3's schema, a node that another tenant owns. In go requests of a provider and
// faults that a test switches on ([Device.Break]); out come answers, the objects that
// the device has then, and a log of every request ([Device.Requests]).
//
// # Design
//
// One lock round one map of objects: a request is answered from first to last before
// the next one begins, as on the device, and a transaction works on a copy. AS3 is
// checked by tables ([rules]) of the classes that the shipped modules use, so that any other
// property is refused; the schema of F5 itself, of a megabyte, would also need a
// validator and would hide which rule a test is about. Tasks of AS3 end when they are
// asked for often enough, not after a time, so that no test waits for a clock.
package bigip
