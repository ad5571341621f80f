package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"patchbay/e2e/internal/rig"
)

// steps is a module whose objects are made one after the other; each writes a line to
// a file when it begins and then takes its time, in seconds.
func (w *world) steps(name string, seconds ...string) (dir, begun string) {
	w.t.Helper()
	begun = filepath.Join(w.dir, name+".begun")
	var b strings.Builder
	for n, s := range seconds {
		after := ""
		if n > 0 {
			after = fmt.Sprintf("  depends_on = [terraform_data.step_%d]\n", n-1)
		}
		fmt.Fprintf(&b, "resource \"terraform_data\" \"step_%d\" {\n%s  provisioner \"local-exec\" {\n    command = %s\n  }\n}\n",
			n, after, rig.HCLString(fmt.Sprintf("echo step_%d >> %s; sleep %s", n, begun, s)))
	}
	return w.module(name, b.String()), begun
}

func moduleTask(name, service, module string) string {
	return fmt.Sprintf("task {\n  name   = %q\n  module = %q\n  condition \"services\" {\n    names = [%q]\n  }\n}\n", name, module, service)
}

// begin waits until a module made by steps has begun so many steps.
func (w *world) begin(file string, steps int) {
	w.t.Helper()
	w.must(rig.Until(w.t.Context(), limit, func() error {
		if got := len(lines(file)); got < steps {
			return fmt.Errorf("%d steps have begun, waiting for %d", got, steps)
		}
		return nil
	}))
}

func lines(file string) []string {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	return strings.Fields(string(b))
}

// state is the part of Terraform's state file that tells which objects exist.
type state struct {
	Resources []struct {
		Name      string `json:"name"`
		Instances []struct {
			Status string `json:"status"`
		} `json:"instances"`
	} `json:"resources"`
}

// stateStore reads a task's state and tells who holds its lock; "" is nobody.
type stateStore struct {
	backend string
	read    func(w *world, task string) ([]byte, error)
	lock    func(w *world, task string) (string, error)
}

var stateStores = map[string]stateStore{
	"with the state in a local file": {
		backend: local,
		read: func(w *world, task string) ([]byte, error) {
			return os.ReadFile(filepath.Join(w.stateDir(task), "terraform.tfstate"))
		},
		lock: func(w *world, task string) (string, error) {
			b, err := os.ReadFile(filepath.Join(w.stateDir(task), ".terraform.tfstate.lock.info"))
			if errors.Is(err, os.ErrNotExist) {
				return "", nil
			}
			return string(b), err
		},
	},
	"with the state in Consul": {
		read: func(w *world, task string) ([]byte, error) {
			pair, _, err := w.consul.Client.KV().Get(stateKey(task), nil)
			if err != nil || pair == nil {
				return nil, errors.Join(errors.New("read state from Consul"), err)
			}
			r, err := gzip.NewReader(bytes.NewReader(pair.Value))
			if err != nil {
				return nil, err
			}
			return io.ReadAll(r)
		},
		lock: func(w *world, task string) (string, error) {
			pair, _, err := w.consul.Client.KV().Get(stateKey(task)+"/.lock", nil)
			if err != nil || pair == nil {
				return "", err
			}
			return pair.Session, nil
		},
	},
}

func stateKey(task string) string { return "consul-terraform-sync/terraform-env:" + task }

func (w *world) stateDir(task string) string {
	return filepath.Join(w.program.Dir, "sync-tasks", task, "terraform.tfstate.d", task)
}

// objects lists the objects in a task's state that are whole.
func (w *world) objects(s stateStore, task string) (whole []string) {
	w.t.Helper()
	b, err := s.read(w, task)
	w.must(err)
	var st state
	w.must(json.Unmarshal(b, &st))
	for _, r := range st.Resources {
		if len(r.Instances) == 1 && r.Instances[0].Status == "" {
			whole = append(whole, r.Name)
		}
	}
	slices.Sort(whole)
	return whole
}

