package rig

import "syscall"

// ownGroup also ends the process when this one is killed, so that nothing is left
// running after a test that was aborted.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
