//go:build linux || freebsd

package loadtest

import "syscall"

// dieWithParent asks the kernel to kill the child when this process is gone. What the children have is temporary.
func dieWithParent(attributes *syscall.SysProcAttr) { attributes.Pdeathsig = syscall.SIGKILL }
