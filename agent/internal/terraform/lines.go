package terraform

import (
	"bytes"
	"io"
	"strings"
)

// maxLine bounds a line of output, in bytes.
const maxLine = 1 << 20

// lines copies whole lines, scrubbed, to the runner's output. It implements
// [io.Writer] for one goroutine.
type lines struct {
	job  *job
	rest []byte
}

// Write implements [io.Writer].
func (l *lines) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	for {
		i := bytes.IndexByte(l.rest, '\n')
		if i < 0 && len(l.rest) > maxLine {
			i = len(l.rest) - 1
		}
		if i < 0 {
			return len(p), nil
		}
		l.job.print(string(l.rest[:i+1]))
		l.rest = l.rest[i+1:]
	}
}

// print writes one line of Terraform's output. An output that cannot be written
// must not fail a run.
func (j *job) print(line string) {
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return
	}
	j.printing.Lock()
	defer j.printing.Unlock()
	_, _ = io.WriteString(j.options.Output, j.scrub.text(line)+"\n")
}
