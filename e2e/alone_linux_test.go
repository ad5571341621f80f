package e2e

import (
	"errors"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"syscall"
	"testing"

	"patchbay/e2e/internal/rig"
)

// aloneVariable tells the program that it is in the namespace.
const aloneVariable = "PATCHBAY_E2E_ALONE"

// alone runs a test in a network namespace of its own: by a second process that runs
// nothing else. It is true there; the first process only reports how that one ended.
func alone(t *testing.T) bool {
	t.Helper()
	if os.Getenv(aloneVariable) != "" {
		ip, err := rig.Tool("ip", "/usr/sbin/ip", "/sbin/ip")
		if err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(ip, "link", "set", "lo", "up").CombinedOutput(); err != nil {
			t.Fatalf("raise loopback: %v: %s", err, out)
		}
		return true
	}
	// The death signal is sent when the thread ends that started the process.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	attributes := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	out, err := again(t, attributes)
	if errors.Is(err, syscall.EPERM) {
		// An ordinary user makes a user namespace first, and stays who he is in it:
		// a root without other users is none that NGINX can be started by.
		const netAdmin, sysAdmin = 12, 21
		attributes.Cloneflags |= syscall.CLONE_NEWUSER
		attributes.AmbientCaps = []uintptr{netAdmin, sysAdmin}
		attributes.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}}
		attributes.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}}
		out, err = again(t, attributes)
	}
	t.Logf("in a network namespace:\n%s", out)
	if err != nil {
		t.Errorf("run the test in a network namespace: %v", err)
	}
	return false
}

func again(t *testing.T, attributes *syscall.SysProcAttr) ([]byte, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.v", "-test.count=1", "-test.run=^"+regexp.QuoteMeta(t.Name())+"$")
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), aloneVariable+"=1")
	cmd.SysProcAttr = attributes
	return cmd.CombinedOutput()
}
