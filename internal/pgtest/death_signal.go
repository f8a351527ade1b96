//go:build linux || freebsd

package pgtest

import "syscall"

// dieWithTests ends a child when this test binary is gone: one that panics or runs into its timeout cleans
// nothing up.
func dieWithTests(attributes *syscall.SysProcAttr) { attributes.Pdeathsig = syscall.SIGKILL }
