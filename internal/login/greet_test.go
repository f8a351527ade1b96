package login

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/wire"
)

func TestGreetingsThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	h := open(t, nil, nil)
	for _, c := range []struct {
		name          string
		packet        []byte
		code, problem string
	}{
		{"length 0", lengths(0, "xxxx"), "08P01", "invalid length of startup packet"},
		{"length 7", lengths(7, "xxx"), "08P01", "invalid length of startup packet"},
		{"length over the limit", lengths(10001, "xxx"), "08P01", "invalid length of startup packet"},
		{"negative length", lengths(0xffffffff, "xxx"), "08P01", "invalid length of startup packet"},
		{"HTTP", []byte("GET / HTTP/1.1\r\n\r\n"), "08P01", "invalid length of startup packet"},
		{"version 2", startupPacket(2<<16, "user", "a"), "0A000", "unsupported frontend protocol 2.0"},
		{"no user", startupPacket(wire.Version30, "database", "a"), "28000", "no PostgreSQL user name"},
		{"SSLRequest with a body", lengths(9, "\x04\xd2\x16\x2fx"), "08P01", "encryption was requested before"},
	} {
		p := dial(t, "tcp", h.tcp)
		p.send(c.packet)
		t.Log(c.name)
		p.expectError(c.code, c.problem)
	}
}

func TestPlaintextBehindARequestForEncryptionIsAnAttack(t *testing.T) {
	t.Parallel()
	h := open(t, &Config{TLS: offer(t, TLSPrefer)}, nil)
	for _, request := range [][]byte{askTLS, askGSS} {
		p := dial(t, "tcp", h.tcp)
		p.send(request, alice)
		p.expectError("08P01", "received unencrypted data after SSL request")
	}
	if text := h.log.String(); strings.Count(text, "level=WARN") != 2 {
		t.Errorf("the log:\n%s", text)
	}
}

func TestRequestsForEncryptionAreAnsweredOnceEach(t *testing.T) {
	t.Parallel()
	h := open(t, nil, nil)
	for _, requests := range [][][]byte{{askTLS, askGSS}, {askGSS, askTLS}} {
		p := dial(t, "tcp", h.tcp)
		for _, r := range requests {
			p.send(r)
			if b := p.answer(); b != 'N' {
				t.Fatalf("answer %q", b)
			}
		}
		p.send(alice)
		p.expectWelcome()
	}
	for _, r := range [][]byte{askTLS, askGSS} {
		p := dial(t, "tcp", h.tcp)
		p.send(r)
		p.answer()
		p.send(r)
		p.expectError("08P01", "encryption was requested before")
	}
}

func TestVersionsAreNegotiated(t *testing.T) {
	t.Parallel()
	h := open(t, nil, nil)
	for _, c := range []struct {
		packet []byte
		want   string // body of NegotiateProtocolVersion
		spoken uint32
	}{
		{startupPacket(wire.Version30, "user", "a"), "", wire.Version30},
		{startupPacket(wire.Version32, "user", "a"), "", wire.Version32},
		{startupPacket(3<<16|9999, "user", "a"), "\x00\x03\x00\x02\x00\x00\x00\x00", wire.Version32},
		{startupPacket(wire.Version30, "user", "a", "_pq_.b", "1", "_pq_.c", "2"),
			"\x00\x03\x00\x00\x00\x00\x00\x02_pq_.b\x00_pq_.c\x00", wire.Version30},
	} {
		p := dial(t, "tcp", h.tcp)
		p.send(c.packet)
		if c.want != "" {
			if m, body := p.message(); m != wire.NegotiateProtocolVersion || string(body) != c.want {
				t.Errorf("message %v %q, expected %q", m, body, c.want)
			}
		}
		p.expectWelcome()
		if got := h.next(t).Protocol; got != c.spoken {
			t.Errorf("spoken %x, expected %x", got, c.spoken)
		}
	}
}

func TestCancelRequestsReachTheHook(t *testing.T) {
	t.Parallel()
	type request struct {
		id     uint32
		secret string
	}
	requests := make(chan request, 1)
	release := make(chan struct{})
	h := open(t, &Config{TLS: offer(t, TLSRequire)}, func(o *Options) {
		o.Cancel = func(_ context.Context, id uint32, secret []byte) {
			requests <- request{id, string(secret)}
			<-release
		}
	})
	for _, n := range []int{4, 32, 256} {
		p := dial(t, "tcp", h.tcp)
		secret := bytes.Repeat([]byte{9}, n)
		p.send(wire.AppendCancel(nil, 42, secret))
		if got := <-requests; got != (request{42, string(secret)}) {
			t.Errorf("%+v", got)
		}
		release <- struct{}{} // the connection stays open until the request is delivered
		p.expectEnd()
	}
	for _, n := range []int{0, 3, 257} {
		p := dial(t, "tcp", h.tcp)
		p.send(wire.AppendCancel(nil, 42, make([]byte, n)))
		p.expectEnd()
	}
	if len(requests) != 0 {
		t.Error("a malformed request reached the hook")
	}
}

func TestStartupPacketMayArriveByteByByte(t *testing.T) {
	t.Parallel()
	h := open(t, nil, nil)
	p := dial(t, "tcp", h.tcp)
	name := strings.Repeat("x", 900)
	for _, b := range startupPacket(wire.Version30, "user", "alice", "application_name", name) {
		p.send([]byte{b})
	}
	p.expectWelcome()
	if c := h.next(t); len(c.ApplicationName) != 900 {
		t.Errorf("application name of %d bytes", len(c.ApplicationName))
	}
}

func TestSilentAndSlowClientsAreEndedByTheTimeout(t *testing.T) {
	t.Parallel()
	for name, said := range map[string][]byte{
		"half a length": alice[:2], "half a packet": alice[:len(alice)-1], "no password": alice,
	} {
		h := open(t, &Config{Method: SCRAM, Users: users(t), Timeout: 50 * time.Millisecond}, nil)
		p := dial(t, "tcp", h.tcp)
		p.send(said)
		t.Log(name)
		if len(said) == len(alice) {
			p.message()
		}
		p.expectError("57014", "login timed out")
	}
	h := open(t, &Config{Timeout: 50 * time.Millisecond}, nil)
	// TCP clients that say nothing stay in the kernel.
	dial(t, "unix", h.unix).expectError("57014", "login timed out")
}

func TestTruncatedPacketsEndQuietly(t *testing.T) {
	t.Parallel()
	h := open(t, nil, nil)
	for _, n := range []int{0, 1, 4, 8, len(alice) - 1} {
		p := dial(t, "unix", h.unix)
		p.send(alice[:n])
		if err := p.Conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		p.expectEnd()
	}
	if text := h.log.String(); strings.Contains(text, "level=INFO") {
		t.Errorf("the log:\n%s", text)
	}
}
