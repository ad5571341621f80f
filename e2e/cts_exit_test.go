package e2e

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"patchbay/e2e/internal/rig"
)

// names are those that the binary answers to, and what makes a world use them.
var names = map[string]func(w *world){"patchbay": func(*world) {}, "consul-terraform-sync": (*world).legacy}

// underBothNames runs a part of a test for each name of the binary.
func underBothNames(t *testing.T, part func(t *testing.T, name string, use func(w *world))) {
	t.Helper()
	for name, use := range names {
		t.Run("as "+name, func(t *testing.T) {
			t.Parallel()
			part(t, name, use)
		})
	}
}

func TestEveryExitCodeOfACallIsThatOfTheContract(t *testing.T) {
	t.Parallel()
	ports, err := rig.Ports(1)
	if err != nil {
		t.Fatal(err)
	}
	nobody := fmt.Sprintf("-http-addr=http://127.0.0.1:%d", ports[0])
	for row, c := range map[string]struct {
		code int
		args []string
		text string
	}{
		"0, help":                         {0, []string{"start", "-help"}, "-config-file"},
		"0, version":                      {0, []string{"-version"}, "Compatible with Terraform >= "},
		"1, task without subcommand":      {1, []string{"task"}, "create"},
		"11, API error":                   {11, []string{"task", "disable", nobody, "web"}, "connection refused"},
		"11, bad address":                 {11, []string{"task", "disable", "-http-addr=ftp://127.0.0.1", "web"}, "unknown protocol scheme: ftp"},
		"11, bad certificate":             {11, []string{"task", "disable", "-ca-cert=none.pem", "web"}, "none.pem"},
		"11, half a certificate":          {11, []string{"task", "disable", "-client-key=k.pem", "web"}, "both client cert and client key must be provided"},
		"11, bad task file":               {11, []string{"task", "create", nobody, "-task-file=none.hcl"}, "unable to read task file"},
		"11, task file of two tasks":      {11, []string{"task", "create", nobody, "-task-file=two.hcl"}, "cannot contain more than 1 task, contains 2 tasks"},
		"11, task file without task":      {11, []string{"task", "create", nobody, "-task-file=empty.hcl"}, "does not contain a task"},
		"11, end of input":                {11, []string{"task", "delete", nobody, "web"}, "Error asking for approval: EOF"},
		"13, no config flag":              {13, []string{"start"}, "no config file provided"},
		"13, no task file":                {13, []string{"task", "create"}, "no task file provided"},
		"13, no task name":                {13, []string{"task", "enable"}, "No arguments were passed to the command"},
		"13, two task names":              {13, []string{"task", "delete", "a", "b"}, "2 arguments were passed to the command: 'a, b'"},
		"14, unknown flag":                {14, []string{"task", "enable", "-bogus", "a"}, "unsupported arguments in flags"},
		"14, unparsable flag":             {14, []string{"start", "-once=perhaps"}, "unsupported arguments in flags"},
		"15, configuration unreadable":    {15, []string{"start", "-config-file=none.hcl"}, "none.hcl"},
		"15, configuration invalid":       {15, []string{"start", "-config-file=bad.hcl"}, "'bad.hcl' has invalid keys: tusk"},
		"15, -inspect-task names no task": {15, []string{"start", "-config-file=good.hcl", "-inspect-task=nobody"}, "task not found: nobody"},
		"15, Consul unreachable at start": {15, []string{"start", "-config-file=good.hcl", "-once"}, "connection refused"},
		"127, unknown command":            {127, []string{"frobnicate"}, "start"},
		"127, unknown command of task":    {127, []string{"task", "frobnicate"}, "create"},
	} {
		t.Run(row, func(t *testing.T) {
			t.Parallel()
			underBothNames(t, func(t *testing.T, _ string, use func(w *world)) {
				w := emptyWorld(t)
				use(w)
				w.file("bad.hcl", "tusk {}\n")
				w.file("empty.hcl", "log_level = \"INFO\"\n")
				w.file("two.hcl", strings.Repeat("task {\n  name = \"a\"\n  module = \"./m\"\n}\n", 2))
				w.file("good.hcl", fmt.Sprintf("consul {\n  address = \"127.0.0.1:%d\"\n}\n", ports[0]))
				w.says(c.code, "", c.args, c.text)
			})
		})
	}
}

func TestAStopBySignalEndsWithCode0(t *testing.T) {
	t.Parallel()
	base := newWorld(t)
	for name, signal := range map[string]syscall.Signal{"SIGINT": syscall.SIGINT, "SIGTERM": syscall.SIGTERM, "SIGQUIT": syscall.SIGQUIT} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			underBothNames(t, func(t *testing.T, as string, use func(w *world)) {
				w := base.beside(t, as+"-"+name)
				use(w)
				w.start(w.config(local))
				w.patchbay.Signal(signal)
				code, err := w.patchbay.Wait(limit)
				w.must(err)
				if code != 0 {
					t.Errorf("exit code %d, want 0", code)
				}
				if as == "consul-terraform-sync" {
					wantText(t, w.patchbay.Output(), "signal received to initiate graceful shutdown", "cli: graceful shutdown\n")
				}
			})
		})
	}
}

