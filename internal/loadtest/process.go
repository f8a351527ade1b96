package loadtest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// killPatience is how long a process may take to end after a signal before the next, harder one.
const killPatience = 5 * time.Second

// child is a process that this one has started. It ends with this one, however that ends.
type child struct {
	name   string
	cmd    *exec.Cmd
	log    string        // the file with its output; may be empty
	exited chan struct{} // closed when it has ended
	err    error         // how; to be read after exited
}

// startChild starts a process. The thread that starts it stays until it ends, because the kernel ties the
// parent-death signal to the thread (prctl(2), PR_SET_PDEATHSIG).
func startChild(name string, cmd *exec.Cmd) (*child, error) {
	c := &child{name: name, cmd: cmd, exited: make(chan struct{})}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true // Ctrl-C is for us alone: we end the others
	dieWithParent(cmd.SysProcAttr)
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		c.err = cmd.Wait()
		close(c.exited)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return c, nil
}

// logTo sends the output of a command that has not been started to a file.
func logTo(cmd *exec.Cmd, path string) (*os.File, error) {
	log, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("create a log: %w", err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	return log, nil
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// stop ends the process with a signal, or the hard way.
func (c *child) stop(signal syscall.Signal) error {
	for _, s := range []syscall.Signal{signal, syscall.SIGKILL} {
		if err := c.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("stop %s: %w", c.name, err)
		}
		timer := time.NewTimer(killPatience)
		select {
		case <-c.exited:
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
	return fmt.Errorf("stop %s: process %d does not end", c.name, c.pid())
}

// lastLog is the end of its log, for errors.
func (c *child) lastLog() string {
	const enough = 2000
	text, err := os.ReadFile(c.log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-enough):])
}

// freePorts asks the kernel for ports that nobody listens at.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
