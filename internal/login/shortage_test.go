package login

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/usher-pg/usher/internal/wire"
)

// shortageVariable makes the test binary a server with few descriptors.
const shortageVariable = "USHER_LOGIN_SHORTAGE"

// fewDescriptors is enough for the process, its listener and some clients.
const fewDescriptors = 20

// runShortage serves clients until its standard input ends.
func runShortage() int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	l, err := Listen(ctx, "tcp", "127.0.0.1:0", net.KeepAliveConfig{}, 0)
	if err == nil {
		err = unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: fewDescriptors, Max: fewDescriptors})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(l.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	if err := New(Options{Listeners: []net.Listener{l}, Seating: bench{}}, &Config{}).Run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// bench is a Seating whose clients leave when they like.
type bench struct{}

func (bench) Seat(_ context.Context, c *Client) error {
	if err := c.Welcome(welcomeParams, 77, welcomeSecret); err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, c.Carrier)
		_ = c.Close()
	}()
	return nil
}

func TestAFullDescriptorTableIsSurvived(t *testing.T) {
	t.Parallel()
	server := exec.CommandContext(t.Context(), os.Args[0])
	server.Env = append(os.Environ(), shortageVariable+"=1")
	server.Stderr = os.Stderr
	stdin, err := server.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	address, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var seated []*peer
	for {
		p := dial(t, "tcp", strings.TrimSpace(address))
		p.send(alice)
		kind, body := p.message()
		if kind == wire.ErrorResponse {
			if code := wire.ErrorFieldValue(body, wire.FieldCode); string(code) != "53300" {
				t.Errorf("refused with SQLSTATE %s", code)
			}
			break
		}
		seated = append(seated, p)
		if len(seated) > fewDescriptors {
			t.Fatalf("%d clients are seated", len(seated))
		}
	}
	if len(seated) < 3 {
		t.Errorf("only %d clients were seated", len(seated))
	}
	for _, p := range seated {
		p.Close()
	}
	for { // until the server has noticed
		p := dial(t, "tcp", strings.TrimSpace(address))
		p.send(alice)
		if kind, _ := p.message(); kind == wire.Authentication {
			break
		}
	}
	stdin.Close()
	if err := server.Wait(); err != nil {
		t.Error(err)
	}
}
