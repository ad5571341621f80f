package store

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// The test binary starts itself with one of these roles to be killed or starved.
const (
	roleVariable = "PATCHBAY_STORE_TEST_ROLE"
	dirVariable  = "PATCHBAY_STORE_TEST_DIR"
)

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "writer":
		fmt.Println(writeForever(os.Getenv(dirVariable)))
		os.Exit(1)
	case "full disk":
		fmt.Println(writeOnAFullDisk(os.Getenv(dirVariable)))
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func child(t *testing.T, role, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleVariable+"="+role, dirVariable+"="+dir)
	cmd.Stderr = os.Stderr
	return cmd
}

// writeForever saves runs and prints each ID once it is acknowledged.
func writeForever(dir string) error {
	s, err := Open(dir, Keep{Runs: 100000})
	if err != nil {
		return err
	}
	for n := 0; ; n++ {
		r := run("web", n)
		r.ID = NewRunID(r.Started)
		r.Module = strings.Repeat("m", n%5000)
		if err := s.SaveRun(r); err != nil {
			return err
		}
		fmt.Println(r.ID)
	}
}

func TestEveryAcknowledgedRunIsThereAfterAKill(t *testing.T) {
	dir := t.TempDir()
	acknowledged := map[string]bool{}
	for round := range 4 {
		cmd := child(t, "writer", dir)
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		lines := bufio.NewReader(out)
		for n := 0; ; n++ {
			line, err := lines.ReadString('\n')
			if err != nil {
				break
			}
			if len(line) != 37 {
				t.Fatalf("the writer said %q", line)
			}
			acknowledged[strings.TrimSpace(line)] = true
			if n == 20+13*round {
				must(t, cmd.Process.Kill())
			}
		}
		if err := cmd.Wait(); err == nil || cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("the writer ended by itself: %v", err)
		}
		s := open(t, dir, Keep{Runs: 100000})
		for id := range acknowledged {
			if _, ok, err := s.Run(id); err != nil || !ok {
				t.Errorf("round %d: run %s: ok %v, err %v", round, id, ok, err)
			}
		}
		// One run per round may be on disk without having been acknowledged.
		if got := len(ids(t, s, "web", 0)); got < len(acknowledged) || got > len(acknowledged)+round+1 {
			t.Errorf("round %d: %d runs listed, %d acknowledged", round, got, len(acknowledged))
		}
		must(t, s.Close())
	}
}

// writeOnAFullDisk limits the size of files, so that writing fails as on a full
// disk, and tells what happened in one word.
func writeOnAFullDisk(dir string) string {
	signal.Ignore(syscall.SIGXFSZ)
	s, err := Open(dir, Keep{Runs: 100000})
	if err != nil {
		return err.Error()
	}
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &old); err != nil {
		return err.Error()
	}
	full := old
	full.Cur = 300 << 10
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &full); err != nil {
		return err.Error()
	}
	saved := 0
	for ; err == nil && saved < 10000; saved++ {
		r := run("web", saved)
		r.Module = strings.Repeat("m", 3000)
		err = s.SaveRun(r)
	}
	saved--
	if err == nil || !strings.Contains(err.Error(), "free space on the disk") {
		return fmt.Sprintf("%d saved, then: %v", saved, err)
	}
	if runs, err := s.Runs("web", 0); err != nil || len(runs) != saved {
		return fmt.Sprintf("%d of %d runs readable on the full disk, %v", len(runs), saved, err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &old); err != nil {
		return err.Error()
	}
	if err := s.SaveRun(run("later", 0)); err != nil {
		return "with space again: " + err.Error()
	}
	return fmt.Sprintf("fine after %d", saved)
}

func TestAFullDiskGivesAnErrorAndBreaksNothing(t *testing.T) {
	dir := t.TempDir()
	out, err := child(t, "full disk", dir).Output()
	must(t, err)
	var saved int
	if n, err := fmt.Sscanf(string(out), "fine after %d", &saved); n != 1 || err != nil || saved < 10 {
		t.Fatalf("the writer said %q", out)
	}
	s := open(t, dir, Keep{Runs: 100000})
	if got := len(ids(t, s, "web", 0)); got != saved {
		t.Errorf("%d of %d runs after reopening", got, saved)
	}
	if got := ids(t, s, "later", 0); len(got) != 1 {
		t.Errorf("runs saved when there was space again: %v", got)
	}
}
