package agent

import (
	"bytes"
	"io"
	"testing"

	"patchbay/agent/config"
)

func TestALogGoesToItsOwnOutputWithSyslogAndWithout(t *testing.T) {
	for name, enabled := range map[string]bool{"with": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			var own bytes.Buffer
			// Whether a daemon is here is of no matter: the output is usable.
			out, err := LogOutput(config.Syslog{Enabled: enabled, Facility: "LOCAL0", Name: "patchbay-test"}, &own)
			if !enabled && (err != nil || out != io.Writer(&own)) {
				t.Errorf("output %T, %v", out, err)
			}
			if _, err := io.WriteString(out, "line\n"); err != nil || own.String() != "line\n" {
				t.Errorf("own output = %q, %v", own.String(), err)
			}
		})
	}
}
