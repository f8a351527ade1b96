package backend

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/wire"
)

// cancellable is a server whose second connection is a cancel request, after which it does what then says.
func cancellable(secret []byte, withTLS bool, got chan<- []byte, then func(*speaker)) script {
	return func(s *speaker, n int) {
		if withTLS {
			if s = s.secure(nil); s == nil {
				return
			}
		}
		packet := s.startup()
		if n == 0 {
			s.send(authOK, wire.AppendKeyData(nil, 42, secret), ready)
			s.drain()
			return
		}
		got <- packet
		then(s)
	}
}

func TestCancelReturnsWhenTheServerHasClosed(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"tcp", "unix"} {
		for _, withTLS := range []bool{false, true} {
			if withTLS && network == "unix" {
				continue
			}
			for _, length := range []int{4, 32, 256} {
				secret := bytes.Repeat([]byte{byte(length)}, length)
				got, release := make(chan []byte, 1), make(chan struct{})
				config := serve(t, network, cancellable(secret, withTLS, got, func(*speaker) { <-release }))
				if withTLS {
					config.SSLMode, config.TLS = SSLVerifyFull, trusting(authority().Pool())
				}
				c, err := dial(t, config)
				if err != nil {
					t.Fatal(err)
				}
				if err := c.Close(); err != nil { // which must not matter
					t.Fatal(err)
				}
				done := make(chan error, 1)
				go func() { done <- c.Cancel(t.Context()) }()
				if packet := <-got; !bytes.Equal(packet, wire.AppendCancel(nil, 42, secret)) {
					t.Errorf("the server got %q", packet)
				}
				select {
				case err := <-done:
					t.Errorf("Cancel returned before the server had closed: %v", err)
				default:
				}
				close(release)
				if err := <-done; err != nil {
					t.Errorf("%s, TLS %v, %d bytes: %v", network, withTLS, length, err)
				}
			}
		}
	}
}

func TestCancelEndsWithItsContext(t *testing.T) {
	t.Parallel()
	got := make(chan []byte, 1)
	config := serve(t, "tcp", cancellable([]byte("key!"), false, got, func(s *speaker) { s.drain() }))
	c, err := dial(t, config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := c.Cancel(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

func TestCancelThatIsNotCertainIsAnError(t *testing.T) {
	t.Parallel()
	got := make(chan []byte, 1)
	talk := func(s *speaker) { s.send(make([]byte, maxCancelAnswer)) }
	talkative := serve(t, "tcp", cancellable([]byte("key!"), false, got, talk))
	c, err := dial(t, talkative)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Cancel(t.Context()); !errors.Is(err, ErrProtocol) {
		t.Errorf("an endless answer: %v", err)
	}
	noTLS := serve(t, "tcp", func(s *speaker, n int) {
		if n == 0 {
			s.secure(nil).logsIn()
			return
		}
		s.startup()
		s.send([]byte{'N'})
		if s.startup() != nil {
			t.Error("the key was sent without TLS")
		}
	})
	noTLS.SSLMode = SSLPrefer
	if c, err = dial(t, noTLS); err != nil {
		t.Fatal(err)
	}
	if err := c.Cancel(t.Context()); err == nil {
		t.Error("TLS that is gone: no error")
	}
	noKey := serve(t, "tcp", func(s *speaker, _ int) {
		s.startup()
		s.send(authOK, ready)
		s.drain()
	})
	if c, err = dial(t, noKey); err != nil {
		t.Fatal(err)
	}
	if err := c.Cancel(t.Context()); err == nil {
		t.Error("no key: no error")
	}
}
