package rig

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// HAProxy is a real one in master-worker mode that serves the backend web on a port of
// loopback, below a directory that a module writes its file in.
type HAProxy struct {
	*Process
	dir, addr string
	client    *http.Client
}

// StartHAProxy starts HAProxy with an empty backend. Sockets have short paths only: dir
// must leave them 107 bytes.
func StartHAProxy(ctx context.Context, dir string) (*HAProxy, error) {
	ports, err := Ports(1)
	if err != nil {
		return nil, err
	}
	h := &HAProxy{dir: dir, addr: fmt.Sprintf("127.0.0.1:%d", ports[0]), client: oneShot()}
	main := fmt.Sprintf("global\n  nbthread 2\ndefaults\n  mode http\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n"+
		"frontend edge\n  bind %s\n  default_backend web\n", h.addr)
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "main.cfg"), []byte(main), 0o644),
		os.WriteFile(h.File(), []byte("backend web\n"), 0o644)); err != nil {
		return nil, fmt.Errorf("write HAProxy configuration: %w", err)
	}
	command, err := h.Command()
	if err != nil {
		return nil, err
	}
	if h.Process, err = start("HAProxy", filepath.Join(dir, "haproxy.log"), exec.Command(command[0], append(command[1:], "-W", "-S", h.Socket())...)); err != nil {
		return nil, err
	}
	err = Until(ctx, 15*time.Second, func() error {
		if h.Exited() {
			return final{errors.New("it exited")}
		}
		_, err := h.Ask()
		if _, answered := errors.AsType[StatusError](err); answered {
			return nil
		}
		return err
	})
	if err != nil {
		h.Kill()
		return nil, fmt.Errorf("start HAProxy: %w\n%s", err, tail(h.Output(), 15))
	}
	return h, nil
}

// File is the path of the file that a module owns, Socket that of the master's socket.
func (h *HAProxy) File() string { return filepath.Join(h.dir, "patchbay.cfg") }

// Socket is told of at [HAProxy.File].
func (h *HAProxy) Socket() string { return filepath.Join(h.dir, "m.sock") }

// Command is the program with all of its -f arguments.
func (h *HAProxy) Command() ([]string, error) {
	binary, err := Tool("haproxy")
	if err != nil {
		return nil, err
	}
	return []string{binary, "-f", filepath.Join(h.dir, "main.cfg"), "-f", h.File()}, nil
}

// Workers are the process ids of its workers.
func (h *HAProxy) Workers() (string, error) {
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", h.PID(), h.PID()))
	if err != nil {
		return "", fmt.Errorf("list workers of HAProxy: %w", err)
	}
	return strings.TrimSpace(string(children)), nil
}

// Ask makes one request, without retry, and gives the id that answered.
func (h *HAProxy) Ask() (string, error) {
	return ask(h.client, "http://"+h.addr+"/")
}

// Quit ends HAProxy.
func (h *HAProxy) Quit() error {
	h.Signal(syscall.SIGTERM)
	if _, err := h.Wait(10 * time.Second); err != nil {
		h.Kill()
		return err
	}
	return nil
}
