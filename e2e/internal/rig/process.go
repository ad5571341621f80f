package rig

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Process is a running program with its output in a file.
type Process struct {
	// Name is for messages, Log the file that has all output, of every start.
	Name, Log string
	cmd       *exec.Cmd
	done      chan struct{}
	begin     int64
}

// start runs a command; its output is appended to the log.
func start(name, log string, cmd *exec.Cmd) (*Process, error) {
	if err := os.MkdirAll(filepath.Dir(log), 0o755); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	defer out.Close()
	begin, err := out.Seek(0, 2)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	cmd.Stdout, cmd.Stderr = out, out
	// A group of its own: a Ctrl-C reaches the one who started it, who then
	// stops its servers in order.
	cmd.SysProcAttr = ownGroup()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &Process{Name: name, Log: log, cmd: cmd, done: make(chan struct{}), begin: begin}
	go func() {
		defer close(p.done)
		// How it ended is in ProcessState, for whoever asks.
		_ = cmd.Wait()
	}()
	return p, nil
}

// PID is the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Signal sends a signal; a process that is gone gets none.
func (p *Process) Signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// Exited tells whether the process is gone.
func (p *Process) Exited() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Wait waits until the process is gone and gives its exit code, -1 when a signal
// ended it.
func (p *Process) Wait(limit time.Duration) (int, error) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode(), nil
	case <-timer.C:
		return 0, fmt.Errorf("wait for %s: still running after %s", p.Name, limit)
	}
}

// Usage is the CPU time of an exited process and of the children it waited for,
// and the largest memory that it itself had, in bytes.
func (p *Process) Usage() (cpu time.Duration, memory int64) {
	<-p.done
	s := p.cmd.ProcessState
	if u, ok := s.SysUsage().(*syscall.Rusage); ok {
		memory = u.Maxrss * 1024
	}
	return s.UserTime() + s.SystemTime(), memory
}

// Stop ends the process: SIGTERM, and SIGKILL for one that takes longer than the grace.
func (p *Process) Stop(grace time.Duration) error {
	p.Signal(syscall.SIGTERM)
	if _, err := p.Wait(grace); err == nil {
		return nil
	}
	p.Kill()
	return fmt.Errorf("stop %s: it did not end within %s of SIGTERM and was killed", p.Name, grace)
}

// Kill ends the process at once.
func (p *Process) Kill() {
	p.Signal(syscall.SIGKILL)
	<-p.done
}

// Output is what the process printed since this start.
func (p *Process) Output() string {
	b, err := os.ReadFile(p.Log)
	if err != nil || int64(len(b)) < p.begin {
		return ""
	}
	return string(b[p.begin:])
}

// AwaitLog waits until the process printed a line with the text.
func (p *Process) AwaitLog(ctx context.Context, text string, limit time.Duration) error {
	_, err := p.waitOutput(ctx, text, limit)
	return err
}

// waitOutput waits until an output line has the text and gives what follows it on the line.
func (p *Process) waitOutput(ctx context.Context, text string, limit time.Duration) (rest string, err error) {
	err = Until(ctx, limit, func() error {
		if _, after, ok := strings.Cut(p.Output(), text); ok {
			if line, _, whole := strings.Cut(after, "\n"); whole {
				rest = line
				return nil
			}
		}
		if p.Exited() {
			return final{errors.New("it exited")}
		}
		return errors.New("not there yet")
	})
	if err != nil {
		return "", fmt.Errorf("wait for %q of %s: %w\n%s", text, p.Name, err, tail(p.Output(), 15))
	}
	return rest, nil
}

// tail is the last n lines of a text.
func tail(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
