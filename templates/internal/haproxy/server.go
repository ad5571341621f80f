package haproxy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"patchbay/templates/internal/moduletest"
)

// Live is the file of the module below the directory of a [Server].
const Live = "live/patchbay.cfg"

// Server is a real HAProxy with its own configuration, on loopback: a frontend on Addr
// with the backend web by default, a master socket and a stats socket.
type Server struct {
	Dir, Addr string
	// Stop ends it before the test does; set by Start.
	Stop func()
}

// New starts HAProxy. extra goes to the end of the main file, after its frontend.
func New(tb testing.TB, extra string) *Server {
	tb.Helper()
	// Not the test's own directory: the path of a unix socket is at most 107 bytes.
	dir, err := os.MkdirTemp("", "haproxy")
	if err != nil {
		tb.Fatalf("make directory: %v", err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &Server{Dir: dir, Addr: moduletest.FreeAddr(tb)}
	if err := os.Mkdir(s.Path("live"), 0o755); err != nil {
		tb.Fatalf("make directory: %v", err)
	}
	s.Configure(tb, extra)
	s.Write(tb, Live, "backend web\n")
	s.Start(tb)
	return s
}

// Configure writes the main file with more at its end, for the next start or reload.
func (s *Server) Configure(tb testing.TB, extra string) {
	tb.Helper()
	s.Write(tb, "main.cfg", fmt.Sprintf(`global
  stats socket %s mode 600 level admin
  nbthread 2
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend edge
  bind %s
  default_backend web
%s`, s.Path("stats.sock"), s.Addr, extra))
}

// Start runs HAProxy until the test ends or Stop is called.
func (s *Server) Start(tb testing.TB) {
	tb.Helper()
	s.StartWith(tb, s.Command())
}

// StartWith is Start with another program and other -f arguments.
func (s *Server) StartWith(tb testing.TB, command []string) {
	tb.Helper()
	var said bytes.Buffer
	haproxy := exec.Command(command[0], append(command[1:], "-W", "-S", s.Path("master.sock"))...)
	haproxy.Stdout, haproxy.Stderr = &said, &said
	if err := haproxy.Start(); err != nil {
		tb.Fatalf("start haproxy: %v; install haproxy", err)
	}
	s.Stop = sync.OnceFunc(func() {
		_ = haproxy.Process.Signal(syscall.SIGTERM)
		_ = haproxy.Wait() // ends by that signal
		if tb.Failed() {
			tb.Logf("haproxy: %s", said.String())
		}
	})
	tb.Cleanup(s.Stop)
	moduletest.Wait(tb, "haproxy did not listen", func() bool {
		c, err := net.Dial("tcp", s.Addr)
		if err != nil {
			return false
		}
		_ = c.Close()
		return true
	})
}

// Command is the program with its -f arguments.
func (s *Server) Command() []string {
	binary, err := exec.LookPath("haproxy")
	if err != nil {
		binary = "/usr/sbin/haproxy" // not on everybody's PATH
	}
	return []string{binary, "-f", s.Path("main.cfg"), "-f", s.Path(Live)}
}

// Path is that of a file below the directory of the server.
func (s *Server) Path(name string) string { return filepath.Join(s.Dir, filepath.FromSlash(name)) }

// Write writes a file below the directory of the server.
func (s *Server) Write(tb testing.TB, name, content string) {
	tb.Helper()
	if err := os.WriteFile(s.Path(name), []byte(content), 0o644); err != nil {
		tb.Fatalf("write file: %v", err)
	}
}

// Read reads a file below the directory of the server.
func (s *Server) Read(tb testing.TB, name string) string {
	tb.Helper()
	content, err := os.ReadFile(s.Path(name))
	if err != nil {
		tb.Fatalf("read file: %v", err)
	}
	return string(content)
}

// Check runs haproxy -c.
func (s *Server) Check(tb testing.TB) {
	tb.Helper()
	command := append(s.Command(), "-c")
	if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
		tb.Fatalf("haproxy -c: %v: %s\n%s", err, out, s.Read(tb, Live))
	}
}

// Tell sends commands to a socket, and waits as long as HAProxy does not listen.
func (s *Server) Tell(tb testing.TB, socket, commands string) string {
	tb.Helper()
	var answer string
	moduletest.Wait(tb, "haproxy did not answer on "+socket, func() bool {
		c, err := net.Dial("unix", s.Path(socket))
		if err != nil {
			return false
		}
		defer c.Close()
		if _, err := io.WriteString(c, commands+"\n"); err != nil {
			return false
		}
		_ = c.(*net.UnixConn).CloseWrite()
		content, err := io.ReadAll(c)
		answer = string(content)
		return err == nil && answer != ""
	})
	return answer
}

var pidOfWorker = regexp.MustCompile(`(?m)^(\d+)\s+worker\s`)

// Worker gives the pid of the worker that new connections get.
func (s *Server) Worker(tb testing.TB) string {
	tb.Helper()
	var pid string
	moduletest.Wait(tb, "haproxy has no worker", func() bool {
		found := pidOfWorker.FindStringSubmatch(s.Tell(tb, "master.sock", "show proc"))
		if found != nil {
			pid = found[1]
		}
		return found != nil
	})
	return pid
}

// Reload reloads HAProxy as an operator does.
func (s *Server) Reload(tb testing.TB) {
	tb.Helper()
	before := s.Worker(tb)
	s.Tell(tb, "master.sock", "show version;reload")
	moduletest.Wait(tb, "haproxy did not reload", func() bool { return s.Worker(tb) != before })
}

// Members tells what the running worker has: for each backend and server the address,
// weight and admin state (ready, drain or maint), without those in maintenance that
// have nothing to say.
func (s *Server) Members(tb testing.TB) map[string]string {
	tb.Helper()
	members := map[string]string{}
	for line := range strings.Lines(s.Tell(tb, "master.sock", "@1 show servers state")) {
		f := strings.Fields(line)
		if len(f) < 19 || f[0] == "#" {
			continue
		}
		var admin int
		if _, err := fmt.Sscan(f[6], &admin); err != nil {
			tb.Fatalf("read state %q: %v", line, err)
		}
		state := "ready"
		if admin&1 != 0 {
			state = "maint"
		} else if admin&8 != 0 {
			state = "drain"
		}
		members[f[1]+"/"+f[3]] = fmt.Sprintf("%s weight %s %s", net.JoinHostPort(f[4], f[18]), f[7], state)
	}
	return members
}

// Ask makes one request on a new connection.
func (s *Server) Ask() (status int, body string) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: moduletest.Patience}
	answer, err := client.Get("http://" + s.Addr)
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, err.Error()
	}
	return answer.StatusCode, string(content)
}

