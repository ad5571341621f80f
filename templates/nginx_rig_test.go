package templates_test

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
	"strings"
	"sync"
	"testing"

	"patchbay/templates/internal/moduletest"
)

const workerProcesses = 2

// edge is a real NGINX with its own configuration, on loopback.
type edge struct {
	dir, addr string
	// stop ends it before the test does; set by start.
	stop func()
}

// newEdge starts NGINX with a server that proxies to upstream web. extra goes into
// its http block.
func newEdge(tb testing.TB, extra string) *edge {
	tb.Helper()
	e := &edge{dir: tb.TempDir(), addr: moduletest.FreeAddr(tb)}
	if err := os.Mkdir(filepath.Join(e.dir, "conf.d"), 0o755); err != nil {
		tb.Fatalf("make directory: %v", err)
	}
	e.write(tb, "conf.d/web.conf", "upstream web {\n  server 127.0.0.1:1 down;\n}\n")
	e.write(tb, "nginx.conf", fmt.Sprintf(`pid nginx.pid;
error_log error.log;
worker_processes %d;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  %s
  include conf.d/*.conf;
  server {
    listen %s;
    location / {
      proxy_pass http://web;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }
  }
}
`, workerProcesses, extra, e.addr))
	e.start(tb)
	return e
}

// start runs NGINX until the test ends or stop is called.
func (e *edge) start(tb testing.TB) {
	tb.Helper()
	command := e.command()
	var said bytes.Buffer
	nginx := exec.Command(command[0], append(command[1:], "-g", "daemon off;")...)
	nginx.Stdout, nginx.Stderr = &said, &said
	if err := nginx.Start(); err != nil {
		tb.Fatalf("start nginx: %v; install nginx", err)
	}
	e.stop = sync.OnceFunc(func() {
		_ = nginx.Process.Signal(os.Interrupt)
		if err := nginx.Wait(); err != nil {
			tb.Logf("nginx: %v: %s", err, said.String())
		}
	})
	tb.Cleanup(e.stop)
	moduletest.Wait(tb, "nginx did not listen", func() bool {
		c, err := net.Dial("tcp", e.addr)
		if err != nil {
			return false
		}
		_ = c.Close()
		return true
	})
}

func (e *edge) command() []string {
	return []string{"nginx", "-p", e.dir, "-c", filepath.Join(e.dir, "nginx.conf")}
}

func (e *edge) path(name string) string { return filepath.Join(e.dir, filepath.FromSlash(name)) }

func (e *edge) write(tb testing.TB, name, content string) {
	tb.Helper()
	if err := os.WriteFile(e.path(name), []byte(content), 0o644); err != nil {
		tb.Fatalf("write file: %v", err)
	}
}

func (e *edge) read(tb testing.TB, name string) string {
	tb.Helper()
	content, err := os.ReadFile(e.path(name))
	if err != nil {
		tb.Fatalf("read file: %v", err)
	}
	return string(content)
}

// check runs nginx -t.
func (e *edge) check(tb testing.TB) {
	tb.Helper()
	command := append(e.command(), "-t")
	if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
		tb.Fatalf("nginx -t: %v: %s\n%s", err, out, e.read(tb, "conf.d/web.conf"))
	}
}

// workers lists the children of the master, once those of earlier reloads are gone.
func (e *edge) workers(tb testing.TB) string {
	tb.Helper()
	pid := strings.TrimSpace(e.read(tb, "nginx.pid"))
	var workers string
	moduletest.Wait(tb, "old workers of nginx did not end", func() bool {
		children, err := os.ReadFile(filepath.Join("/proc", pid, "task", pid, "children"))
		if err != nil {
			tb.Fatalf("list workers: %v", err)
		}
		workers = string(children)
		return len(strings.Fields(workers)) == workerProcesses
	})
	return workers
}

// ask makes one request on a new connection.
func (e *edge) ask() (status int, body string) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: moduletest.Patience}
	answer, err := client.Get("http://" + e.addr)
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

// serves waits until count requests in a row were answered by these backends alone
// and by each of them.
func (e *edge) serves(tb testing.TB, names ...string) {
	tb.Helper()
	var seen map[string]int
	moduletest.Wait(tb, fmt.Sprintf("nginx did not serve exactly %q", names), func() bool {
		seen = map[string]int{}
		for range 8 * len(names) {
			_, body := e.ask()
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

// newStack makes a root module that configures e. arguments are lines of HCL for its
// module block.
func newStack(tb testing.TB, e *edge, file string, arguments ...string) *moduletest.Stack {
	tb.Helper()
	command, err := json.Marshal(e.command())
	if err != nil {
		tb.Fatalf("encode command: %v", err)
	}
	return moduletest.New(tb, "nginx", append(arguments, fmt.Sprintf("config_path = %q", e.path(file)), "nginx_command = "+string(command))...)
}
