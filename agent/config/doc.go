// Package config reads Patchbay's configuration: HCL and JSON files and
// directories become one [Config].
//
// It promises that a [Config] is whole and valid, or that every mistake is
// reported at once with file, line, column and what to do, and nothing else
// happens. In go paths and the environment; out comes a value with all defaults
// filled in. [TaskFromAPI] gives the same for one task that the HTTP API is given,
// and [Diff] tells what a changed configuration changes.
//
// # Design
//
// Each syntax has a front end that produces one neutral tree which knows
// position and presence (HCL 2; HCL 1 for what HCL 2 refuses; JSON; the body that
// the HTTP API is given); trees merge; then one decode lays them over the
// defaults. What is declared of routes, sidecars and gateways is judged as a whole by
// patchbay/xds/mesh, whose mistakes are told at the place of their field. The choice refused is CTS's: structs of pointers with hand-written
// copy, merge and finalize for every field.
package config
