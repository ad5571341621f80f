package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"patchbay/e2e/internal/rig"
)

// legacy makes a link to the binary under the name of Consul-Terraform-Sync, and
// Terraform lie where that looks for it: in the process's directory.
func (w *world) legacy() {
	w.t.Helper()
	link := filepath.Join(w.dir, "consul-terraform-sync")
	w.must(os.Symlink(w.program.Binary, link))
	w.program.Binary = link
	terraform, err := rig.Tool("terraform", "tofu")
	w.must(err)
	w.must(os.Symlink(terraform, filepath.Join(w.program.Dir, "terraform")))
}

func TestUnderTheOldNameTheProgramAnswersAsItsUsersKnowIt(t *testing.T) {
	t.Parallel()
	ports, err := rig.Ports(1)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args  []string
		code  int
		texts []string
	}{
		"version":                     {[]string{"-version"}, 0, []string{"consul-terraform-sync v0.9.0 (", ")\nCompatible with Terraform >= 0.13.0, <= 1.14.3\n"}},
		"help":                        {[]string{"--help"}, 0, []string{"Usage CLI: consul-terraform-sync <command> [-help] [options]", "Commands:"}},
		"help of start":               {[]string{"start", "-h"}, 0, []string{"Usage CLI: consul-terraform-sync start [-help] [options]", "Options:"}},
		"help of enable":              {[]string{"task", "enable", "-help"}, 0, []string{"Usage: consul-terraform-sync task enable [-help] [options] <task name>", "-auto-approve [Default: false]"}},
		"a group without command":     {[]string{"task"}, 1, []string{"Usage: consul-terraform-sync task"}},
		"no configuration":            {[]string{"start"}, 13, []string{"unable to start consul-terraform-sync", "no config file provided", "For additional help try 'consul-terraform-sync start --help'"}},
		"nothing at all":              {nil, 13, []string{"Usage CLI: consul-terraform-sync"}},
		"no task name":                {[]string{"task", "enable"}, 13, []string{"Error: this command requires one argument: [options] <task name>", "No arguments were passed to the command"}},
		"two task names":              {[]string{"task", "delete", "a", "b"}, 13, []string{"2 arguments were passed to the command: 'a, b'", "All flags are required to appear before positional arguments if set"}},
		"no task file":                {[]string{"task", "create"}, 13, []string{"Error: unable to create request", "no task file provided"}},
		"an unknown flag":             {[]string{"task", "disable", "-bogus", "a"}, 14, []string{"Error: unsupported arguments in flags"}},
		"a version after a command":   {[]string{"start", "-version"}, 14, []string{"Error: unsupported arguments in flags"}},
		"an unknown command":          {[]string{"frobnicate"}, 127, []string{"Usage CLI: consul-terraform-sync"}},
		"a command of the other name": {[]string{"status"}, 127, []string{"Usage CLI: consul-terraform-sync"}},
		"no daemon":                   {[]string{"task", "disable", fmt.Sprintf("-http-addr=http://127.0.0.1:%d", ports[0]), "a"}, 11, []string{"Error: unable to disable 'a'", "connection refused"}},
		"a scheme that is none":       {[]string{"task", "disable", "-http-addr=ftp://127.0.0.1", "a"}, 11, []string{"unknown protocol scheme: ftp"}},
		"half a client certificate":   {[]string{"task", "disable", "-client-cert=x.pem", "a"}, 11, []string{"both client cert and client key must be provided"}},
		"a file with a mistake":       {[]string{"start", "-config-file=bad.hcl"}, 15, []string{"[ERROR] cli: error building configuration", "'bad.hcl' has invalid keys: tusk"}},
		"a file that is not there":    {[]string{"start", "-config-file=none.hcl"}, 15, []string{"none.hcl"}},
		"a directory without files":   {[]string{"start", "-config-dir=empty"}, 15, []string{"no configuration files found"}},
		"a task that is not there":    {[]string{"start", "-config-file=good.hcl", "-inspect-task=nobody"}, 15, []string{"task not found: nobody"}},
		"the form without a command":  {[]string{"-config-file=bad.hcl"}, 15, []string{"Usage of consul-terraform-sync without a subcommand is deprecated"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := emptyWorld(t)
			w.must(os.MkdirAll(filepath.Join(w.program.Dir, "empty"), 0o755))
			w.legacy()
			w.file("bad.hcl", "tusk {}\n")
			w.file("good.hcl", fmt.Sprintf("consul {\n  address = \"127.0.0.1:%d\"\n}\n", ports[0]))
			w.says(c.code, "", c.args, c.texts...)
		})
	}
}

