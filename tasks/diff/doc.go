// Package diff tells a plan in the words of the device that it changes: which members
// a pool gains and loses, and by what in Consul's catalog.
//
// It promises that the members told as added and removed are the difference of the
// two sets, however many there are, that no sensitive value is told, and that no
// text can act on a terminal. In go a [tasks.Plan], what the module was given before
// and is given now, the views with the instances that left, and what the agent has
// [Seen] of them; out come [tasks.DeviceChange]s, which [Text] writes in lines.
//
// # Design
//
// What is known of a type of resource is one row of a table: its word, the attributes
// that name it, what its lists hold. A type without a row is told by its address, the
// attributes that differ and the values of its lists that come and go. A plan of
// terraform_data shows digests only, so of a shipped module the members are those of
// its input. The choice refused was to let each module write its own summary: modules
// from elsewhere would have none, and a text made by Terraform knows nothing of checks.
package diff
