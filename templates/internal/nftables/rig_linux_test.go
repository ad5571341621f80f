package nftables

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"patchbay/templates/internal/moduletest"
)

// firewall is the host that the module configures: this process's namespace, with a
// wire to a second one in which all clients are.
type firewall struct {
	dir string
	// wire is the namespace of the clients.
	wire *os.File
}

const (
	host4, host6 = "10.77.0.1", "fd77::1"
	// serving is what a service answers to who gets through.
	serving = "served"
)

// newFirewall gives a host without rules and clients with the addresses.
func newFirewall(tb testing.TB, clients ...string) *firewall {
	tb.Helper()
	f := &firewall{dir: tb.TempDir()}
	f.nft(tb, "flush ruleset")
	tb.Cleanup(func() { f.nft(tb, "flush ruleset") })
	if len(clients) > 0 {
		f.connect(tb, clients)
	}
	return f
}

// connect makes the clients' namespace and the wire to it.
func (f *firewall) connect(tb testing.TB, clients []string) {
	tb.Helper()
	// It lives as long as a process in it, which ends with its input.
	holder := exec.Command("cat")
	holder.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	input, err := holder.StdinPipe()
	if err != nil {
		tb.Fatalf("make pipe: %v", err)
	}
	if err := holder.Start(); err != nil {
		tb.Fatalf("make a namespace for the clients: %v", err)
	}
	tb.Cleanup(func() {
		_ = input.Close()
		_ = holder.Wait()
	})
	pid := strconv.Itoa(holder.Process.Pid)
	if f.wire, err = os.Open(filepath.Join("/proc", pid, "ns", "net")); err != nil {
		tb.Fatalf("open namespace: %v", err)
	}
	tb.Cleanup(func() { _ = f.wire.Close() })

	command(tb, "", "ip", "link", "add", "fw0", "type", "veth", "peer", "name", "fw1", "netns", pid)
	tb.Cleanup(func() { command(tb, "", "ip", "link", "delete", "fw0") })
	command(tb, "link set lo up\nlink set fw0 up\naddress add "+host4+"/16 dev fw0\naddress add "+host6+"/64 dev fw0 nodad\n", "ip", "-batch", "-")
	there := "link set lo up\nlink set fw1 up\n"
	for _, c := range clients {
		if netip.MustParseAddr(c).Is4() {
			there += "address add " + c + "/16 dev fw1\n"
		} else {
			there += "address add " + c + "/64 dev fw1 nodad\n"
		}
	}
	command(tb, there, "nsenter", "-t", pid, "-n", "ip", "-batch", "-")
}

// command runs a program that has to succeed and gives what it printed.
func command(tb testing.TB, input string, args ...string) string {
	tb.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	// As the module's own script: administrators' programs are not on every PATH.
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	if path, err := lookPath(args[0]); err == nil {
		cmd.Path, cmd.Err = path, nil
	}
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		tb.Fatalf("%s: %v: %s\ninput:\n%s", strings.Join(args, " "), err, out, input)
	}
	return string(out)
}

// lookPath finds a program, also where administrators' ones are.
func lookPath(name string) (string, error) {
	path, err := exec.LookPath(name)
	for _, dir := range []string{"/usr/sbin", "/sbin"} {
		if err != nil {
			path, err = exec.LookPath(filepath.Join(dir, name))
		}
	}
	return path, err
}

// nft runs commands of nft as one transaction.
func (f *firewall) nft(tb testing.TB, script string) {
	tb.Helper()
	command(tb, script, "nft", "-f", "-")
}

// ruleset lists the whole firewall.
func (f *firewall) ruleset(tb testing.TB) string {
	tb.Helper()
	return command(tb, "", "nft", "-n", "list", "ruleset")
}

// file is the path that the module writes.
func (f *firewall) file() string { return filepath.Join(f.dir, "patchbay.nft") }

// stack is a root module that configures f. arguments are lines of HCL for its module block.
func (f *firewall) stack(tb testing.TB, arguments ...string) *moduletest.Stack {
	tb.Helper()
	return moduletest.New(tb, "firewall-nftables", append(arguments, fmt.Sprintf("file_path = %q", f.file()))...)
}

// serve answers on both addresses of the host, at one port, until the test ends.
func (f *firewall) serve(tb testing.TB) (port int) {
	tb.Helper()
	four, err := net.Listen("tcp", net.JoinHostPort(host4, "0"))
	if err != nil {
		tb.Fatalf("listen: %v", err)
	}
	port = four.Addr().(*net.TCPAddr).Port
	six, err := net.Listen("tcp", net.JoinHostPort(host6, strconv.Itoa(port)))
	if err != nil {
		tb.Fatalf("listen: %v", err)
	}
	for _, l := range []net.Listener{four, six} {
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = io.WriteString(c, serving)
				_ = c.Close()
			}
		}()
		tb.Cleanup(func() {
			_ = l.Close()
			<-done
		})
	}
	return port
}

// errRefused is what a client meets whom the firewall refuses.
var errRefused = errors.New("refused")

// reach connects a client to a port of the host over the wire: nil when it was served,
// errRefused when the firewall refused it.
func (f *firewall) reach(client string, port int) error {
	c, err := f.dial(client, port)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return errRefused
	}
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(moduletest.Patience)); err != nil {
		return err
	}
	answer, err := io.ReadAll(c)
	if err == nil && string(answer) != serving {
		err = fmt.Errorf("answer %q", answer)
	}
	return err
}

// dial makes the socket in the namespace of the clients; it may be used from anywhere.
func (f *firewall) dial(client string, port int) (net.Conn, error) {
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return nil, err
	}
	defer home.Close()
	if err := unix.Setns(int(f.wire.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return nil, fmt.Errorf("enter namespace: %w", err)
	}
	to := host4
	from := net.ParseIP(client)
	if from.To4() == nil {
		to = host6
	}
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: from}, Timeout: moduletest.Patience}
	c, err := dialer.Dial("tcp", net.JoinHostPort(to, strconv.Itoa(port)))
	if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back != nil {
		// The thread ends with this goroutine, as it is not unlocked.
		return nil, fmt.Errorf("leave namespace: %w", errors.Join(err, back))
	}
	runtime.UnlockOSThread()
	return c, err
}

// reaches fails unless exactly these of the clients are served.
func (f *firewall) reaches(tb testing.TB, port int, clients, served []string) {
	tb.Helper()
	allowed := map[string]bool{}
	for _, c := range served {
		allowed[c] = true
	}
	for _, c := range clients {
		if err := f.reach(c, port); allowed[c] && err != nil {
			tb.Errorf("%s: %v, want it served", c, err)
		} else if !allowed[c] && !errors.Is(err, errRefused) {
			tb.Errorf("%s: %v, want it refused", c, err)
		}
	}
}

// at is an instance of service web.
func at(address string, port int) moduletest.Instance {
	return moduletest.Instance{Name: "web", Address: address, Port: port, Status: "passing"}
}
