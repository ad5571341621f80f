// Package provider makes the calls that f5networks/bigip 1.28.0 makes to a device, for
// package standin.
//
// It promises the order, the number and the bodies of the real provider's requests, its
// quirks included: a login at each start whose token nothing ends, declarations sent as
// one string, null for an empty list of nodes, a pool deleted after a change that was
// refused, the state of a member not read back. In go objects of Terraform; out come
// requests, and objects as the provider would keep them.
//
// # Design
//
// Plain functions for each resource over one session, which is made anew whenever
// Terraform configures the provider. Times at which the real provider waits for seconds
// are milliseconds here; everything else that could hide a trap is as it is there.
package provider
