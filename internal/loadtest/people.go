package loadtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/usher-pg/usher/internal/loadtest/crowd"
)

// ClientsCommand is the hidden command of usher that runs package crowd.
const ClientsCommand = "load-test-clients"

// people are the clients' process.
type people struct {
	*child
	commands io.WriteCloser
	reports  chan crowd.Report // closed when the process says no more
}

func startPeople(program, folder string) (*people, error) {
	cmd := exec.Command(program, ClientsCommand)
	in, out := io.Pipe()
	cmd.Stdout = out
	commands, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start the clients: %w", err)
	}
	p := &people{commands: commands, reports: make(chan crowd.Report, 16)}
	if p.child, err = startChild("clients", cmd, filepath.Join(folder, "clients.log")); err != nil {
		return nil, err
	}
	go func() {
		<-p.exited
		_ = out.Close()
	}()
	go p.read(in)
	return p, nil
}

// read takes reports off the pipe until the process ends.
func (p *people) read(in io.Reader) {
	defer close(p.reports)
	for decoder := json.NewDecoder(in); ; {
		var r crowd.Report
		if err := decoder.Decode(&r); err != nil {
			_, _ = io.Copy(io.Discard, in) // let it end
			return
		}
		p.reports <- r
	}
}

// tell gives a command, hands its reports on and returns with the last.
func (p *people) tell(ctx context.Context, c crowd.Command, listen func(crowd.Report) error) (crowd.Report, error) {
	line, err := json.Marshal(c)
	if err != nil {
		return crowd.Report{}, fmt.Errorf("tell the clients: %w", err)
	}
	if _, err := p.commands.Write(append(line, '\n')); err != nil {
		return crowd.Report{}, fmt.Errorf("tell the clients: %w", err)
	}
	for {
		select {
		case r, ok := <-p.reports:
			switch {
			case !ok:
				<-p.exited
				return r, fmt.Errorf("the clients' process has ended: %w\n%s", p.err, p.lastLog())
			case r.Error != "":
				return r, errors.New("the clients: " + r.Error)
			case r.Done:
				return r, nil
			}
			if listen != nil {
				if err := listen(r); err != nil {
					return r, err
				}
			}
		case <-ctx.Done():
			return crowd.Report{}, context.Cause(ctx)
		}
	}
}

// end closes their input, which ends them.
func (p *people) end() error {
	_ = p.commands.Close()
	go func() {
		for range p.reports { // what they still say is of no interest
		}
	}()
	return p.stop(syscall.SIGTERM)
}
