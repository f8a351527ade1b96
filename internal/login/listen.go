package login

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Listen listens for clients. Accepted TCP connections inherit from the listener what package net would
// otherwise set for each of them with system calls: keep-alive. Where the kernel can, a TCP client is
// accepted when its first bytes are there. A unix socket left behind by a process that died is removed; mode
// is that of the new one.
func Listen(ctx context.Context, network, address string, keepAlive net.KeepAliveConfig, mode fs.FileMode) (
	net.Listener, error,
) {
	if network == "unix" {
		return listenUnix(ctx, address, mode)
	}
	lc := net.ListenConfig{KeepAlive: -1}
	// PostgreSQL's clients do not speak multipath TCP. Without it, and with carrier.Accept, a login costs 0.97 of the CPU.
	lc.SetMultipathTCP(false)
	lc.Control = func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) {
			failed = errors.Join(setKeepAlive(int(fd), keepAlive), deferAccept(int(fd)))
		})
		return errors.Join(err, failed)
	}
	l, err := lc.Listen(ctx, network, address)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return l, nil
}

func setKeepAlive(fd int, config net.KeepAliveConfig) error {
	if !config.Enable {
		return nil
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1); err != nil {
		return fmt.Errorf("set keep-alive: %w", err)
	}
	for _, o := range []struct{ name, value int }{
		{keepIdle, seconds(config.Idle)},
		{unix.TCP_KEEPINTVL, seconds(config.Interval)},
		{unix.TCP_KEEPCNT, config.Count},
	} {
		if o.value <= 0 {
			continue
		}
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, o.name, o.value); err != nil {
			return fmt.Errorf("set keep-alive: %w", err)
		}
	}
	return nil
}

func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

func listenUnix(ctx context.Context, path string, mode fs.FileMode) (net.Listener, error) {
	abstract := strings.HasPrefix(path, "@")
	if !abstract {
		if err := removeStale(ctx, path); err != nil {
			return nil, fmt.Errorf("listen: %w", err)
		}
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	if !abstract && mode != 0 {
		if err := os.Chmod(path, mode.Perm()); err != nil {
			return nil, fmt.Errorf("listen: %w", errors.Join(err, l.Close()))
		}
	}
	return l, nil
}

// removeStale removes a socket that nobody listens at. Anything else at the path stays, and is an error.
func removeStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s is there and is no socket", path)
	}
	var d net.Dialer
	nc, err := d.DialContext(ctx, "unix", path)
	if err == nil {
		_ = nc.Close()
		return fmt.Errorf("%s: %w", path, syscall.EADDRINUSE)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	return os.Remove(path)
}
