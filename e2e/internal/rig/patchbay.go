package rig

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Patchbay is a running daemon, seen from outside.
type Patchbay struct {
	*Process
	// API is the URL of its HTTP API.
	API string
	tls *tls.Config
}

// Program is the built binary with what it is started with.
type Program struct {
	// Binary is its path, Dir its working directory, which also keeps its log.
	Binary, Dir string
	// Env are further variables of its environment, as "NAME=value".
	Env []string
	// TLS is how its API is asked when that is behind TLS.
	TLS *tls.Config
}

// Command prepares a command of the binary in the environment that Patchbay gets.
func (p Program) Command(args ...string) (*exec.Cmd, error) {
	env, err := Env(p.Dir)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(p.Binary, args...)
	cmd.Dir, cmd.Env = p.Dir, append(env, p.Env...)
	return cmd, nil
}

// Start writes the configuration and starts the daemon with it; it waits until the
// API listens, which is before the tasks ran.
func (p Program) Start(ctx context.Context, config string) (*Patchbay, error) {
	if err := p.Write(config); err != nil {
		return nil, err
	}
	cmd, err := p.Command("start", "-config-file", p.file())
	if err != nil {
		return nil, err
	}
	process, err := start("Patchbay", filepath.Join(p.Dir, "patchbay.log"), cmd)
	if err != nil {
		return nil, err
	}
	rest, err := process.waitOutput(ctx, "api listened: address=", 30*time.Second)
	if err != nil {
		process.Kill()
		return nil, err
	}
	address, _, _ := strings.Cut(rest, " ")
	scheme := "http://"
	if p.TLS != nil {
		scheme = "https://"
	}
	// It may listen on all interfaces; it is asked on loopback.
	address = strings.NewReplacer(`"`, "", "[::]", "127.0.0.1", "0.0.0.0", "127.0.0.1").Replace(address)
	return &Patchbay{Process: process, API: scheme + address, tls: p.TLS}, nil
}

// Write writes the configuration; a daemon that runs takes it over when it reloads.
func (p Program) Write(config string) error {
	if err := os.WriteFile(p.file(), []byte(config), 0o644); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	return nil
}

func (p Program) file() string { return filepath.Join(p.Dir, "patchbay.hcl") }

// Run is the record of a run, as the API shows it.
type Run struct {
	ID      string  `json:"id"`
	Trigger string  `json:"trigger"`
	Causes  []Cause `json:"causes"`
	Phase   string  `json:"phase"`
	Plan    struct {
		Changes []Change `json:"changes"`
	} `json:"plan"`
	Findings []Finding `json:"findings"`
	Attempts []struct {
		Phase string `json:"phase"`
		Error string `json:"error"`
	} `json:"attempts"`
	Tries   int                      `json:"tries"`
	Started time.Time                `json:"started"`
	Updated time.Time                `json:"updated"`
	Took    map[string]time.Duration `json:"took"`
}

// Cause is one change in Consul that led to a run.
type Cause struct {
	Service  string `json:"service"`
	Instance string `json:"instance"`
	What     string `json:"what"`
	From     string `json:"from"`
	To       string `json:"to"`
	Check    string `json:"check"`
}

// Change is what a run did or would do to one object.
type Change struct {
	Address string `json:"address"`
	Action  string `json:"action"`
	Fields  []struct {
		Path   string `json:"path"`
		Before string `json:"before"`
		After  string `json:"after"`
	} `json:"fields"`
}

// Finding is what one rule of the guard said.
type Finding struct {
	Rule     string   `json:"rule"`
	Decision string   `json:"decision"`
	Evidence []string `json:"evidence"`
	Release  string   `json:"release"`
}

// TaskState is a task as the API shows it.
type TaskState struct {
	Status string `json:"status"`
	Note   string `json:"note"`
	Newest *Run   `json:"newest"`
	Held   *struct {
		Run      string    `json:"run"`
		Findings []Finding `json:"findings"`
	} `json:"held"`
	Applied *struct {
		Run     string `json:"run"`
		Members int    `json:"members"`
	} `json:"applied"`
}

// Runs lists a task's runs, newest first.
func (p *Patchbay) Runs(task string) ([]Run, error) {
	var answer struct {
		Runs []Run `json:"runs"`
	}
	err := p.Get("/v1/tasks/"+task+"/runs", &answer)
	return answer.Runs, err
}

// State is a task as it stands.
func (p *Patchbay) State(task string) (TaskState, error) {
	var answer struct {
		State TaskState `json:"state"`
	}
	err := p.Get("/v1/tasks/"+task+"/state", &answer)
	return answer.State, err
}

// AwaitReady waits until the first pass is done and Consul answers.
func (p *Patchbay) AwaitReady(ctx context.Context, limit time.Duration) error {
	return Until(ctx, limit, func() error { return p.Get("/v1/health/ready", nil) })
}

// AwaitRun waits until a task's newest run is as asked.
func (p *Patchbay) AwaitRun(ctx context.Context, task string, limit time.Duration, ok func(Run) bool) (Run, error) {
	var newest Run
	err := Until(ctx, limit, func() error {
		if p.Exited() {
			return final{errors.New("Patchbay exited")}
		}
		runs, err := p.Runs(task)
		if err != nil {
			return err
		}
		if len(runs) == 0 {
			return fmt.Errorf("task %s has no run", task)
		}
		newest = runs[0]
		if !ok(newest) {
			return fmt.Errorf("newest run of %s is %s by %s (tries %d)", task, newest.Phase, newest.Trigger, newest.Tries)
		}
		return nil
	})
	return newest, err
}

// AwaitPhase waits until a task's newest run is in a phase.
func (p *Patchbay) AwaitPhase(ctx context.Context, task, phase string, limit time.Duration) (Run, error) {
	return p.AwaitRun(ctx, task, limit, func(r Run) bool { return r.Phase == phase })
}

// Get decodes the answer of a path of the API; into nil reads the status alone.
func (p *Patchbay) Get(path string, into any) error {
	return p.do(http.MethodGet, path, nil, into)
}

// Post sends a body to a path of the API.
func (p *Patchbay) Post(path string, body any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("ask %s: %w", path, err)
	}
	return p.do(http.MethodPost, path, b, nil)
}

func (p *Patchbay) do(method, path string, body []byte, into any) error {
	answer, err := p.Send(method, path, string(body))
	if err != nil {
		return err
	}
	if answer.Status >= 300 {
		return fmt.Errorf("ask %s: %d %s", path, answer.Status, strings.TrimSpace(answer.Body))
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal([]byte(answer.Body), into); err != nil {
		return fmt.Errorf("ask %s: %w", path, err)
	}
	return nil
}
