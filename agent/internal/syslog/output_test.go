//go:build unix

package syslog

import (
	"bytes"
	"errors"
	"fmt"
	"log/syslog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"patchbay/agent/config"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
)

// daemon is a syslog daemon of the test's own.
type daemon struct {
	t    *testing.T
	path string
	conn *net.UnixConn
}

func newDaemon(t *testing.T) *daemon {
	d := &daemon{t: t, path: filepath.Join(t.TempDir(), "log")}
	d.start()
	t.Cleanup(d.stop)
	return d
}

func (d *daemon) start() {
	d.t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: d.path, Net: "unixgram"})
	if err != nil {
		d.t.Fatal(err)
	}
	d.conn = conn
}

func (d *daemon) stop() {
	if d.conn == nil {
		return
	}
	if err := errors.Join(d.conn.Close(), os.Remove(d.path)); err != nil {
		d.t.Error(err)
	}
	d.conn = nil
}

// next gives one message without its time and process ID.
func (d *daemon) next() string {
	d.t.Helper()
	buffer := make([]byte, 64<<10)
	if err := d.conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		d.t.Fatal(err)
	}
	n, err := d.conn.Read(buffer)
	if err != nil {
		d.t.Fatal(err)
	}
	text := string(buffer[:n])
	form := regexp.MustCompile(`^(<\d+>)[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d (\S+)\[` + fmt.Sprint(os.Getpid()) + `\](: (?s:.*))\n$`)
	if !form.MatchString(text) {
		d.t.Fatalf("%q is no message of syslog", text)
	}
	return form.ReplaceAllString(text, "$1$2$3")
}

// open gives an output to the daemon.
func (d *daemon) open(facility string, also *bytes.Buffer) *Output {
	o := &Output{also: also, facility: facility, tag: fmt.Sprintf("patchbay[%d]", os.Getpid()), dial: func() (net.Conn, error) { return dialSockets([]string{d.path}) }}
	d.t.Cleanup(func() {
		if o.conn != nil {
			_ = o.conn.Close() // it is a socket of the test
		}
	})
	return o
}

func TestALineHasItsFacilityAndTheSeverityOfItsLevel(t *testing.T) {
	d := newDaemon(t)
	var also bytes.Buffer
	log := hclog.New(&hclog.LoggerOptions{Name: "agent", Level: hclog.Trace, Output: d.open("LOCAL3", &also)})
	for _, level := range []hclog.Level{hclog.Trace, hclog.Debug, hclog.Info, hclog.Warn, hclog.Error} {
		log.Named("ctrl").Log(level, "task run", "task", "web")
	}
	var got []string
	for range 5 {
		got = append(got, d.next())
	}
	const local3 = 19 << 3
	var want []string
	for _, severity := range []syslog.Priority{syslog.LOG_DEBUG, syslog.LOG_INFO, syslog.LOG_NOTICE, syslog.LOG_WARNING, syslog.LOG_ERR} {
		want = append(want, fmt.Sprintf("<%d>patchbay: agent.ctrl: task run: task=web", local3+int(severity)))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
	if lines := strings.Count(also.String(), "agent.ctrl: task run: task=web\n"); lines != 5 {
		t.Errorf("%d lines went to the other output:\n%s", lines, also.String())
	}
}

func TestEveryFacilityHasItsNumber(t *testing.T) {
	numbers := map[string]int{"KERN": 0, "USER": 1, "MAIL": 2, "DAEMON": 3, "AUTH": 4, "SYSLOG": 5, "LPR": 6, "NEWS": 7, "UUCP": 8, "CRON": 9,
		"AUTHPRIV": 10, "FTP": 11, "LOCAL0": 16, "LOCAL1": 17, "LOCAL2": 18, "LOCAL3": 19, "LOCAL4": 20, "LOCAL5": 21, "LOCAL6": 22, "LOCAL7": 23}
	got := map[string]int{}
	for name := range facilities {
		got[name] = priority(name, hclog.Info) >> 3
	}
	if diff := cmp.Diff(numbers, got); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
	if got := priority("LOCAL0", hclog.NoLevel) & 7; got != int(syslog.LOG_NOTICE) {
		t.Errorf("severity of a line without level = %d", got)
	}
}

func TestALineIsOneMessageWhateverItHolds(t *testing.T) {
	const now = "2026-11-21T22:42:51.318Z [INFO]  "
	tests := map[string]struct{ line, want string }{
		"time and level are left out":    {now + "ctrl: running task once: task_name=t1\n", "ctrl: running task once: task_name=t1"},
		"brackets of the text stay":      {now + "a] [b] c\n", "a] [b] c"},
		"JSON is sent whole":             {`{"@level":"info","@message":"a] b"}` + "\n", `{"@level":"info","@message":"a] b"}`},
		"more lines are written out":     {now + "failed:\n  error=\n  | one\n  | two\n", `failed:\n  error=\n  | one\n  | two`},
		"control characters too":         {now + "a\x00b\x1b[31mc\td\re\n", `a\x00b\x1b[31mc d\x0de`},
		"a forged line begins none":      {now + "x\n<0>Nov 25 13:00:00 root: y\n", `x\n<0>Nov 25 13:00:00 root: y`},
		"what is no text is written out": {now + "a\xffb\n", `a\xfffdb`},
		"a line of its own form stays":   {"panic: oh\n", "panic: oh"},
		"an empty line stays empty":      {"\n", ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := message([]byte(tc.line)); got != tc.want {
				t.Errorf("message = %q, want %q", got, tc.want)
			}
		})
	}
}

