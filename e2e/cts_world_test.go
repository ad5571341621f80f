package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"patchbay/e2e/internal/rig"

	"github.com/hashicorp/consul/api"
)

// put sets keys of Consul; pairs alternate key and value.
func (w *world) put(pairs ...string) {
	w.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		_, err := w.consul.Client.KV().Put(&api.KVPair{Key: pairs[i], Value: []byte(pairs[i+1])}, nil)
		w.must(err)
	}
}

// plainModule writes a module that declares the variables of some kinds as modules
// written for Consul-Terraform-Sync do, and gives its path.
func (w *world) plainModule(name, text string, kinds ...string) string {
	w.t.Helper()
	declared := map[string]string{
		"services": `map(object({
    id = string, name = string, kind = string, address = string, port = number, meta = map(string), tags = list(string)
    namespace = string, status = string, node = string, node_id = string, node_address = string, node_datacenter = string
    node_tagged_addresses = map(string), node_meta = map(string), cts_user_defined_meta = map(string)
  }))`,
		"consul_kv":        "map(string)",
		"catalog_services": "map(list(string))",
		"nodes":            "map(any)",
	}
	var b strings.Builder
	for _, kind := range append([]string{"services"}, kinds...) {
		fmt.Fprintf(&b, "variable %q {\n  type = %s\n}\n\n", kind, declared[kind])
	}
	dir := filepath.Join(w.dir, "modules", name)
	w.must(os.MkdirAll(dir, 0o755))
	w.must(os.WriteFile(filepath.Join(dir, "main.tf"), []byte(b.String()+text), 0o644))
	return dir
}

// noteModule is a module that writes an expression as JSON to a file, without any
// provider from elsewhere; it gives the module's path and the file's.
func (w *world) noteModule(name, expression string, kinds ...string) (module, file string) {
	w.t.Helper()
	file = filepath.Join(w.dir, name+".json")
	module = w.plainModule(name, fmt.Sprintf(`resource "terraform_data" "note" {
  triggers_replace = jsonencode(%s)
  provisioner "local-exec" {
    command     = "printf '%%s' \"$NOTE\" > \"$FILE.new\" && mv \"$FILE.new\" \"$FILE\""
    environment = { NOTE = jsonencode(%s), FILE = %s }
  }
}
`, expression, expression, rig.HCLString(file)), kinds...)
	return module, file
}

// reads waits until a file has exactly a text.
func (w *world) reads(file, want string) {
	w.t.Helper()
	w.must(rig.Until(w.t.Context(), limit, func() error {
		if w.patchbay != nil && w.patchbay.Exited() {
			return rig.Final(errors.New("the daemon exited"))
		}
		got, err := os.ReadFile(file)
		if err == nil && string(got) != want {
			err = fmt.Errorf("%s has %q, want %q", filepath.Base(file), got, want)
		}
		return err
	}))
}

// missing fails when a file is there.
func (w *world) missing(file string) {
	w.t.Helper()
	if _, err := os.Lstat(file); !errors.Is(err, os.ErrNotExist) {
		w.t.Errorf("%s: %v, want that it is not there", file, err)
	}
}

// taskDir is a path below a task's directory.
func (w *world) taskDir(task string, more ...string) string {
	return filepath.Join(append([]string{w.program.Dir, "sync-tasks", task}, more...)...)
}

// begins fails when a file does not begin with a text.
func (w *world) begins(file, want string) {
	w.t.Helper()
	got, err := os.ReadFile(file)
	if err == nil && !strings.HasPrefix(string(got), want) {
		err = fmt.Errorf("%s begins with %q, want %q", file, got[:min(len(got), len(want))], want)
	}
	w.check(err)
}

// send sends a request to the API and fails on another status than wanted.
func (w *world) send(method, path, body string, want int) rig.Answer {
	w.t.Helper()
	a, err := w.patchbay.Send(method, path, body)
	w.must(err)
	if a.Status != want {
		w.t.Fatalf("%s %s answered %d, want %d:\n%s", method, path, a.Status, want, a.Body)
	}
	return a
}

// shows waits until a path of the API answers with a text.
func (w *world) shows(path, text string) {
	w.t.Helper()
	w.must(rig.Until(w.t.Context(), limit, func() error {
		a, err := w.patchbay.Send("GET", path, "")
		if err == nil && !strings.Contains(a.Body, text) {
			err = fmt.Errorf("%s answers without %q: %s", path, text, a.Body)
		}
		return err
	}))
}

// file writes a file beside the configuration and gives its path.
func (w *world) file(name, text string) string {
	w.t.Helper()
	path := filepath.Join(w.program.Dir, name)
	w.must(os.WriteFile(path, []byte(text), 0o644))
	return path
}

// says runs a command with what a person types and checks its exit code and that
// its output has some texts.
func (w *world) says(code int, input string, args []string, texts ...string) {
	w.t.Helper()
	out, got := w.typed(input, args...)
	if got != code {
		w.t.Fatalf("%v: exit code %d, want %d\n%s", args, got, code, out)
	}
	wantText(w.t, out, texts...)
}

// filesModule writes the names of a service's instances to a file.
const filesModule = `variable "file" {
  type = string
}

variable "note" {
  type    = string
  default = ""
}

resource "local_file" "ids" {
  content  = join(",", concat(sort([for s in var.services : s.id]), compact([var.note])))
  filename = var.file
}
`

// filesTask is a task that writes the names of a service's instances to a file of
// the local provider below dir; destroying the task removes it.
func (w *world) filesTask(name, service, file string, more ...string) string {
	w.t.Helper()
	module := w.plainModule("files", filesModule)
	return fmt.Sprintf("task {\n  name = %q\n  module = %q\n  condition \"services\" {\n    names = [%q]\n  }\n  variables = {\n    file = %s\n  }\n%s\n}\n",
		name, module, service, rig.HCLString(rig.HCLString(file)), strings.Join(more, "\n"))
}
