// Package syslog sends log lines to the syslog daemon of this machine in addition to
// where they go anyway.
//
// It promises that a daemon that is away, full or restarted neither stops nor holds up
// its caller: a line waits 20 ms at most, after a failure none is tried for a second
// and longer, and the daemon is told how many lines it missed once it is back. In go
// whole lines with their level, as hclog writes them; out come datagrams with facility
// and severity, the program's name and its process ID. A line is one message whatever
// it holds: control characters are written out, and its length is bounded.
//
// # Design
//
// The lines are those of standard error, cut from a hclog output, so that both say
// the same; time and level are left out of a text line, as Consul-Terraform-Sync does,
// since syslog has its own. Severities are those of Consul-Terraform-Sync too: DEBUG is
// informational and INFO a notice. Facilities and severities are the standard
// library's, its Writer was refused: it holds a lock while a daemon that does not
// read blocks it, without a deadline. A queue with a goroutine of its own was refused:
// it loses the last lines of a process, which say why it ended.
package syslog
