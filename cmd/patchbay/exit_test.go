package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// row is one call of the program for the table of exit codes.
type row struct {
	args  []string
	stdin string
	// env is added to the environment.
	env []string
	// own and legacy are the exit codes under both names; none: it does not apply.
	own, legacy int
	// out and err are parts of standard output and error under either name, both
	// of which may be given for one name only, behind the name and a colon.
	out, err []string
	// signal is sent once standard error has its text.
	signal string
}

const none = -1

// place is a directory with the files that the rows name.
func place(t *testing.T, consul string, port int) string {
	t.Helper()
	dir := t.TempDir()
	const terraform = "#!/bin/sh\ncase \"$*\" in\n\"version -json\") echo '{\"terraform_version\":\"VERSION\"}';;\nversion) echo 'Terraform vVERSION';;\n*) echo 'the device is on fire' >&2; exit 1;;\nesac\n"
	driver := func(name string) string { return fmt.Sprintf("driver \"terraform\" {\n  path = %q\n}\n", name) }
	files := map[string]string{
		"m/main.tf": "variable \"services\" {}\n",
		"good.hcl": fmt.Sprintf("port = 0\nconsul {\n  address = %q\n  service_registration {\n    enabled = false\n  }\n}\n", consul) +
			"task {\n  name   = \"web\"\n  module = \"./m\"\n  condition \"services\" {\n    names = [\"web\"]\n  }\n}\n",
		"taken.hcl":                fmt.Sprintf("port = %d\n", port),
		"away.hcl":                 "consul {\n  address = \"127.0.0.1:1\"\n}\n",
		"bad.hcl":                  "colour = \"red\"\n",
		"works.hcl":                driver("works"),
		"old.hcl":                  driver("old"),
		"vax.hcl":                  driver("vax"),
		"absent.hcl":               driver("absent"),
		"task.hcl":                 "task {\n  name   = \"web\"\n  module = \"m\"\n}\n",
		"two.hcl":                  "task {\n  name   = \"a\"\n  module = \"m\"\n}\ntask {\n  name   = \"b\"\n  module = \"m\"\n}\n",
		"api/PATCH_tasks_web.json": "{\"inspect\":{\"changes_present\":true,\"plan\":\"Plan: 1 to add.\\n\"}}\n---\n{}\n",
		"works/terraform":          strings.ReplaceAll(terraform, "VERSION", "1.9.8"),
		"old/terraform":            strings.ReplaceAll(terraform, "VERSION", "1.4.7"),
		"vax/terraform":            "\x7fELF of a VAX",
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// rows are those of the contract's table of exit codes, each at the text of its
// cell, with the ways to get there.
var rows = map[string]row{
	"0: done":            {args: []string{"task", "enable", "-auto-approve", "web"}, out: []string{"'web' enable complete!"}},
	"0: prompt declined": {args: []string{"task", "enable", "web"}, stdin: "no\n", out: []string{"Cancelled enabling task 'web'"}},
	"0: graceful stop within 10 s": {args: []string{"start", "-client-type=development", "-config-file=good.hcl"}, signal: "api listened",
		err: []string{"legacy:cli: signal received to initiate graceful shutdown", "legacy:cli: graceful shutdown\n"}},
	"0: help":               {args: []string{"task", "delete", "-h"}, out: []string{"task delete"}},
	"0: version":            {args: []string{"-version"}, out: []string{"\nCompatible with "}},
	"0: every task ran":     {args: []string{"start", "-client-type=development", "-config-file=good.hcl", "-once"}, err: []string{"legacy:ctrl: all tasks completed once", "legacy:cli: graceful shutdown\n"}},
	"0: every task planned": {args: []string{"start", "-client-type=development", "-config-file=good.hcl", "-inspect"}, err: []string{`legacy:inspection results: task_name=web plan=""`, "legacy:ctrl: all tasks inspected"}},

	"1: task without subcommand (usage on stderr)": {args: []string{"task"}, own: 1, legacy: 1, err: []string{"Usage:"}},

	"11: API error":       {args: []string{"task", "disable", "nobody"}, own: 11, legacy: 11, err: []string{"==> Error: unable to disable 'nobody'"}},
	"11: bad address":     {args: []string{"task", "disable", "-http-addr=ftp://x", "web"}, own: 11, legacy: 11, err: []string{"==> Error: unable to create client"}},
	"11: bad certificate": {args: []string{"task", "disable", "-client-cert=c.pem", "web"}, own: 11, legacy: 11, err: []string{"==> Error: unable to create client"}},
	"11: bad task file":   {args: []string{"task", "create", "-task-file=two.hcl"}, own: 11, legacy: 11, err: []string{"==> Error: unable to create request"}},
	"11: end of input":    {args: []string{"task", "delete", "web"}, own: 11, legacy: 11, err: []string{"Error asking for approval: EOF"}},
	"11: first pass failed, daemon": {args: []string{"start", "-config-file=good.hcl", "-config-file=works.hcl"}, own: none, legacy: 11,
		err: []string{"the device is on fire", "error running controller"}},
	"11: first pass failed, once": {args: []string{"start", "-config-file=good.hcl", "-config-file=works.hcl", "-once"}, own: 11, legacy: 11,
		err: []string{"the device is on fire"}},
	"11: first pass failed, inspect": {args: []string{"start", "-config-file=good.hcl", "-config-file=works.hcl", "-inspect"}, own: 11, legacy: 11,
		err: []string{"legacy:the device is on fire"}},
	"11: port in use": {args: []string{"start", "-config-file=good.hcl", "-config-file=works.hcl", "-config-file=taken.hcl"}, own: 11, legacy: 11,
		err: []string{"address already in use"}},
	"11: unexpected shutdown": {args: []string{"start", "-config-file=good.hcl"}, own: none, legacy: 11, env: []string{"REAL="}, err: []string{"cli: unexpected shutdown"}},

	"12: signal received, stop took more than 10 s": {args: []string{"start", "-config-file=good.hcl"}, own: 12, legacy: 12, env: []string{"REAL=", "SIGNALS=xxx", "DAEMON=killed"},
		err: []string{"legacy:cli: graceful shutdown timed out, exiting"}},

	"13: no config flag":            {args: []string{"start"}, own: 13, legacy: 13, err: []string{"unable to start"}},
	"13: no config flag, bare form": {args: []string{"-once"}, own: 13, legacy: 13, err: []string{"without a subcommand is deprecated"}},
	"13: no -task-file":             {args: []string{"task", "create"}, own: 13, legacy: 13, err: []string{"==> Error: unable to create request"}},
	"13: no task name":              {args: []string{"task", "enable"}, own: 13, legacy: 13, err: []string{"this command requires one argument: [options] <task name>"}},
	"13: two task names":            {args: []string{"task", "enable", "a", "b"}, own: 13, legacy: 13, err: []string{"this command requires one argument: [options] <task name>"}},

	"14: unknown flag":    {args: []string{"task", "enable", "-bogus", "web"}, own: 14, legacy: 14, err: []string{"Error: unsupported arguments in flags"}},
	"14: unparsable flag": {args: []string{"task", "enable", "-port=many", "web"}, own: 14, legacy: 14, err: []string{"Error: unsupported arguments in flags"}},

	"15: configuration unreadable":     {args: []string{"start", "-config-file=nowhere.hcl"}, own: 15, legacy: 15, err: []string{"nowhere.hcl"}},
	"15: configuration invalid":        {args: []string{"start", "-config-file=bad.hcl"}, own: 15, legacy: 15, err: []string{"'bad.hcl' has invalid keys: colour"}},
	"15: -inspect-task names no task":  {args: []string{"start", "-config-file=good.hcl", "-inspect-task=nobody"}, own: 15, legacy: 15, err: []string{"task not found: nobody"}},
	"15: Consul unreachable at start":  {args: []string{"start", "-config-file=good.hcl", "-config-file=away.hcl"}, own: none, legacy: 15, err: []string{"connection refused"}},
	"15: Consul unreachable with once": {args: []string{"start", "-config-file=good.hcl", "-config-file=away.hcl", "-once"}, own: none, legacy: 15, err: []string{"connection refused"}},

	"15: Consul unreachable, own name": {args: []string{"start", "-config-file=good.hcl", "-once"}, own: 15, legacy: 15, env: []string{"REAL=", "DAEMON=consul"},
		err: []string{"consul is not to be reached"}},

	"16: Terraform not installable in the process's directory": {args: []string{"start", "-config-file=good.hcl"}, own: none, legacy: 16, err: []string{"let this host reach https://releases.hashicorp.com"}},
	"16: Terraform not installable":                            {args: []string{"start", "-config-file=good.hcl", "-config-file=absent.hcl"}, own: 16, legacy: 16, err: []string{"let this host reach https://releases.hashicorp.com", "put an executable terraform for"}},
	"16: unsupported version":                                  {args: []string{"start", "-config-file=good.hcl", "-config-file=old.hcl"}, own: 16, legacy: 16, err: []string{"it is too old"}},
	"16: wrong architecture":                                   {args: []string{"start", "-config-file=good.hcl", "-config-file=vax.hcl"}, own: 16, legacy: 16, err: []string{"exec format error", "is it built for"}},
	"127: unknown command":                                     {args: []string{"frobnicate"}, own: 127, legacy: 127, err: []string{"Usage"}},
	"127: unknown command on tasks":                            {args: []string{"task", "frobnicate"}, own: 127, legacy: 127, err: []string{"Usage:"}},
	"127: no command of the old name":                          {args: []string{"status"}, own: none, legacy: 127, err: []string{"Usage CLI: consul-terraform-sync"}},
}

func TestEveryRowOfTheTableOfExitCodes(t *testing.T) {
	consul := newConsul(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, r := range rows {
		for program, code := range map[string]int{ownName: r.own, legacyName: r.legacy} {
			if code == none {
				continue
			}
			t.Run(name+", "+program, func(t *testing.T) {
				dir := place(t, consul, taken.Addr().(*net.TCPAddr).Port)
				api := httptest.NewServer(&fakeAPI{dir: dir, asked: map[string]int{}})
				defer api.Close()
				got, stdout, stderr := call(t, r, program, dir, api.URL)
				if got != code {
					t.Errorf("exit code is %d, want %d", got, code)
				}
				holds(t, "standard output", program, stdout, r.out)
				holds(t, "standard error", program, stderr, r.err)
				if t.Failed() {
					t.Logf("standard output:\n%s\nstandard error:\n%s", stdout, stderr)
				}
			})
		}
	}
}

// holds wants every text in out.
func holds(t *testing.T, what, program, out string, texts []string) {
	t.Helper()
	for _, text := range texts {
		if only, ok := strings.CutPrefix(text, "legacy:"); ok {
			if program != legacyName {
				continue
			}
			text = only
		}
		if !strings.Contains(out, text) {
			t.Errorf("%s lacks %q", what, text)
		}
	}
}

// call runs the program in dir.
func call(t *testing.T, r row, program, dir, api string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, r.args...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(r.stdin)
	cmd.Env = append(os.Environ(), "REAL=1", "GORACE=atexit_sleep_ms=0", "NOW=2026-11-21T14:10:00Z", "CTS_ADDRESS="+api,
		// Nothing leaves this host, and a proxy that is not there tells at once.
		"HTTPS_PROXY=http://127.0.0.1:1", "NO_PROXY=")
	cmd.Env = append(cmd.Env, r.env...)
	var out bytes.Buffer
	errs := &watched{text: r.signal, seen: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &out, errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- errs.then(ctx, r.signal != "", func() error { return cmd.Process.Signal(syscall.SIGTERM) })
	}()
	err := cmd.Wait()
	cancel()
	if serr := <-done; serr != nil {
		t.Error(serr)
	}
	if err != nil {
		e, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			t.Fatal(err)
		}
		code = e.ExitCode()
	}
	return code, out.String(), errs.b.String()
}

// watched collects text and tells when it has seen one.
type watched struct {
	b    strings.Builder
	text string
	seen chan struct{}
	told bool
}

func (w *watched) Write(p []byte) (int, error) {
	n, err := w.b.Write(p)
	if !w.told && w.text != "" && strings.Contains(w.b.String(), w.text) {
		w.told = true
		close(w.seen)
	}
	return n, err
}

// then does something once the text was seen, if it is waited for.
func (w *watched) then(ctx context.Context, wait bool, do func() error) error {
	if !wait {
		return nil
	}
	select {
	case <-w.seen:
		return do()
	case <-ctx.Done():
		return fmt.Errorf("the program ended before it said %q", w.text)
	}
}