func (w *world) unlocked(s stateStore, task string) {
	w.t.Helper()
	holder, err := s.lock(w, task)
	w.must(err)
	if holder != "" {
		w.t.Errorf("the state's lock is still held: %s", holder)
	}
}

func TestAStopLetsAnApplyFinish(t *testing.T) {
	t.Parallel()
	for name, s := range stateStores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.serve("web", "web-1")
			module, begun := w.steps("slow", "1", "1", "1", "1")
			config := w.config(s.backend, moduleTask("slow", "web", module))
			w.start(config)
			w.begin(begun, 2)

			w.end(syscall.SIGTERM)
			want := []string{"step_0", "step_1", "step_2", "step_3"}
			if got := w.objects(s, "slow"); !slices.Equal(got, want) {
				t.Errorf("the state has %v whole, want %v", got, want)
			}
			w.unlocked(s, "slow")

			w.start(config)
			w.phase("slow", "unchanged")
			if got := lines(begun); !slices.Equal(got, want) {
				t.Errorf("begun were %v, want each step once", got)
			}
		})
	}
}

func TestAStopInterruptsAnApplyThatOutlastsItsGrace(t *testing.T) {
	t.Parallel()
	for name, s := range stateStores {
		for how, impatience := range map[string]struct {
			grace   string
			signals int
		}{"by shutdown_grace": {"1s", 1}, "by a second signal": {"5m", 2}} {
			t.Run(name+" "+how, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.serve("web", "web-1")
				release := filepath.Join(w.dir, "release")
				module, begun := w.steps("slow", "0", "0", "0; test -e "+release+" || sleep 300", "0")
				config := fmt.Sprintf("shutdown_grace = %q\n", impatience.grace) + w.config(s.backend, moduleTask("slow", "web", module))
				w.start(config)
				w.begin(begun, 3)

				w.patchbay.Signal(syscall.SIGTERM)
				if impatience.signals == 2 {
					w.must(w.patchbay.AwaitLog(w.t.Context(), "stop was asked for", limit))
					w.patchbay.Signal(syscall.SIGTERM)
				}
				_, err := w.patchbay.Wait(limit)
				w.must(err)
				if got, want := w.objects(s, "slow"), []string{"step_0", "step_1"}; !slices.Equal(got, want) {
					t.Errorf("the state has %v whole, want %v: what was finished must be kept", got, want)
				}
				w.unlocked(s, "slow")

				w.must(os.WriteFile(release, nil, 0o644))
				w.start(config)
				w.phase("slow", "applied")
				want := []string{"step_0", "step_1", "step_2", "step_3"}
				if got := w.objects(s, "slow"); !slices.Equal(got, want) {
					t.Errorf("the state has %v after the next start, want %v", got, want)
				}
				if got, want := lines(begun), []string{"step_0", "step_1", "step_2", "step_2", "step_3"}; !slices.Equal(got, want) {
					t.Errorf("begun were %v, want %v", got, want)
				}
			})
		}
	}
}

func TestAFailingModuleHealsByItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t, web)
	w.serve("web", "web-1")
	device := filepath.Join(w.dir, "device-is-up")
	module := w.module("flaky", `resource "terraform_data" "object" {
  provisioner "local-exec" {
    command = `+rig.HCLString("echo device unreachable; test -e "+device)+`
  }
}
`)
	w.start(w.config(local, moduleTask("flaky", "web", module), w.nginxTask("web", "web", web.File)))
	failing, err := w.patchbay.AwaitRun(w.t.Context(), "flaky", limit, func(r rig.Run) bool { return r.Tries >= 2 && len(r.Attempts) >= 2 })
	w.must(err)
	wantText(t, failing.Attempts[0].Error, "device unreachable")

	// The other task goes on meanwhile.
	w.serve("web", "web-2")
	w.answers("web", "web-1", "web-2")

	w.must(os.WriteFile(device, nil, 0o644))
	healed := w.phase("flaky", "applied")
	if len(healed.Attempts) == 0 {
		t.Error("the healed run does not tell its failures")
	}
}
