//go:build unix

package syslog

import (
	"fmt"
	"log/syslog"
	"net"
	"strings"

	"github.com/hashicorp/go-hclog"
)

// facilities are those of the configuration.
var facilities = map[string]syslog.Priority{
	"KERN": syslog.LOG_KERN, "USER": syslog.LOG_USER, "MAIL": syslog.LOG_MAIL, "DAEMON": syslog.LOG_DAEMON, "AUTH": syslog.LOG_AUTH,
	"SYSLOG": syslog.LOG_SYSLOG, "LPR": syslog.LOG_LPR, "NEWS": syslog.LOG_NEWS, "UUCP": syslog.LOG_UUCP, "CRON": syslog.LOG_CRON,
	"AUTHPRIV": syslog.LOG_AUTHPRIV, "FTP": syslog.LOG_FTP, "LOCAL0": syslog.LOG_LOCAL0, "LOCAL1": syslog.LOG_LOCAL1,
	"LOCAL2": syslog.LOG_LOCAL2, "LOCAL3": syslog.LOG_LOCAL3, "LOCAL4": syslog.LOG_LOCAL4, "LOCAL5": syslog.LOG_LOCAL5,
	"LOCAL6": syslog.LOG_LOCAL6, "LOCAL7": syslog.LOG_LOCAL7,
}

// severities are those that Consul-Terraform-Sync gives its levels.
var severities = map[hclog.Level]syslog.Priority{
	hclog.Trace: syslog.LOG_DEBUG, hclog.Debug: syslog.LOG_INFO, hclog.Info: syslog.LOG_NOTICE, hclog.Warn: syslog.LOG_WARNING,
	hclog.Error: syslog.LOG_ERR,
}

// priority is facility and severity in one; an unknown level is a notice.
func priority(facility string, level hclog.Level) int {
	severity, ok := severities[level]
	if !ok {
		severity = syslog.LOG_NOTICE
	}
	return int(facilities[facility] | severity)
}

// sockets are where syslog daemons listen, as the standard library knows them.
var sockets = []string{"/dev/log", "/var/run/syslog", "/var/run/log"}

func dialLocal() (net.Conn, error) { return dialSockets(sockets) }

// dialSockets connects to the first socket that takes it.
func dialSockets(paths []string) (net.Conn, error) {
	d := net.Dialer{Timeout: patience}
	var first error
	for _, path := range paths {
		for _, network := range []string{"unixgram", "unix"} {
			conn, err := d.Dial(network, path)
			if err == nil {
				return conn, nil
			}
			if first == nil {
				first = err
			}
		}
	}
	return nil, fmt.Errorf("none listens at %s: %w", strings.Join(paths, ", "), first)
}
