package nginx_test

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
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"patchbay/templates/internal/moduletest"
)

// edge is a real NGINX with an http and a stream block: it proxies HTTP on web to upstream
// web, TCP on tcp to upstream db and UDP on udp to upstream dns.
type edge struct {
	dir, binary   string
	web, tcp, udp string
}

func newEdge(tb testing.TB) *edge {
	tb.Helper()
	binary, err := exec.LookPath("nginx")
	if err != nil {
		tb.Fatalf("find nginx: %v; make tools brings it", err)
	}
	e := &edge{dir: tb.TempDir(), binary: binary, web: moduletest.FreeAddr(tb), tcp: moduletest.FreeAddr(tb), udp: freeUDP(tb)}
	for _, dir := range []string{"http.d", "stream.d"} {
		if err := os.Mkdir(e.path(dir), 0o755); err != nil {
			tb.Fatalf("make directory: %v", err)
		}
	}
	e.write(tb, "http.d/web.conf", "upstream web { server 127.0.0.1:1 down; }\n")
	e.write(tb, "stream.d/up.conf", "upstream db { server 127.0.0.1:1 down; }\nupstream dns { server 127.0.0.1:1 down; }\n")
	e.write(tb, "nginx.conf", fmt.Sprintf(`%s
pid nginx.pid;
error_log error.log notice;
worker_processes 1;
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  include http.d/*.conf;
  server { listen %s; location / { proxy_pass http://web; } }
}
stream {
  include stream.d/*.conf;
  server { listen %s; proxy_pass db; }
  server { listen %s udp; proxy_pass dns; proxy_responses 1; proxy_timeout 2s; }
}
`, loadStream(tb, binary), e.web, e.tcp, e.udp))
	e.start(tb)
	return e
}

// loadStream gives the line that loads NGINX's stream module where it is one of its own.
func loadStream(tb testing.TB, binary string) string {
	tb.Helper()
	out, err := exec.Command(binary, "-V").CombinedOutput()
	if err != nil {
		tb.Fatalf("nginx -V: %v: %s", err, out)
	}
	var dirs []string
	for _, option := range strings.Fields(string(out)) {
		if option == "--with-stream" {
			return ""
		}
		if dir, ok := strings.CutPrefix(option, "--modules-path="); ok {
			dirs = append(dirs, dir)
		}
	}
	dirs = append([]string{filepath.Dir(binary)}, dirs...)
	for _, dir := range dirs {
		module := filepath.Join(dir, "ngx_stream_module.so")
		if _, err := os.Stat(module); err == nil {
			return "load_module " + module + ";"
		}
	}
	tb.Fatalf("no stream module of %s in %q; make tools brings it", binary, dirs)
	return ""
}

func (e *edge) start(tb testing.TB) {
	tb.Helper()
	command := e.command()
	var said bytes.Buffer
	nginx := exec.Command(command[0], append(command[1:], "-g", "daemon off;")...)
	nginx.Stdout, nginx.Stderr = &said, &said
	if err := nginx.Start(); err != nil {
		tb.Fatalf("start nginx: %v", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- nginx.Wait() }()
	tb.Cleanup(func() {
		_ = nginx.Process.Signal(os.Interrupt)
		if err := <-ended; err != nil {
			tb.Logf("nginx: %v: %s", err, said.String())
		}
	})
	moduletest.Wait(tb, "nginx did not listen", func() bool { return listens(e.web) && listens(e.tcp) })
}

func (e *edge) command() []string { return []string{e.binary, "-p", e.dir, "-c", e.path("nginx.conf")} }

func (e *edge) path(name string) string { return filepath.Join(e.dir, filepath.FromSlash(name)) }

func (e *edge) write(tb testing.TB, name, content string) { put(tb, e.path(name), content, 0o644) }

func (e *edge) read(tb testing.TB, name string) string {
	tb.Helper()
	content, err := os.ReadFile(e.path(name))
	if err != nil {
		tb.Fatalf("read file: %v", err)
	}
	return string(content)
}

// settle waits until the workers of earlier configurations have ended.
func (e *edge) settle(tb testing.TB) {
	tb.Helper()
	pid := strings.TrimSpace(e.read(tb, "nginx.pid"))
	moduletest.Wait(tb, "old workers of nginx did not end", func() bool {
		children, err := os.ReadFile(filepath.Join("/proc", pid, "task", pid, "children"))
		if err != nil {
			tb.Fatalf("list workers: %v", err)
		}
		return len(strings.Fields(string(children))) == 1
	})
}

// stack makes a root module that configures e's file name with the command, or its own.
func (e *edge) stack(tb testing.TB, name string, arguments ...string) *moduletest.Stack {
	tb.Helper()
	return moduletest.New(tb, "nginx", append(arguments, fmt.Sprintf("config_path = %q", e.path(name)), "nginx_command = "+list(tb, e.command()))...)
}

func list(tb testing.TB, words []string) string {
	tb.Helper()
	text, err := json.Marshal(words)
	if err != nil {
		tb.Fatalf("encode words: %v", err)
	}
	return string(text)
}

func put(tb testing.TB, path, content string, mode os.FileMode) {
	tb.Helper()
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		tb.Fatalf("write file: %v", err)
	}
}

