//go:build linux || freebsd

package privatepg

import "syscall"

// dieWithParent asks the kernel to stop the child the fast way when this process is gone.
func dieWithParent(attributes *syscall.SysProcAttr) { attributes.Pdeathsig = syscall.SIGINT }

// watchParent has nothing to do where the kernel does it.
func watchParent(int) (end func()) { return func() {} }
