// Package haproxy proves the shipped module haproxy on a real HAProxy.
//
// It gives a [Server]: HAProxy in master-worker mode with all of its sockets in a
// directory of the test, on loopback. The promise is that it is the real thing from
// the machine's packages, asked on the same sockets that operators use. Instances go
// in by Terraform; what HAProxy answers to clients and on its sockets comes out.
//
// # Design
//
// Whether a change was made without a reload is read from the pid of the worker, since
// a reload always gives another one; what the module prints about itself proves
// nothing. A stand-in for the Runtime API was refused: how HAProxy answers on a socket
// whose peer has closed its half, and when it does not listen, is what breaks scripts.
package haproxy
