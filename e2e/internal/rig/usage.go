package rig

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of CPU times in /proc, fixed for programs since Linux 2.6.
const tick = time.Second / 100

// Usage reads from /proc the CPU time of a process and of all children that it
// waited for, and the most memory that it itself ever had, in bytes.
func Usage(pid int) (cpu time.Duration, memory int64, err error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, fmt.Errorf("read CPU time: %w", err)
	}
	// The name, second field, may have spaces; the fields after it are counted
	// from its closing parenthesis: utime, stime, cutime, cstime are 14 to 17.
	fields := strings.Fields(string(stat[strings.LastIndex(string(stat), ")")+1:]))
	if len(fields) < 15 {
		return 0, 0, errors.New("read CPU time: unknown form of /proc/PID/stat")
	}
	for _, f := range fields[11:15] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("read CPU time: %w", err)
		}
		cpu += time.Duration(n) * tick
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, fmt.Errorf("read memory: %w", err)
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	if _, err := fmt.Sscanf(after, "%d kB", &memory); err != nil {
		return 0, 0, fmt.Errorf("read memory: %w", err)
	}
	return cpu, memory * 1024, nil
}
