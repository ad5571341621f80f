package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"patchbay/e2e/internal/rig"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/consul/api"
)

func TestTheAgentIsAServiceOfConsulWhileItRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start(w.config(local))
	passing := func() {
		t.Helper()
		w.must(rig.Until(t.Context(), limit, func() error {
			checks, err := w.consul.Client.Agent().Checks()
			if err != nil {
				return err
			}
			c := checks["patchbay-under-test-health"]
			if c == nil || c.Status != api.HealthPassing {
				return fmt.Errorf("the check is %+v", c)
			}
			return nil
		}))
	}
	passing()
	service, _, err := w.consul.Client.Agent().Service("patchbay-under-test", nil)
	w.must(err)
	type seen struct {
		Name, Address string
		Port          string
		Tags          []string
	}
	port := w.patchbay.API[strings.LastIndex(w.patchbay.API, ":")+1:]
	want := seen{Name: "patchbay", Port: port, Tags: []string{"cts"}}
	if diff := cmp.Diff(want, seen{service.Service, service.Address, strconv.Itoa(service.Port), service.Tags}); diff != "" {
		t.Errorf("the service (-want +got):\n%s", diff)
	}

	// What the agent lost comes back.
	w.must(w.consul.Deregister("patchbay-under-test"))
	passing()

	w.end(syscall.SIGTERM)
	services, err := w.consul.Client.Agent().Services()
	w.must(err)
	if s, ok := services["patchbay-under-test"]; ok {
		t.Errorf("after a graceful stop Consul still has %+v", s)
	}
}

func TestValuesOfAProviderAreReadAnewForEachRunAndLieNowhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.program.Env = []string{"DEVICE_USER=operator-7"}
	w.serve("web", "web-1")
	w.put("device/password", "first-secret-word")
	file := filepath.Join(w.dir, "login.txt")
	// The provider's environment reaches what Terraform starts.
	module := w.plainModule("login", fmt.Sprintf(`resource "terraform_data" "login" {
  triggers_replace = keys(var.services)
  provisioner "local-exec" {
    command = "printf '%%s' \"$DEVICE_LOGIN\" > %s"
  }
}
`, file))
	w.start(w.config(local, fmt.Sprintf(`terraform_provider "local" {
  task_env {
    DEVICE_LOGIN = "{{ env \"DEVICE_USER\" }}:{{ key \"device/password\" }}"
  }
}
task {
  name      = "login"
  module    = %q
  providers = ["local"]
  condition "services" {
    names = ["web"]
  }
}
`, module)))
	w.reads(file, "operator-7:first-secret-word")
	w.phase("login", "applied")

	w.put("device/password", "second-secret-word")
	w.serve("web", "web-2")
	w.reads(file, "operator-7:second-secret-word")
	w.phase("login", "applied")
	if got := w.applied("login"); got != 2 {
		t.Errorf("%d runs were applied, want 2: a rotated value starts none", got)
	}
	for name, text := range map[string]string{"log": w.patchbay.Output(), "state": w.send("GET", "/v1/state", "", 200).Body,
		"task": w.send("GET", "/v1/tasks/login", "", 200).Body} {
		w.holdsNo(name, text, "secret-word")
	}
	w.must(filepath.WalkDir(w.program.Dir, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || err == nil && !entry.Type().IsRegular() {
			return nil
		}
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		if err == nil {
			w.holdsNo(path, string(text), "secret-word")
		}
		return err
	}))
}

// holdsNo fails when a text has a secret.
func (w *world) holdsNo(name, text, secret string) {
	w.t.Helper()
	if strings.Contains(text, secret) {
		w.t.Errorf("%s holds a secret", name)
	}
}
