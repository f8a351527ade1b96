package login

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/usher-pg/usher/internal/auth"
	"github.com/usher-pg/usher/internal/carrier"
	"github.com/usher-pg/usher/internal/wire"
)

// crowdVariable makes the test binary a crowd of clients, so that the benchmarks' CPU time is that of the
// logins alone.
const crowdVariable = "USHER_LOGIN_CROWD"

// crowdSize is how many clients come at a time.
const crowdSize = 16

// runCrowd logs in many times: "address number kind".
func runCrowd(order string) int {
	var address, kind string
	var number int64
	if _, err := fmt.Sscan(order, &address, &number, &kind); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	var left atomic.Int64
	left.Store(number)
	var failed atomic.Value
	var all sync.WaitGroup
	for range crowdSize {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				if err := logInOnce(address, kind); err != nil {
					failed.Store(err.Error())
					return
				}
			}
		})
	}
	all.Wait()
	if err := failed.Load(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func logInOnce(address, kind string) error {
	nc, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer nc.Close()
	stream := nc
	if kind == "tls" {
		if _, err := nc.Write(askTLS); err != nil {
			return err
		}
		if _, err := nc.Read(make([]byte, 1)); err != nil {
			return err
		}
		stream = tls.Client(nc, &tls.Config{InsecureSkipVerify: true})
	}
	if _, err := stream.Write(startupPacket(wire.Version30, "user", "plain")); err != nil {
		return err
	}
	responder := auth.NewCredentials("plain", crowdPassword, nil).Begin(auth.Binding{})
	reader := carrier.NewReader(stream, false)
	for {
		t, body, err := reader.Message(1000)
		if err != nil {
			return err
		}
		switch t {
		case wire.ErrorResponse:
			return fmt.Errorf("refused: %q", body)
		case wire.ReadyForQuery:
			return nil
		case wire.Authentication:
			reply, _, err := responder.Answer(body)
			if err != nil {
				return err
			}
			if _, err := stream.Write(reply); err != nil {
				return err
			}
		}
	}
}

var crowdPassword = auth.PlainSecret("pencil")

// BenchmarkLogin reports the CPU time of a login, accept and close included. The client's is not in it.
func BenchmarkLogin(b *testing.B) {
	users, err := auth.ParseUsers(auth.AppendUser(nil, "plain", "pencil"))
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		kind   string
		config *Config
	}{
		{"trust", &Config{Method: Trust}},
		{"scram", &Config{Method: SCRAM, Users: users}},
		{"tls", &Config{Method: Trust, TLS: offer(b, TLSRequire)}},
	} {
		b.Run(c.kind, func(b *testing.B) {
			l, err := Listen(b.Context(), "tcp", "127.0.0.1:0", net.KeepAliveConfig{Enable: true}, 0)
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(b.Context())
			ended := make(chan error, 1)
			s := New(Options{Listeners: []net.Listener{l}, Seating: revolvingDoor{}}, c.config)
			go func() { ended <- s.Run(ctx) }()
			crowd := exec.CommandContext(ctx, os.Args[0])
			crowd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %s", crowdVariable, l.Addr(), b.N, c.kind))
			crowd.Stderr = os.Stderr
			before := cpuTime(b)
			if err := crowd.Run(); err != nil {
				b.Error(err)
			}
			b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
			cancel()
			<-ended
		})
	}
}

// revolvingDoor welcomes clients, detaches them as a loop would, and closes them.
type revolvingDoor struct{}

func (revolvingDoor) Seat(_ context.Context, c *Client) error {
	if err := c.Welcome(welcomeParams, 77, welcomeSecret); err != nil {
		return err
	}
	if _, err := c.Carrier.Detach(); err != nil {
		return err
	}
	return c.Carrier.Close()
}

func cpuTime(b *testing.B) int64 {
	b.Helper()
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}
