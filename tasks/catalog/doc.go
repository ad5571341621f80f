// Package catalog holds the immutable values that Patchbay makes of Consul's
// answers: a View is one query's whole answer, a Snapshot is the views that one
// task needs, complete or not at all.
//
// It promises that equal content has an equal [Digest], whatever the order in
// which Consul listed it, and that nothing in a value changes after it is made.
// In go decoded answers; out come views, their comparison ([Diff]), the doubt
// that a shrink must clear first ([Judge]) and the queries that a [Selector]
// needs.
//
// # Design
//
// A view keeps every instance whatever its health, so one blocking query serves
// all tasks and xDS; "passing only" and filters are projections made later. The
// choice refused was one query per task and filter: it multiplies connections
// and hides why an instance left. Identity is the digest of content and never
// Consul's index, which may stand still, jump or go backwards without a change.
//
// The package imports only the standard library and touches nothing outside.
package catalog
