// Package lists tells which values of an object's lists and sets a plan adds and removes.
//
// It promises that what it tells as removed and added is the difference of the two
// lists as they are shown, whatever their order. In go all values of an object before
// and after as [Leaf]s by path; out come [tasks.List]s.
//
// # Design
//
// A value is the same or not, since a set has no other identity; only values that hold
// lists themselves are matched by their name, for there the inner list is what a
// person looks for. A declaration of AS3 is a text in JSON: its pools and address lists
// are told as if they were attributes. The choice refused was to compare fields by
// index: one value that leaves a set moves all behind it.
package lists
