//go:build !linux && !freebsd

package loadtest

import "syscall"

// dieWithParent has nothing to ask of a kernel without a parent-death signal: a process that is killed leaves its
// pooler behind there.
func dieWithParent(*syscall.SysProcAttr) {}
