package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"patchbay/agent"
	"patchbay/agent/config"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite the wanted output in testdata")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"patchbay": func() { os.Exit(fakeRun()) }, "consul-terraform-sync": func() { os.Exit(fakeRun()) },
	})
}

// TestScripts drives the program as a user does: see testdata. A script gets a
// fake agent whose answers are its files under api (see [fakeAPI]), and a fake
// daemon that the environment steers (see [fakeDaemon]).
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			server := httptest.NewServer(&fakeAPI{dir: env.WorkDir, asked: map[string]int{}})
			env.Defer(server.Close)
			secure := httptest.NewUnstartedServer(server.Config.Handler)
			secure.Config.ErrorLog = log.New(io.Discard, "", 0)
			secure.StartTLS()
			env.Defer(secure.Close)
			env.Setenv("TLS_SERVER", strings.TrimPrefix(secure.URL, "https://"))
			env.Setenv("PATCHBAY_ADDRESS", server.URL)
			env.Setenv("SERVER", strings.TrimPrefix(server.URL, "http://"))
			env.Setenv("PORT", server.URL[strings.LastIndex(server.URL, ":")+1:])
			env.Setenv("NOW", "2026-11-21T14:10:00Z")
			env.Setenv("TZ", "UTC")
			// A program built with -race would sleep 1 s at each exit.
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits("patchbay"), "cts": exits("consul-terraform-sync")},
	})
}

// exits runs the program under a name and wants an exit code: exits 3 status -check.
func exits(program string) func(ts *testscript.TestScript, neg bool, args []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) == 0 {
			ts.Fatalf("usage: exits code [argument...]")
		}
		want, err := strconv.Atoi(args[0])
		ts.Check(err)
		code := 0
		if err := ts.Exec(program, args[1:]...); err != nil {
			e, ok := errors.AsType[*exec.ExitError](err)
			if !ok {
				ts.Fatalf("run %s: %v", program, err)
			}
			code = e.ExitCode()
		}
		if code != want {
			ts.Fatalf("exit code is %d, want %d", code, want)
		}
	}
}

// fakeAPI answers GET /v1/tasks/web/runs with api/tasks_web_runs.json and a POST
// with api/POST_tasks_web_run.json. A file may have several answers, divided by
// lines of ---, for the first, second and every later request; an answer may
// start with a line HTTP 409. Requests that change something are kept in the file
// requests.
type fakeAPI struct {
	dir string

	mu    sync.Mutex
	asked map[string]int
}

