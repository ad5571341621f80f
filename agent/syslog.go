package agent

import (
	"io"

	"patchbay/agent/config"
	"patchbay/agent/internal/syslog"
)

// LogOutput gives where a log is written: also, and syslog where the configuration
// wants it. It is usable whatever the error, which says why syslog gets nothing and
// is for the log: a daemon that is away now is found once it is back.
func LogOutput(s config.Syslog, also io.Writer) (io.Writer, error) {
	if !s.Enabled {
		return also, nil
	}
	return syslog.New(s, also)
}