func TestAPortInUseEndsTheDaemonWithCode11(t *testing.T) {
	t.Parallel()
	base := newWorld(t)
	taken, err := net.Listen("tcp", ":0")
	base.must(err)
	t.Cleanup(func() { base.check(taken.Close()) })
	_, port, err := net.SplitHostPort(taken.Addr().String())
	base.must(err)
	underBothNames(t, func(t *testing.T, as string, use func(w *world)) {
		w := base.beside(t, as)
		use(w)
		// Of the own name the address is loopback; it is taken with all others.
		file := w.file("cts.hcl", strings.Replace(w.config(local), "port      = 0", "port      = "+port, 1))
		w.says(11, "", []string{"start", "-config-file", file}, "address already in use")
	})
}

func TestAFailedFirstPassIsCode11(t *testing.T) {
	t.Parallel()
	base := newWorld(t)
	underBothNames(t, func(t *testing.T, as string, use func(w *world)) {
		w := base.beside(t, as)
		use(w)
		failing := w.module("failing", "resource \"terraform_data\" \"x\" {\n  provisioner \"local-exec\" {\n    command = \"exit 7\"\n  }\n}\n")
		file := w.file("cts.hcl", w.config(local, moduleTask("web", "web", failing)))
		w.says(11, "", []string{"start", "-config-file", file, "-once"}, "exit status 7")
	})
}

// stubborn puts a terraform before the real one whose apply begins, takes no
// notice of interrupts and goes on until the test's end.
func (w *world) stubborn(dir string) (begun string) {
	w.t.Helper()
	begun = filepath.Join(w.dir, "apply.begun")
	over := filepath.Join(w.dir, "over")
	w.t.Cleanup(func() { w.check(os.WriteFile(over, nil, 0o644)) })
	terraform, err := rig.Tool("terraform", "tofu")
	w.must(err)
	w.must(os.MkdirAll(dir, 0o755))
	file := filepath.Join(dir, "terraform")
	if err := os.Remove(file); !errors.Is(err, os.ErrNotExist) {
		w.must(err)
	}
	w.must(os.WriteFile(file, []byte(fmt.Sprintf(`#!/bin/sh
case " $* " in *" apply "*)
	trap '' INT TERM
	echo step >> %[2]s
	while ! test -e %[3]s; do sleep 0.2; done
	exit 1;;
esac
exec %[1]s "$@"
`, terraform, begun, over)), 0o755))
	return begun
}

func TestAStopThatTakesTooLongEndsWithCode12(t *testing.T) {
	t.Parallel()
	base := newWorld(t)
	base.serve("web", "web-1")
	underBothNames(t, func(t *testing.T, as string, use func(w *world)) {
		w := base.beside(t, as)
		use(w)
		begun := w.stubborn(filepath.Join(w.program.Dir, "stubborn"))
		module, _ := w.noteModule("ids", "keys(var.services)")
		w.start(strings.Replace(w.config(local, moduleTask("ids", "web", module)), "driver \"terraform\" {", "driver \"terraform\" {\n  path = \"stubborn\"", 1))
		w.begin(begun, 1)
		w.patchbay.Signal(syscall.SIGTERM)
		if as == "patchbay" {
			// Its stop has no end but the one that a person gives it: the third signal.
			w.must(w.patchbay.AwaitLog(t.Context(), "stop was asked for", limit))
			for !w.patchbay.Exited() {
				w.patchbay.Signal(syscall.SIGTERM)
				_, _ = w.patchbay.Wait(pause)
			}
		}
		code, err := w.patchbay.Wait(limit)
		w.must(err)
		if code != 12 {
			t.Errorf("exit code %d, want 12", code)
		}
		if as == "consul-terraform-sync" {
			wantText(t, w.patchbay.Output(), "graceful shutdown timed out, exiting")
		}
	})
}

func TestATerraformThatCannotBeUsedIsCode16(t *testing.T) {
	t.Parallel()
	base := newWorld(t)
	// The header of an executable for an IBM mainframe.
	foreign := "\x7fELF\x02\x02\x01" + strings.Repeat("\x00", 9) + "\x00\x02\x00\x16\x00\x00\x00\x01" + strings.Repeat("\x00", 200)
	for why, text := range map[string]string{
		"unsupported version": "#!/bin/sh\ncase \"$*\" in *json*) echo '{\"terraform_version\":\"0.12.31\"}';; *) echo 'Terraform v0.12.31';; esac\n",
		"wrong architecture":  foreign,
		"no Terraform at all": "#!/bin/sh\necho 'good morning'\n",
		"one that fails":      "#!/bin/sh\necho 'Terraform v1.11.4'\nexit 3\n",
	} {
		t.Run(why, func(t *testing.T) {
			t.Parallel()
			underBothNames(t, func(t *testing.T, as string, use func(w *world)) {
				w := base.beside(t, as)
				use(w)
				dir := filepath.Join(w.program.Dir, "bin")
				w.must(os.MkdirAll(dir, 0o755))
				w.must(os.WriteFile(filepath.Join(dir, "terraform"), []byte(text), 0o755))
				file := w.file("cts.hcl", strings.Replace(w.config(local), "driver \"terraform\" {", "driver \"terraform\" {\n  path = \"bin\"", 1))
				for _, mode := range []string{"-once", "-once=false"} {
					w.says(16, "", []string{"start", "-config-file", file, mode}, filepath.Join("bin", "terraform"))
				}
			})
		})
	}
}
