// Package rules tells what a BIG-IP takes: the properties of iControl REST's objects and
// the classes of AS3's schema, as far as the shipped modules and their provider use them.
//
// It promises to refuse every other property, so that a module that writes one fails
// its tests here and not on a customer's device. In goes a value of JSON or a whole
// declaration; out comes what is wrong with it, in the words of the device, or nothing.
//
// # Design
//
// Tables of small functions, one line for each property. AS3's own schema has 20,000
// lines and a vocabulary of its own (f5PostProcess) that no general validator knows.
// Where versions differ, such as in the characters and the length of names, the oldest
// supported one is followed: what it takes, all take.
package rules
