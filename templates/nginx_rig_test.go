package templates_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"patchbay/templates"
)

// patience bounds each wait of these tests; none passes by waiting that long.
const patience = 30 * time.Second

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
	e := &edge{dir: tb.TempDir(), addr: freeAddr(tb)}
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
	wait(tb, "nginx did not listen", func() bool {
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
	wait(tb, "old workers of nginx did not end", func() bool {
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
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
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
	wait(tb, fmt.Sprintf("nginx did not serve exactly %q", names), func() bool {
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

// instance is one entry of the module's services.
type instance struct {
	Name    string            `json:"name"`
	Address string            `json:"address"`
	Port    int               `json:"port"`
	Node    string            `json:"node_address,omitempty"`
	Status  string            `json:"status,omitempty"`
	Meta    map[string]string `json:"meta,omitempty"`
	User    map[string]string `json:"cts_user_defined_meta,omitempty"`
}

// backend serves its name on loopback and is an instance of service web.
func backend(tb testing.TB, name string) instance {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("listen: %v", err)
	}
	return serve(tb, l, name)
}

func serve(tb testing.TB, l net.Listener, name string) instance {
	tb.Helper()
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, name) })}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l)
	}()
	tb.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	addr := l.Addr().(*net.TCPAddr)
	return instance{Name: "web", Address: addr.IP.String(), Port: addr.Port, Status: "passing"}
}

// stack is a root module with one module nginx, and its state.
type stack struct {
	dir, binary string
}

// newStack writes and initialises a root module that configures e. arguments are
// lines of HCL for its module block.
func newStack(tb testing.TB, e *edge, file string, arguments ...string) stack {
	tb.Helper()
	binary, err := exec.LookPath("terraform")
	if err != nil {
		binary, err = exec.LookPath("tofu")
	}
	if err != nil {
		tb.Fatal("neither terraform nor tofu is on PATH: install one of them")
	}
	s := stack{tb.TempDir(), binary}
	files, ok := templates.Builtin("nginx")
	if !ok {
		tb.Fatal("module nginx is not built in")
	}
	for name, content := range files {
		s.write(tb, filepath.Join("nginx", name), content)
	}
	command, err := json.Marshal(e.command())
	if err != nil {
		tb.Fatalf("encode command: %v", err)
	}
	s.write(tb, "main.tf", fmt.Appendf(nil, `variable "services" { type = any }
variable "instance_weights" { default = {} }
module "edge" {
  source           = "./nginx"
  services         = var.services
  instance_weights = var.instance_weights
  config_path      = %q
  nginx_command    = %s
  %s
}
output "upstreams" { value = module.edge.upstreams }
output "skipped" { value = module.edge.skipped }
`, e.path(file), command, strings.Join(arguments, "\n  ")))
	s.must(tb, "init")
	return s
}

func (s stack) write(tb testing.TB, name string, content []byte) {
	tb.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		tb.Fatalf("make directory: %v", err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		tb.Fatalf("write file: %v", err)
	}
}

// give sets what the module gets. Keys of services are made of the order.
func (s stack) give(tb testing.TB, services ...instance) {
	tb.Helper()
	keyed := map[string]instance{}
	for n, i := range services {
		keyed[key(n)] = i
	}
	s.set(tb, "services", keyed)
}

func key(n int) string { return "web-" + fmt.Sprintf("%05d", n) + ".n1.dc1" }

func (s stack) set(tb testing.TB, variable string, value any) {
	tb.Helper()
	content, err := json.Marshal(map[string]any{variable: value})
	if err != nil {
		tb.Fatalf("encode variable: %v", err)
	}
	s.write(tb, variable+".auto.tfvars.json", content)
}

func (s stack) run(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, s.binary, append(args, "-no-color")...)
	command.Dir = s.dir
	command.Env = append(os.Environ(), "TF_IN_AUTOMATION=1", "CHECKPOINT_DISABLE=1", "TF_CLI_CONFIG_FILE="+os.DevNull)
	out, err := command.CombinedOutput()
	return string(out), err
}

func (s stack) must(tb testing.TB, args ...string) string {
	tb.Helper()
	out, err := s.run(args...)
	if err != nil {
		tb.Fatalf("%s %s: %v:\n%s", s.binary, strings.Join(args, " "), err, out)
	}
	return out
}

func (s stack) apply(tb testing.TB) {
	tb.Helper()
	s.must(tb, "apply", "-auto-approve", "-input=false")
}

// settled fails unless a plan would change nothing.
func (s stack) settled(tb testing.TB) {
	tb.Helper()
	if out, err := s.run("plan", "-detailed-exitcode", "-input=false"); err != nil {
		tb.Fatalf("the second plan is not empty: %v:\n%s", err, out)
	}
}

// output decodes an output value of the state.
func (s stack) output(tb testing.TB, name string, to any) {
	tb.Helper()
	if err := json.Unmarshal([]byte(s.must(tb, "output", "-json", name)), to); err != nil {
		tb.Fatalf("decode output %s: %v", name, err)
	}
}

func freeAddr(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("listen: %v", err)
	}
	defer l.Close()
	return l.Addr().String()
}

func wait(tb testing.TB, otherwise string, done func() bool) {
	tb.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatal(otherwise)
		}
	}
}

func hostPort(i instance) string { return net.JoinHostPort(i.Address, strconv.Itoa(i.Port)) }
