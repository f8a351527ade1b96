//go:build !linux && !freebsd

package pgtest

import "syscall"

// dieWithTests has nothing to ask of a kernel without a parent-death signal.
func dieWithTests(*syscall.SysProcAttr) {}
