// Command modules measures one change of one instance with each shipped module, given
// and applied by a bare terraform apply, and prints a table of modules by number of
// instances. It promises that every figure was measured in that run and that a module
// without a benchmark is named.
//
// In go the benchmarks named BenchmarkModule/<module>/<instances> below
// templates/internal, and the names of modules to measure, all by default; out comes
// the table, in Markdown, on standard output. Start it by `make bench-modules`.
//
// # Design
//
// The benchmarks are Go's and stand beside the tests of each module, whose devices they
// use; this only runs them one after the other and lays out what they report. A program
// that drives the modules by itself was refused: it would need each device once more.
package main