// Serves waits until requests are answered by these backends alone and by each of them.
func (s *Server) Serves(tb testing.TB, names ...string) {
	tb.Helper()
	var seen map[string]int
	defer func() {
		if tb.Failed() {
			tb.Logf("haproxy answered %v", seen)
		}
	}()
	moduletest.Wait(tb, fmt.Sprintf("haproxy did not serve exactly %q", names), func() bool {
		seen = map[string]int{}
		for range 8 * len(names) {
			_, body := s.Ask()
			seen[body]++
		}
		if len(seen) != len(names) {
			return false
		}
		for _, name := range names {
			if seen[name] == 0 {
				return false
			}
		}
		return true
	})
}

// Arguments are the lines of a module block that configures this server.
func (s *Server) Arguments(tb testing.TB) []string {
	tb.Helper()
	command, err := json.Marshal(s.Command())
	if err != nil {
		tb.Fatalf("encode command: %v", err)
	}
	return []string{
		fmt.Sprintf("config_path = %q", s.Path(Live)),
		"haproxy_command = " + string(command),
		fmt.Sprintf("master_socket = %q", s.Path("master.sock")),
	}
}

// Stack makes a root module that configures this server. Arguments are lines of HCL
// for its module block.
func (s *Server) Stack(tb testing.TB, arguments ...string) *moduletest.Stack {
	tb.Helper()
	return moduletest.New(tb, "haproxy", append(s.Arguments(tb), arguments...)...)
}