func (f *fakeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	name := strings.ReplaceAll(strings.TrimPrefix(r.URL.Path, "/v1/"), "/", "_") + ".json"
	if r.Method != http.MethodGet {
		name = r.Method + "_" + name
		if err := f.keep(r); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	content, err := os.ReadFile(filepath.Join(f.dir, "api", name))
	if err != nil {
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprintf(w, `{"error":{"message":"a task with name '%s' does not exist or has not been initialized yet"},"request_id":"7f"}`,
			strings.Split(r.URL.Path, "/")[3])
		return
	}
	answers := strings.Split(string(content), "---\n")
	answer := answers[min(f.asked[name], len(answers)-1)]
	f.asked[name]++
	if status, rest, ok := strings.Cut(answer, "\n"); ok && strings.HasPrefix(status, "HTTP ") {
		code, _ := strconv.Atoi(status[len("HTTP "):])
		w.WriteHeader(code)
		answer = rest
	}
	fmt.Fprint(w, answer)
}

func (f *fakeAPI) keep(r *http.Request) error {
	var body any
	if r.ContentLength != 0 {
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			return err
		}
		if m, ok := body.(map[string]any); ok && m["by"] != nil {
			m["by"] = "somebody"
		}
	}
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(f.dir, "requests"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	_, err = fmt.Fprintf(log, "%s %s %s\n", r.Method, r.URL.RequestURI(), text)
	return err
}

// fakeRun is run with a fake daemon and the clock of the environment; with REAL set
// it is run itself.
func fakeRun() int {
	if os.Getenv("REAL") != "" {
		return run(os.Args, os.Stdout, os.Stderr)
	}
	now, err := time.Parse(time.RFC3339, os.Getenv("NOW"))
	if err != nil {
		panic(err)
	}
	c := &cli{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, daemon: fakeDaemon(), now: func() time.Time { return now },
		terminal: os.Getenv("TERMINAL") != "", legacy: isLegacy(os.Args[0]), program: os.Args[0]}
	return c.run(os.Args[1:])
}

// hangUp lets a file take the place of live.hcl and reads it as the daemon does
// after a SIGHUP.
func hangUp(l agent.Options, file string) error {
	if err := os.Rename(file, "live.hcl"); err != nil {
		return err
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		return err
	}
	<-l.Reload
	cfg, err := l.Load()
	if err != nil {
		l.Log.Error("read it in vain", "err", err)
		return nil
	}
	l.Log.Info("read it anew", "id", cfg.ID, "grace", cfg.ShutdownGrace.String())
	task, err := l.Decode(cfg, json.RawMessage(`{"name":"web","module":"m","condition":{"services":{"names":["web"]}}}`))
	l.Log.Info("decoded", "task", task.Name, "err", err)
	return nil
}

// fakeDaemon reads the configuration as the real one does and runs nothing.
// DAEMON says how it ends: killed, terraform, consul, broken. SIGNALS has one
// letter per signal that it sends to this process and waits for. RELOAD names a
// file that takes the place of live.hcl before a SIGHUP. INSPECTIONS
// names a file with what inspect finds, COMPARISONS one with what compare finds, TRIED
// one with what a trial of a module finds.
func fakeDaemon() daemon {
	end := func(_ context.Context, l agent.Options) error {
		l.Log.Info("ran", "id", l.Config.ID, "tasks", len(l.Config.Tasks), "legacy", l.Legacy)
		if file := os.Getenv("RELOAD"); file != "" {
			if err := hangUp(l, file); err != nil {
				return err
			}
		}
		for range len(os.Getenv("SIGNALS")) {
			if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
				return err
			}
			<-l.Stop
			l.Log.Info("stop was asked for")
		}
		return map[string]error{"": nil, "killed": agent.ErrKilled, "terraform": agent.ErrTerraform, "consul": agent.ErrConsul,
			"broken": errors.New("the port is in use")}[os.Getenv("DAEMON")]
	}
	read := func(paths []string) (config.Config, error) { return load(paths, isLegacy(os.Args[0])) }
	return daemon{load: read, run: end, once: end,
		inspect: func(ctx context.Context, l agent.Options, names []string) ([]agent.Inspection, error) {
			l.Log.Info("inspects", "names", strings.Join(names, ","))
			var found []struct {
				agent.Inspection
				Error string
			}
			content, err := os.ReadFile(os.Getenv("INSPECTIONS"))
			if err != nil {
				return nil, err
			}
			if err := json.Unmarshal(content, &found); err != nil {
				return nil, err
			}
			var out []agent.Inspection
			for _, f := range found {
				if f.Error != "" {
					f.Err = errors.New(f.Error)
				}
				out = append(out, f.Inspection)
			}
			return out, end(ctx, l)
		},
		compare: func(ctx context.Context, l agent.Options) ([]agent.Comparison, error) {
			var found []struct {
				agent.Comparison
				Error string
			}
			content, err := os.ReadFile(os.Getenv("COMPARISONS"))
			if err != nil {
				return nil, err
			}
			if err := json.Unmarshal(content, &found); err != nil {
				return nil, err
			}
			var out []agent.Comparison
			for _, f := range found {
				if f.Error != "" {
					f.Err = errors.New(f.Error)
				}
				out = append(out, f.Comparison)
			}
			return out, end(ctx, l)
		},
		try: fakeTry,
	}
}

// fakeTry tells what it was asked to try and gives what the file TRIED has.
func fakeTry(_ context.Context, x agent.Trial) ([]agent.Tried, error) {
	for _, s := range x.Sets {
		x.Log.Warn("tries", "module", filepath.Base(x.Module), "set", s.Name, "instances", len(s.Services), "variables", len(x.Variables), "binary", x.Binary)
	}
	if os.Getenv("DAEMON") == "terraform" {
		return nil, agent.ErrTerraform
	}
	var found []struct {
		agent.Tried
		Error string
	}
	content, err := os.ReadFile(os.Getenv("TRIED"))
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(content, &found); err != nil {
		return nil, err
	}
	var out []agent.Tried
	for _, f := range found {
		if f.Error != "" {
			f.Err = errors.New(f.Error)
		}
		out = append(out, f.Tried)
	}
	return out, nil
}
