//go:build !linux && !freebsd

package privatepg

import (
	"os/exec"
	"strconv"
	"syscall"
)

// dieWithParent has nothing to ask of a kernel without a parent-death signal; watchParent does it.
func dieWithParent(*syscall.SysProcAttr) {}

// watchParent starts a shell that reads from a pipe whose other end only this process holds. The read ends
// when this process does, and then the shell stops the child the fast way. end must be called as soon as
// the child has ended by itself. Without a shell the child simply survives us, and the next start ends it.
func watchParent(pid int) (end func()) {
	shell := exec.Command("/bin/sh", "-c", `read -r line; kill -INT "$0"`, strconv.Itoa(pid))
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	pipe, err := shell.StdinPipe()
	if err != nil {
		return func() {}
	}
	if err := shell.Start(); err != nil {
		return func() {}
	}
	return func() {
		_ = shell.Process.Kill()
		_ = pipe.Close()
		_ = shell.Wait()
	}
}
