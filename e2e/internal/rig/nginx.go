package rig

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Site is an upstream and the file that a module writes it to.
type Site struct {
	// Upstream is the name that NGINX proxies to.
	Upstream string
	// File is below the directory of upstreams; several sites may share one.
	File string
}

// NGINX is a real one that proxies a port of loopback to each site's upstream.
type NGINX struct {
	*Process
	dir    string
	ports  map[string]int
	client *http.Client
}

// StartNGINX starts NGINX in a directory of its own. Until a module has written a
// site's file it has no server that answers.
func StartNGINX(ctx context.Context, dir string, sites ...Site) (*NGINX, error) {
	ports, err := Ports(len(sites))
	if err != nil {
		return nil, err
	}
	n := &NGINX{dir: dir, ports: map[string]int{}, client: oneShot()}
	var servers strings.Builder
	empty := map[string]string{}
	for i, s := range sites {
		n.ports[s.Upstream] = ports[i]
		empty[s.File] += fmt.Sprintf("upstream %s { server 127.0.0.1:1 down; }\n", s.Upstream)
		fmt.Fprintf(&servers, "  server {\n    listen 127.0.0.1:%d;\n    location / { proxy_pass http://%s; }\n  }\n", ports[i], s.Upstream)
	}
	if err := os.MkdirAll(filepath.Join(dir, "upstreams"), 0o755); err != nil {
		return nil, fmt.Errorf("write NGINX configuration: %w", err)
	}
	for file, text := range empty {
		if err := os.WriteFile(n.Upstreams(file), []byte(text), 0o644); err != nil {
			return nil, fmt.Errorf("write NGINX configuration: %w", err)
		}
	}
	if err := os.WriteFile(n.config(), fmt.Appendf(nil, nginxConfig, servers.String()), 0o644); err != nil {
		return nil, fmt.Errorf("write NGINX configuration: %w", err)
	}
	command, err := n.Command()
	if err != nil {
		return nil, err
	}
	if n.Process, err = start("NGINX", filepath.Join(dir, "nginx.log"), exec.Command(command[0], append(command[1:], "-g", "daemon off;")...)); err != nil {
		return nil, err
	}
	return n, n.awaitStart(ctx, sites)
}

const nginxConfig = `worker_processes 2;
pid nginx.pid;
error_log error.log notice;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path tmp_body;
  proxy_temp_path tmp_proxy;
  fastcgi_temp_path tmp_fastcgi;
  uwsgi_temp_path tmp_uwsgi;
  scgi_temp_path tmp_scgi;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_connect_timeout 2s;
  include upstreams/*.conf;
%s}
`

func (n *NGINX) awaitStart(ctx context.Context, sites []Site) error {
	for _, s := range sites {
		err := Until(ctx, 15*time.Second, func() error {
			if n.Exited() {
				return final{errors.New("it exited")}
			}
			_, err := n.Ask(s.Upstream)
			if _, answered := errors.AsType[StatusError](err); answered {
				return nil
			}
			return err
		})
		if err != nil {
			n.Kill()
			return fmt.Errorf("start NGINX: %w\n%s", err, tail(n.Output(), 15))
		}
	}
	return nil
}

func (n *NGINX) config() string { return filepath.Join(n.dir, "nginx.conf") }

// Upstreams is the path of a file that modules write.
func (n *NGINX) Upstreams(file string) string { return filepath.Join(n.dir, "upstreams", file) }

// Command is the program and the arguments that reach this NGINX.
func (n *NGINX) Command() ([]string, error) {
	binary, err := Tool("nginx")
	if err != nil {
		return nil, err
	}
	return []string{binary, "-p", n.dir + "/", "-e", "error.log", "-c", n.config()}, nil
}

// ModuleVariables is the variables block of a task whose module is builtin/nginx
// and writes the file.
func (n *NGINX) ModuleVariables(file string, more ...string) (string, error) {
	command, err := n.Command()
	if err != nil {
		return "", err
	}
	lines := append([]string{
		"config_path = " + HCLString(n.Upstreams(file)),
		"nginx_command = " + HCLStrings(command...),
	}, more...)
	var b strings.Builder
	b.WriteString("  variables {\n")
	for _, l := range lines {
		name, value, _ := strings.Cut(l, " = ")
		fmt.Fprintf(&b, "    %s = %s\n", name, HCLString(value))
	}
	b.WriteString("  }\n")
	return b.String(), nil
}

// URL is where a site is served.
func (n *NGINX) URL(upstream string) string {
	return fmt.Sprintf("http://127.0.0.1:%d/", n.ports[upstream])
}

// Quit ends NGINX gracefully.
func (n *NGINX) Quit() error {
	n.Signal(syscall.SIGQUIT)
	if _, err := n.Wait(10 * time.Second); err != nil {
		n.Kill()
		return err
	}
	return nil
}

// StatusError is an answer that is not 200.
type StatusError int

// Error tells the status with its name.
func (e StatusError) Error() string {
	return fmt.Sprintf("answer %d %s", int(e), http.StatusText(int(e)))
}

// oneShot is a client that uses a new connection for each request: Go's transport
// repeats a request by itself only on a connection that it used before.
func oneShot() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
}

// Ask makes one request of a site, without retry, and gives the id that answered.
func (n *NGINX) Ask(upstream string) (string, error) {
	return ask(n.client, n.URL(upstream))
}

// ask gives the body of an answer of 200, which is the id of who answered.
func ask(client *http.Client, url string) (string, error) {
	r, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(io.LimitReader(r.Body, 4096))
	if err != nil {
		return "", err
	}
	if r.StatusCode != http.StatusOK {
		return "", StatusError(r.StatusCode)
	}
	return string(body), nil
}

// Answers lists who answers a site now, sorted. NGINX takes turns, in each of its
// workers: three rounds of all and some more see everyone.
func (n *NGINX) Answers(upstream string, expected int) ([]string, error) {
	seen := map[string]bool{}
	for range 6*expected + 6 {
		id, err := n.Ask(upstream)
		if err != nil {
			return nil, err
		}
		seen[id] = true
	}
	return sortedKeys(seen), nil
}

// AwaitAnswers waits until exactly the given ids answer a site; none means that
// NGINX itself answers that it has no server.
func (n *NGINX) AwaitAnswers(ctx context.Context, upstream string, limit time.Duration, ids ...string) error {
	slices.Sort(ids)
	return Until(ctx, limit, func() error {
		got, err := n.Answers(upstream, len(ids))
		if len(ids) == 0 && errors.Is(err, StatusError(http.StatusBadGateway)) {
			return nil
		}
		if err != nil {
			return err
		}
		if !slices.Equal(got, ids) {
			return fmt.Errorf("%s is answered by %v, wanted %v", upstream, got, ids)
		}
		return nil
	})
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
