package login

import "golang.org/x/sys/unix"

const keepIdle = unix.TCP_KEEPIDLE

func deferAccept(int) error { return nil }
