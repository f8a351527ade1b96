package carrier

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long a test waits for what must come.
const patience = 10 * time.Second

// kinds are the Conns there are, for pair.
var kinds = []string{"tcp", "unix", "tcp accepted", "unix accepted"}

// pair is a Conn and the net.Conn at its other end, both closed when the test ends.
func pair(t *testing.T, kind string) (*Conn, net.Conn) {
	t.Helper()
	network, _, isAccepted := strings.Cut(kind, " ")
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(t.TempDir(), "s")
	}
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	peer, err := net.Dial(network, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	nc, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c := New(nc)
	if isAccepted {
		fd, err := c.Detach() // a descriptor as accept gives it
		if err != nil {
			t.Fatal(err)
		}
		c = Accepted(fd, c.local, c.remote)
	}
	t.Cleanup(func() { c.Close(); peer.Close() })
	deadline := time.Now().Add(patience)
	if err := errors.Join(peer.SetDeadline(deadline), c.SetDeadline(deadline)); err != nil {
		t.Fatal(err)
	}
	return c, peer
}

func detach(t *testing.T, c *Conn) {
	t.Helper()
	fd, err := c.Detach()
	if err != nil {
		t.Fatal(err)
	}
	if fd != c.FD() || fd < 0 || !c.Detached() {
		t.Fatalf("Detach = %d, FD = %d, Detached = %v", fd, c.FD(), c.Detached())
	}
}

// await blocks until the descriptor is ready for events.
func await(t *testing.T, c *Conn, events int16) {
	t.Helper()
	fds := []unix.PollFd{{Fd: int32(c.fd), Events: events}}
	for {
		n, err := unix.Poll(fds, int(patience.Milliseconds()))
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			t.Fatalf("descriptor is not ready in %v: %d, %v", patience, n, err)
		}
		return
	}
}

// readLoop reads at least n bytes from r as a loop would: until ErrWouldBlock, then waiting for the
// descriptor.
func readLoop(t *testing.T, c *Conn, r net.Conn, n int) ([]byte, error) {
	t.Helper()
	var got []byte
	scratch := make([]byte, 4096)
	for len(got) < n {
		m, err := r.Read(scratch)
		got = append(got, scratch[:m]...)
		if errors.Is(err, ErrWouldBlock) {
			await(t, c, unix.POLLIN)
			c.Wake(false)
			continue
		}
		if err != nil {
			return got, err
		}
	}
	return got, nil
}

// flushLoop sends what is pending.
func flushLoop(t *testing.T, c *Conn) {
	t.Helper()
	for {
		done, err := c.Flush()
		if err != nil {
			t.Fatal(err)
		}
		if done {
			return
		}
		await(t, c, unix.POLLOUT)
	}
}

var certificate = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "usher.test"}, DNSNames: []string{"usher.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})

// variant is a version of TLS over a kind of Conn.
type variant struct {
	version uint16
	kind    string
}

var variants = map[string]variant{
	"TLS 1.2":             {tls.VersionTLS12, "tcp"},
	"TLS 1.3":             {tls.VersionTLS13, "tcp"},
	"TLS 1.2 of accepted": {tls.VersionTLS12, "tcp accepted"},
	"TLS 1.3 of accepted": {tls.VersionTLS13, "unix accepted"},
}

// tlsPair shakes hands on a pair in goroutine mode and detaches the server's side.
func tlsPair(t *testing.T, v variant) (c *Conn, server, client *tls.Conn, peer net.Conn) {
	t.Helper()
	c, peer = pair(t, v.kind)
	server = tls.Server(c, &tls.Config{
		Certificates: []tls.Certificate{certificate()}, MinVersion: v.version, MaxVersion: v.version,
	})
	client = tls.Client(peer, &tls.Config{InsecureSkipVerify: true, ServerName: "usher.test"})
	shaken := make(chan error, 1)
	go func() { shaken <- client.Handshake() }()
	if err := errors.Join(server.Handshake(), <-shaken); err != nil {
		t.Fatal(err)
	}
	detach(t, c)
	return c, server, client, peer
}
