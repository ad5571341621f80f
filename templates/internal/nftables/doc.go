// Package nftables proves the shipped module firewall-nftables on a real firewall.
//
// It promises that no test touches the firewall of the machine: all of them, with all
// that they start, run in a network namespace of their own, which ends with them. Root
// needs nothing for that; an ordinary user gets one in a user namespace. What goes in
// are services as Patchbay gives them; out comes who may connect, by real connections
// over a pair of virtual interfaces, and the ruleset as nft lists it.
//
// # Design
//
// The tests run their own program again inside the namespace rather than entering it
// thread by thread, so that Terraform, nft and every socket are in the same place as on
// a real host. Only the clients sit in a second namespace, behind the wire: what comes
// over loopback is not what a firewall meets. The choice refused was to trust nft's
// listing alone: it tells what the rules say, not who gets through.
package nftables