func TestUnderTheOldNameTheTasksAreRunAsBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.legacy()
	w.serve("web", "web-1")
	w.serve("api", "api-1")
	ports, err := rig.Ports(1)
	w.must(err)
	w.start(fmt.Sprintf(quickStart, ports[0], w.consul.Addr, w.plainModule("print", addresses)))
	w.reads(w.taskDir("learn-cts-example", "web.txt"), "hello 127.0.0.1")
	w.phase("learn-cts-example", "applied")
	wantText(t, w.patchbay.Output(), "[INFO]  cli: v0.9.0 (")

	task := "learn-cts-example"
	at := fmt.Sprintf("-http-addr=http://127.0.0.1:%d", ports[0])
	w.says(0, "", []string{"task", "disable", at, task}, "'learn-cts-example' disable complete!")
	w.serve("web", "web-2")
	w.says(0, "\n", []string{"task", "enable", at, task}, "Generating plan that Consul-Terraform-Sync will use Terraform to execute",
		"Cancelled enabling task 'learn-cts-example'")
	w.reads(w.taskDir(task, "web.txt"), "hello 127.0.0.1")
	w.says(0, "yes\n", []string{"task", "enable", at, task}, "'learn-cts-example' enable complete!")
	w.reads(w.taskDir(task, "web.txt"), "hello 127.0.0.1,127.0.0.1")
	w.says(0, "yes\n", []string{"task", "delete", at, task}, "Task 'learn-cts-example' has been marked for deletion and will be deleted when not running.")
	w.noTask(task)
	w.reads(w.taskDir(task, "web.txt"), "hello 127.0.0.1,127.0.0.1")

	w.end(syscall.SIGTERM)
	wantText(t, w.patchbay.Output(), "signal received to initiate graceful shutdown", "cli: graceful shutdown\n")
}

func TestUnderTheOldNameATaskIsCreated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.legacy()
	w.serve("api", "api-1")
	ports, err := rig.Ports(1)
	w.must(err)
	w.start(fmt.Sprintf("port = %d\nconsul {\n  address = %q\n}\n", ports[0], w.consul.Addr))
	made := filepath.Join(w.dir, "made.txt")
	at := fmt.Sprintf("-http-addr=http://127.0.0.1:%d", ports[0])
	w.says(0, "yes\n", []string{"task", "create", at, "-task-file=" + w.file("task.hcl", w.filesTask("made", "api", made))},
		"Generating plan that Consul-Terraform-Sync will use Terraform to execute", "Request Payload:", "Task 'made' created")
	w.reads(made, "api-1")
	w.says(0, "", []string{"task", "disable", at, "made"}, "'made' disable complete!")
	w.says(0, "yes\n", []string{"task", "enable", at, "made"}, "'made' enable complete!")
	w.says(0, "yes\n", []string{"task", "delete", at, "made"}, "Task 'made' has been marked for deletion and will be deleted when not running.")
	w.noTask("made")
	w.reads(made, "api-1")
}

func TestUnderTheOldNameEveryTaskIsRunOnceOrInspected(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.legacy()
	w.serve("web", "web-1")
	made := filepath.Join(w.dir, "made.txt")
	file := w.file("cts.hcl", w.config(local, w.filesTask("web", "web", made),
		w.filesTask("off", "web", filepath.Join(w.dir, "off.txt"), "  enabled = false")))

	w.says(0, "", []string{"start", "-config-file", file, "-inspect"}, "inspection results", "task_name=web", "local_file.ids",
		"Task is disabled, inspection was skipped.", "all tasks inspected", "graceful shutdown")
	w.missing(made)
	w.says(0, "", []string{"start", "-config-file", file, "-once"}, "all tasks completed once", "graceful shutdown")
	w.reads(made, "web-1")
}

func TestUnderTheOldNameAFailedFirstPassEndsTheProgram(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{"as a daemon": nil, "once": {"-once"}, "when it inspects": {"-inspect"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.legacy()
			module := w.module("failing", "resource \"terraform_data\" \"x\" {\n  input = var.nowhere\n}\n")
			file := w.file("cts.hcl", w.config(local, strings.ReplaceAll(`task {
  name   = "web"
  module = "MODULE"
  condition "services" {
    names = ["web"]
  }
}
`, "MODULE", module)))
			w.says(11, "", append([]string{"start", "-config-file", file}, args...), "nowhere")
		})
	}
}

func TestUnderTheOldNameTheServiceIsThatOfConsulTerraformSync(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.legacy()
	w.start(w.config(local))
	w.must(w.patchbay.AwaitLog(t.Context(), "Consul-Terraform-Sync registered as a service with Consul", limit))
	service, _, err := w.consul.Client.Agent().Service("patchbay-under-test", nil)
	w.must(err)
	if service.Service != "consul-terraform-sync" {
		t.Errorf("the service is %q", service.Service)
	}
	checks, err := w.consul.Client.Agent().Checks()
	w.must(err)
	if c := checks["patchbay-under-test-health"]; c == nil || c.Name != "CTS Health Status" || c.Notes != "Check created by Consul-Terraform-Sync" {
		t.Errorf("the check is %+v", c)
	}
}
