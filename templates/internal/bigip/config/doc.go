// Package config is the configuration of a BIG-IP for tests: its objects by kind and
// path, how iControl REST changes them, and what AS3 makes of a tenant's declaration.
//
// It promises that what is refused leaves no trace. In go requests, and tenants that
// package rules has checked; out come answers in the form of the device, and the
// objects as the device keeps them: records of data groups in order and with the length
// of their prefix, nodes made for members, defaults filled in.
//
// # Design
//
// One map, copied before AS3 or a transaction works on it, instead of a log to undo:
// tests have few objects. There is no lock: the device, which owns the map, answers one
// request after the other.
package config
