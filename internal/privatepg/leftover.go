package privatepg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// endLeftover deals with what a killed run left behind. We hold the folder's lock, so a server that still
// runs in it is nobody's: it is told to stop. A postmaster.pid without a server is removed, because its
// number may belong to another process by now, and then postgres would refuse to start.
func (s *Server) endLeftover(ctx context.Context) error {
	name := filepath.Join(s.dataDir(), "postmaster.pid")
	text, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read postmaster.pid: %w", err)
	}
	pid := postmasterPID(text)
	if pid > 0 && servesFolder(ctx, pid, s.dataDir()) {
		if err := s.endServer(ctx, pid); err != nil {
			return fmt.Errorf("end the PostgreSQL (process %d) that an earlier run left: %w", pid, err)
		}
	}
	if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove the stale postmaster.pid: %w", err)
	}
	return nil
}

// postmasterPID reads the first line of postmaster.pid; 0 when it is not a number.
func postmasterPID(text []byte) int {
	line, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || pid < 0 {
		return 0
	}
	return pid
}

// endServer stops a server that is not our child, first in order, then at once.
func (s *Server) endServer(ctx context.Context, pid int) error {
	const orderly = 20 * time.Second
	deadline := time.Now().Add(orderly)
	signal := syscall.SIGINT
	pause := backoff{next: 10 * time.Millisecond, most: 200 * time.Millisecond}
	for sent := syscall.Signal(0); servesFolder(ctx, pid, s.dataDir()); {
		if sent != signal {
			if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("send %v: %w", signal, err)
			}
			sent = signal
		}
		if err := pause.wait(ctx, nil); err != nil {
			return err
		}
		if time.Now().After(deadline) {
			signal = syscall.SIGQUIT
		}
	}
	return nil
}

// servesFolder tells whether a process is a postmaster that works in a data folder: its command line names
// the folder, as we started it, or (Linux tells) the folder is its working directory, as postgres makes
// it. The second may be hidden from root in a container (it takes CAP_SYS_PTRACE), the first is not.
func servesFolder(ctx context.Context, pid int, dataDir string) bool {
	if runtime.GOOS != "linux" {
		out, err := exec.CommandContext(ctx, "ps", "-ww", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
		return err == nil && strings.Contains(string(out), dataDir)
	}
	process := "/proc/" + strconv.Itoa(pid)
	if line, err := os.ReadFile(process + "/cmdline"); err == nil &&
		strings.Contains(string(line), "postgres\x00-D\x00"+dataDir+"\x00") {
		return true
	}
	folder, err := os.Readlink(process + "/cwd")
	if err != nil {
		return false
	}
	if real, err := filepath.EvalSymlinks(dataDir); err == nil {
		dataDir = real
	}
	return folder == dataDir
}
