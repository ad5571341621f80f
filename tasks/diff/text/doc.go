// Package text writes changes of devices in lines for a person.
//
// It promises lines that are bounded in number and length and hold nothing that acts on
// a terminal, whatever names and outputs the changes have. In go [tasks.DeviceChange]s,
// whose texts passed [Clean], and the time by whose zone and day times are written; out
// come lines.
//
// # Design
//
// Lines are made from the parts and never read back, so the agent and a command in
// another zone write the same change each with its own times. The choice refused was to
// keep lines only: neither could then group, count or date them anew.
package text
