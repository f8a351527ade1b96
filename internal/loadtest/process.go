package loadtest

import (
	"errors"
	"fmt"
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
	log    string        // the file with its output
	exited chan struct{} // closed when it has ended
	err    error         // how; to be read after exited
}

// startChild starts a process, whose output goes to a log unless the command sends it elsewhere. The thread that starts
// it stays until it ends, because the kernel ties the parent-death signal to the thread (prctl(2), PR_SET_PDEATHSIG).
func startChild(name string, cmd *exec.Cmd, log string) (*child, error) {
	file, err := os.Create(log)
	if err != nil {
		return nil, fmt.Errorf("create a log: %w", err)
	}
	defer file.Close()
	cmd.Stderr = file
	if cmd.Stdout == nil {
		cmd.Stdout = file
	}
	c := &child{name: name, cmd: cmd, log: log, exited: make(chan struct{})}
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
