package rig

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// envoyStart bounds the time until Envoy's admin interface answers.
const envoyStart = 60 * time.Second

// Envoy is a real one, seen through its admin interface. [Process.Stop] ends it.
type Envoy struct {
	*Process
	// Admin is host:port of the admin interface, on loopback.
	Admin  string
	client *http.Client
}

// StartEnvoy starts Envoy from the text of a bootstrap, in YAML or JSON, and waits
// until it serves. The admin interface that the bootstrap names is replaced by one
// on a free port of loopback, all else is taken as it is. More arguments follow
// these. The log is in the directory and has its name, so that the logs of several
// can lie side by side.
func StartEnvoy(ctx context.Context, dir, bootstrap string, args ...string) (*Envoy, error) {
	e, err := LaunchEnvoy(ctx, dir, bootstrap, args...)
	if err != nil {
		return nil, err
	}
	if err := e.AwaitReady(ctx, envoyStart); err != nil {
		e.Kill()
		return nil, err
	}
	return e, nil
}

// LaunchEnvoy is [StartEnvoy] without waiting until Envoy serves, which it does not
// before its control plane answered: only the admin interface is there.
func LaunchEnvoy(ctx context.Context, dir, bootstrap string, args ...string) (*Envoy, error) {
	config, admin, err := writeBootstrap(dir, bootstrap)
	if err != nil {
		return nil, err
	}
	binary, err := Tool("envoy")
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(binary, append([]string{
		"--config-path", config, "--config-yaml", adminOnLoopback, "--admin-address-path", admin,
		// Without hot restart nothing is shared, so that several run side by side.
		"--disable-hot-restart", "--concurrency", "1",
	}, args...)...)
	e := &Envoy{client: oneShot()}
	if e.Process, err = start("Envoy", filepath.Join(dir, filepath.Base(dir)+".log"), cmd); err != nil {
		return nil, err
	}
	err = Until(ctx, envoyStart, func() error {
		if e.Exited() {
			return final{errors.New("it exited")}
		}
		address, err := os.ReadFile(admin)
		if err != nil {
			return err
		}
		e.Admin = string(address)
		_, err = e.admin("/server_info")
		return err
	})
	if err != nil {
		e.Kill()
		return nil, fmt.Errorf("start Envoy: %w\n%s", err, tail(e.Output(), 15))
	}
	return e, nil
}

// adminOnLoopback is laid over the bootstrap.
const adminOnLoopback = `{"admin":{"address":{"socket_address":{"address":"127.0.0.1","port_value":0}}}}`

// writeBootstrap writes the text where Envoy reads it, named by its form, and gives
// the path of that and of the file that Envoy will write its admin address to.
func writeBootstrap(dir, text string) (config, admin string, err error) {
	config, admin = filepath.Join(dir, "bootstrap.yaml"), filepath.Join(dir, "admin-address")
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		config = filepath.Join(dir, "bootstrap.json")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", "", fmt.Errorf("write Envoy bootstrap: %w", err)
	}
	// That of an Envoy which ran here before would be asked instead.
	if err := os.Remove(admin); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", "", fmt.Errorf("write Envoy bootstrap: %w", err)
	}
	// A bootstrap may hold a token of Consul.
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return "", "", fmt.Errorf("write Envoy bootstrap: %w", err)
	}
	return config, admin, nil
}

// AwaitReady waits until Envoy serves: its listeners and clusters have come.
func (e *Envoy) AwaitReady(ctx context.Context, limit time.Duration) error {
	err := Until(ctx, limit, func() error {
		if e.Exited() {
			return final{errors.New("it exited")}
		}
		_, err := e.admin("/ready")
		return err
	})
	if err != nil {
		return fmt.Errorf("wait for Envoy to serve: %w\n%s", err, tail(e.Output(), 15))
	}
	return nil
}

// admin reads a path of the admin interface; an answer other than 200 is a [StatusError].
func (e *Envoy) admin(path string) ([]byte, error) {
	got, err := e.client.Get("http://" + e.Admin + path)
	if err != nil {
		return nil, fmt.Errorf("ask Envoy: %w", err)
	}
	defer got.Body.Close()
	b, err := io.ReadAll(got.Body)
	if err != nil {
		return nil, fmt.Errorf("ask Envoy for %s: %w", path, err)
	}
	if got.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask Envoy for %s: %w: %.200s", path, StatusError(got.StatusCode), b)
	}
	return b, nil
}

// adminJSON decodes the answer of a path of the admin interface.
func (e *Envoy) adminJSON(path string, into any) error {
	b, err := e.admin(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("read Envoy's answer to %s: %w", path, err)
	}
	return nil
}
