package syslog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"patchbay/agent/config"

	"github.com/hashicorp/go-hclog"
)

const (
	// maxMessage bounds a message, in bytes; more is cut by common daemons.
	maxMessage = 8000
	// patience is how long a line may wait for the daemon.
	patience = 20 * time.Millisecond
	// firstRest and lastRest bound the time after a failure in which none is tried.
	firstRest = time.Second
	lastRest  = 30 * time.Second
)

// Output writes lines to another writer and to syslog. It is an output for hclog and
// may be used by many goroutines.
type Output struct {
	also     io.Writer
	facility string
	tag      string
	dial     func() (net.Conn, error)

	mu    sync.Mutex // guards what follows
	conn  net.Conn   // nil while there is none
	rest  time.Duration
	until time.Time // the end of a rest
	lost  int
}

// New makes an output that writes to also as well. With an error the output is usable
// as well: it says why syslog gets nothing until a daemon is there.
func New(s config.Syslog, also io.Writer) (*Output, error) {
	o := &Output{also: also, facility: s.Facility, tag: fmt.Sprintf("%s[%d]", s.Name, os.Getpid()), dial: dialLocal}
	return o, o.reach()
}

// reach connects ahead of the first line.
func (o *Output) reach() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.connect(); err != nil {
		return fmt.Errorf("reach the syslog daemon: %w; log lines go to standard error alone until one is there", err)
	}
	return nil
}

// Write sends a line without level as one of INFO.
func (o *Output) Write(line []byte) (int, error) { return o.LevelWrite(hclog.Info, line) }

// LevelWrite sends a line. It returns what the other writer returns.
func (o *Output) LevelWrite(level hclog.Level, line []byte) (int, error) {
	n, err := o.also.Write(line)
	o.send(level, message(line), time.Now())
	return n, err
}

// send gives the daemon one message, or counts it as lost.
func (o *Output) send(level hclog.Level, text string, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if now.Before(o.until) || o.connect() != nil {
		o.lost++
		return
	}
	if o.lost > 0 {
		missed := fmt.Sprintf("lines were lost: syslog missed %d of them while its daemon was away", o.lost)
		if o.put(hclog.Warn, missed, now) != nil {
			o.lost++
			return
		}
		o.lost = 0
	}
	if o.put(level, text, now) != nil {
		o.lost++
	}
}

// put writes one message. A daemon that was restarted is found again at once; a
// second failure begins a rest.
func (o *Output) put(level hclog.Level, text string, now time.Time) error {
	packet := fmt.Appendf(nil, "<%d>%s %s: %s\n", priority(o.facility, level), now.Format(time.Stamp), o.tag, text)
	err := o.write(packet)
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	if err := o.connect(); err != nil {
		return err
	}
	return o.write(packet)
}

func (o *Output) write(packet []byte) error {
	err := o.conn.SetWriteDeadline(time.Now().Add(patience))
	if err == nil {
		_, err = o.conn.Write(packet)
	}
	if err != nil {
		_ = o.conn.Close() // the write has failed already
		o.conn = nil
		o.tire()
		return err
	}
	o.rest, o.until = 0, time.Time{}
	return nil
}

// connect makes a connection where there is none.
func (o *Output) connect() error {
	if o.conn != nil {
		return nil
	}
	conn, err := o.dial()
	if err != nil {
		o.tire()
		return err
	}
	o.conn = conn
	return nil
}

// tire begins a rest, longer after each failure.
func (o *Output) tire() {
	o.rest = min(max(2*o.rest, firstRest), lastRest)
	o.until = time.Now().Add(o.rest)
}

// message makes of a line of hclog what syslog is sent.
func message(line []byte) string {
	line = bytes.TrimRight(line, "\r\n")
	if before, after, ok := bytes.Cut(line, []byte("] ")); ok && len(line) > 0 && line[0] != '{' && bytes.ContainsRune(before, '[') {
		line = bytes.TrimLeft(after, " ")
	}
	text := escape(string(line[:min(len(line), maxMessage)]))
	if len(text) <= maxMessage && len(line) <= maxMessage {
		return text
	}
	cut := min(len(text), maxMessage)
	for cut > 0 && cut < len(text) && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}

// escape writes out what would end or garble a message.
func escape(text string) string {
	var out strings.Builder
	for _, r := range text {
		switch {
		case r == '\n':
			out.WriteString(`\n`)
		case r == '\t':
			out.WriteByte(' ')
		case r == utf8.RuneError || unicode.IsControl(r):
			fmt.Fprintf(&out, `\x%02x`, r)
		default:
			out.WriteRune(r)
		}
	}
	return out.String()
}
