package e2e

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"patchbay/e2e/internal/rig"
)

// deviceProvider builds the provider of testdata/device with the modules that are
// pinned for hashicorp/local, and lets Terraform find it beside that.
func (w *world) deviceProvider() {
	w.t.Helper()
	root, err := rig.Root()
	w.must(err)
	source := filepath.Join(w.dir, "device")
	for _, file := range []string{"tools/local/go.mod", "tools/local/go.sum", "testdata/device/main.go"} {
		w.must(copyFile(filepath.Join(root, "e2e", file), filepath.Join(source, filepath.Base(file))))
	}
	mirror := filepath.Join(w.dir, "mirror")
	cmd := exec.Command("go", "build", "-mod=readonly", "-o", filepath.Join(mirror, "example.com", "test", "device", "1.0.0", runtime.GOOS+"_"+runtime.GOARCH, "terraform-provider-device_v1.0.0"), ".")
	cmd.Dir, cmd.Env = source, append(os.Environ(), "GOWORK=off", "GOFLAGS=", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("build the provider: %v\n%s", err, out)
	}
	rc := filepath.Join(w.dir, "terraformrc")
	w.must(os.WriteFile(rc, []byte(fmt.Sprintf("disable_checkpoint = true\nprovider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", mirror)), 0o644))
	w.program.Env = append(w.program.Env, "TF_CLI_CONFIG_FILE="+rc)
}

// deviceTask is a task on a service whose provider gets its values from Consul and the
// environment; told is what the device says, gate what it waits for.
func (w *world) deviceTask(service string) (block, told, gate string) {
	w.t.Helper()
	told, gate = filepath.Join(w.dir, "told"), filepath.Join(w.dir, "gate")
	module := w.plainModule("device", fmt.Sprintf(`terraform {
  required_providers {
    device = { source = "example.com/test/device" }
  }
}
resource "device_rule" "x" {
  name = join(",", sort([for s in var.services : s.id]))
  file = %q
  gate = %q
}
`, told, gate))
	return fmt.Sprintf(`terraform_provider "device" {
  host     = "{{ env \"DEVICE_HOST\" }}"
  password = "{{ key \"%s\" }}"
  login {
    user  = "operator"
    token = "Bearer {{ key \"%[2]s\" }}!"
  }
  task_env {
    DEVICE_TOKEN = "{{ key \"%[2]s\" }}"
  }
}
`, w.key("password"), w.key("token")) + strings.Replace(moduleTask("fw", service, module), "{\n", "{\n  providers = [\"device\"]\n", 1), told, gate
}

// key is a key of Consul for this world alone.
func (w *world) key(name string) string { return "device/" + w.id + "/" + name }

// deviceSays is what the device tells of values that arrived.
func deviceSays(password, token string) string {
	return fmt.Sprintf("fw.example operator %x", sha256.Sum256([]byte(password+" Bearer "+token+"!")))
}

// argv lists the command lines of the daemon's descendants.
func (w *world) argv() (out []string) {
	w.t.Helper()
	family := map[int]bool{w.patchbay.PID(): true}
	// Children have not always higher numbers than their parents.
	for grew := true; grew; {
		grew = false
		entries, err := filepath.Glob("/proc/[0-9]*")
		w.must(err)
		for _, dir := range entries {
			pid, _ := strconv.Atoi(filepath.Base(dir))
			stat, err := os.ReadFile(filepath.Join(dir, "stat"))
			if err != nil || family[pid] {
				continue // it ended meanwhile
			}
			_, rest, _ := strings.Cut(string(stat), ") ")
			if fields := strings.Fields(rest); len(fields) > 1 {
				if parent, _ := strconv.Atoi(fields[1]); family[parent] {
					family[pid], grew = true, true
				}
			}
		}
	}
	for pid := range family {
		if line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil {
			out = append(out, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return out
}

// nowhere checks that no file of the daemon's directory, no answer of the API and
// no line of the log has a secret. While a run goes on, a file of its owner alone may.
func (w *world) nowhere(running bool, secret string) {
	w.t.Helper()
	w.must(filepath.WalkDir(w.program.Dir, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || err == nil && !entry.Type().IsRegular() {
			return nil
		}
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) || err == nil && running && info.Mode().Perm() == 0o600 {
			return nil
		}
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		w.holdsNo(path, string(text), secret)
		return err
	}))
	w.holdsNo("the log", w.patchbay.Output(), secret)
	for _, path := range []string{"/v1/state", "/v1/tasks", "/v1/tasks/fw", "/v1/tasks/fw/state", "/v1/tasks/fw/runs", "/v1/status/tasks?include=events", "/metrics"} {
		w.holdsNo(path, w.send("GET", path, "", 200).Body, secret)
	}
}

func TestArgumentsOfAProviderAreFreshForEachRunAndAreSeenNowhere(t *testing.T) {
	t.Parallel()
	base := newWorld(t)
	underBothNames(t, func(t *testing.T, as string, use func(w *world)) {
		w := base.beside(t, as)
		use(w)
		w.deviceProvider()
		w.program.Env = append(w.program.Env, "DEVICE_HOST=fw.example")
		service := "app-" + as
		w.serve(service, as+"-1")
		w.put(w.key("password"), "first-pass-word", w.key("token"), "first-to-ken")
		block, told, gate := w.deviceTask(service)
		w.start(strings.Replace(w.config(`backend "local" {}
  log = true
  required_providers {
    device = { source = "example.com/test/device" }
  }`, w.witness(), block), "log_level = \"DEBUG\"", "log_level = \"TRACE\"", 1))

		// While the apply waits, its processes are there to be looked at.
		w.reads(told+".begun", as+"-1")
		processes := strings.Join(w.argv(), "\n")
		wantText(t, processes, " apply ", "terraform-provider-device")
		for _, secret := range []string{"first-pass-word", "first-to-ken"} {
			w.holdsNo("a command line", processes, secret)
			w.nowhere(true, secret)
		}
		w.must(os.WriteFile(gate, []byte("open"), 0o644))
		w.reads(told, deviceSays("first-pass-word", "first-to-ken"))
		w.eventful("fw", "successful", 1)
		w.nowhere(false, "first-pass-word")
		w.nowhere(false, "first-to-ken")

		// A rotated value starts no run; the next one has it.
		w.put(w.key("password"), "second-pass-word", w.key("token"), "second-to-ken")
		w.ran("fw", 1)
		// A device that tells its secrets when it refuses is not repeated.
		w.must(os.WriteFile(gate, []byte("refuse"), 0o644))
		w.serve(service, as+"-2")
		failed := w.eventful("fw", "errored", 2)
		wantText(t, failed[0].Error.Message, "the device refused")
		for _, secret := range []string{"second-pass-word", "second-to-ken"} {
			w.nowhere(true, secret)
		}
		w.must(os.WriteFile(gate, []byte("open"), 0o644))
		w.reads(told, deviceSays("second-pass-word", "second-to-ken"))
		w.shows("/v1/status/tasks/fw", `"status":"successful"`)
		w.nowhere(false, "second-pass-word")
		w.nowhere(false, "second-to-ken")
	})
}