func TestALongLineIsCut(t *testing.T) {
	for name, line := range map[string]string{"of text": strings.Repeat("ä", maxMessage), "of what is written out": strings.Repeat("\x01", maxMessage-1)} {
		t.Run(name, func(t *testing.T) {
			d := newDaemon(t)
			var also bytes.Buffer
			if _, err := d.open("USER", &also).Write([]byte(line + "\n")); err != nil {
				t.Fatal(err)
			}
			got := d.next()
			if len(got) > maxMessage+100 || !strings.HasSuffix(got, "…") || also.Len() != len(line)+1 {
				t.Errorf("%d bytes to syslog, ending %q, %d to the other output", len(got), got[len(got)-10:], also.Len())
			}
		})
	}
}

func TestADaemonThatIsAwayLosesLinesAndStopsNobody(t *testing.T) {
	d := newDaemon(t)
	var also bytes.Buffer
	o := d.open("LOCAL0", &also)
	at := time.Now()
	o.send(hclog.Info, "one", at)
	if got := d.next(); got != "<133>patchbay: one" {
		t.Errorf("first message = %q", got)
	}
	d.stop()
	for n := range 1000 {
		if _, err := fmt.Fprintf(o, "line %d\n", n); err != nil {
			t.Fatal(err)
		}
	}
	if lines := strings.Count(also.String(), "\n"); lines != 1000 || o.lost != 1000 {
		t.Errorf("%d lines went to the other output, %d were counted as lost", lines, o.lost)
	}
	d.start()
	o.send(hclog.Info, "during the rest", at)
	o.send(hclog.Error, "after it", o.until)
	got := []string{d.next(), d.next()}
	want := []string{"<132>patchbay: lines were lost: syslog missed 1001 of them while its daemon was away", "<131>patchbay: after it"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
}

func TestADaemonThatWasRestartedGetsTheNextLine(t *testing.T) {
	d := newDaemon(t)
	o := d.open("LOCAL0", &bytes.Buffer{})
	o.send(hclog.Info, "one", time.Now())
	d.next()
	d.stop()
	d.start()
	o.send(hclog.Info, "two", time.Now())
	if got := d.next(); got != "<133>patchbay: two" || o.lost != 0 {
		t.Errorf("message = %q, %d lost", got, o.lost)
	}
}

func TestADaemonThatDoesNotReadIsLeftAlone(t *testing.T) {
	d := newDaemon(t)
	o := d.open("LOCAL0", &bytes.Buffer{})
	for n := 0; o.lost == 0; n++ {
		if n > 1e6 {
			t.Fatal("the daemon's queue never became full")
		}
		o.send(hclog.Info, strings.Repeat("x", 1000), time.Now())
	}
	if o.conn != nil || !o.until.After(time.Now().Add(firstRest/2)) {
		t.Errorf("connection %v, rest until %s", o.conn, o.until)
	}
	before := o.until
	o.send(hclog.Info, "y", before.Add(-1))
	if o.lost != 2 || o.until != before {
		t.Errorf("%d lost, the rest ends at %s, want %s", o.lost, o.until, before)
	}
}

func TestRestsGrowToTheirBound(t *testing.T) {
	o := &Output{}
	var got []time.Duration
	for range 7 {
		o.tire()
		got = append(got, o.rest)
	}
	want := []time.Duration{firstRest, 2 * firstRest, 4 * firstRest, 8 * firstRest, 16 * firstRest, lastRest, lastRest}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
}

func TestADaemonThatIsNotThereIsTold(t *testing.T) {
	o := &Output{also: &bytes.Buffer{}, dial: func() (net.Conn, error) { return dialSockets([]string{filepath.Join(t.TempDir(), "none")}) }}
	err := o.reach()
	if err == nil || !strings.HasPrefix(err.Error(), "reach the syslog daemon: none listens at ") || strings.Contains(err.Error(), "\n") {
		t.Errorf("err = %v", err)
	}
}

func TestAStreamSocketIsUsedToo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	o := &Output{also: &bytes.Buffer{}, facility: "USER", tag: "p[1]", dial: func() (net.Conn, error) { return dialSockets([]string{path}) }}
	if err := o.reach(); err != nil {
		t.Fatal(err)
	}
	defer o.conn.Close()
	o.send(hclog.Error, "one", time.Now())
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	buffer := make([]byte, 100)
	n, err := conn.Read(buffer)
	if err != nil || !regexp.MustCompile(`^<11>.{15} p\[1\]: one\n$`).Match(buffer[:n]) {
		t.Errorf("message = %q, %v", buffer[:n], err)
	}
}

func TestTheConfigurationNamesTheProgram(t *testing.T) {
	o, _ := New(config.Syslog{Enabled: true, Facility: "LOCAL7", Name: "consul-terraform-sync"}, &bytes.Buffer{}) // whether a daemon is here is of no matter
	if want := fmt.Sprintf("consul-terraform-sync[%d]", os.Getpid()); o.tag != want || o.facility != "LOCAL7" {
		t.Errorf("tag %q, facility %q", o.tag, o.facility)
	}
	if o.conn != nil {
		_ = o.conn.Close() // nothing was sent
	}
}