func listens(addr string) bool {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

// ask makes one request on a connection of its own and gives the answer, or the error.
func ask(network, addr string) string {
	if network == "http" {
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: moduletest.Patience}
		answer, err := client.Get("http://" + addr)
		if err != nil {
			return err.Error()
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			return err.Error()
		}
		return string(body)
	}
	c, err := net.Dial(network, addr)
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(moduletest.Patience))
	if network == "udp" { // a lost datagram or a reset port is asked again
		_ = c.SetDeadline(time.Now().Add(time.Second))
	}
	if _, err := c.Write([]byte("?")); err != nil {
		return err.Error()
	}
	answer := make([]byte, 64)
	n, err := c.Read(answer)
	if err != nil {
		return err.Error()
	}
	return string(answer[:n])
}

// serves waits until answers in a row came from exactly these backends.
func serves(tb testing.TB, network, addr string, names ...string) {
	tb.Helper()
	var seen []string
	moduletest.Wait(tb, fmt.Sprintf("%s %s is not served by exactly %q", network, addr, names), func() bool {
		seen = nil
		for range 6 * len(names) {
			if name := ask(network, addr); !slices.Contains(seen, name) {
				seen = append(seen, name)
			}
		}
		slices.Sort(seen)
		return slices.Equal(seen, names)
	})
}

// tcpBackend answers every connection with its name and is an instance of service db.
func tcpBackend(tb testing.TB, name string) moduletest.Instance {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("listen: %v", err)
	}
	var open sync.WaitGroup
	open.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			open.Go(func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(moduletest.Patience))
				if _, err := c.Read(make([]byte, 64)); err == nil {
					_, _ = io.WriteString(c, name)
				}
			})
		}
	})
	tb.Cleanup(func() {
		_ = l.Close()
		open.Wait()
	})
	return instance("db", l.Addr())
}

// udpBackend answers every datagram with its name and is an instance of service dns.
func udpBackend(tb testing.TB, name string) moduletest.Instance {
	tb.Helper()
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("listen: %v", err)
	}
	var done sync.WaitGroup
	done.Go(func() {
		for {
			_, from, err := l.ReadFrom(make([]byte, 64))
			if err != nil {
				return
			}
			_, _ = l.WriteTo([]byte(name), from)
		}
	})
	tb.Cleanup(func() {
		_ = l.Close()
		done.Wait()
	})
	return instance("dns", l.LocalAddr())
}

func instance(service string, addr net.Addr) moduletest.Instance {
	i := moduletest.Instance{Name: service, Status: "passing"}
	switch a := addr.(type) {
	case *net.TCPAddr:
		i.Address, i.Port = a.IP.String(), a.Port
	case *net.UDPAddr:
		i.Address, i.Port = a.IP.String(), a.Port
	}
	return i
}

func freeUDP(tb testing.TB) string {
	tb.Helper()
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("listen: %v", err)
	}
	defer l.Close()
	return l.LocalAddr().String()
}
