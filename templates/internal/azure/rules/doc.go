// Package rules holds what Azure Resource Manager (ARM) refuses and shows, for the kinds of
// objects that the shipped modules touch. It keeps one promise: it judges a document and the
// world around it and touches nothing. In go an [Object] as it was sent and a [World]; out
// comes nil or a [Refusal] with ARM's status and code.
//
// # Design
//
// Each kind has one function, found by its type in a table. Where ARM's exact rule is not
// documented the stricter one is taken: a module that passes here must not fail there. The
// codes that Azure's documents name are used; the others are in their style, and no module
// depends on them.
package rules
