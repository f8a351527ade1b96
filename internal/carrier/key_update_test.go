package carrier

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// crypto/tls never asks for new keys itself, other TLS libraries do. So these tests write a client's records
// by hand (RFC 8446, sections 4.6.3, 5.2 and 7), with the secret that the client's key log gives away.

// recordWriter seals TLS 1.3 records of TLS_AES_128_GCM_SHA256.
type recordWriter struct {
	secret   []byte
	sequence byte
}

func expandLabel(t *testing.T, secret []byte, label string, length int) []byte {
	t.Helper()
	label = "tls13 " + label
	info := string([]byte{0, byte(length), byte(len(label))}) + label + "\x00"
	out, err := hkdf.Expand(sha256.New, secret, info, length)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (w *recordWriter) seal(t *testing.T, kind byte, data []byte) []byte {
	t.Helper()
	block, err := aes.NewCipher(expandLabel(t, w.secret, "key", 16))
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	nonce := expandLabel(t, w.secret, "iv", 12)
	nonce[11] ^= w.sequence
	w.sequence++
	header := []byte{23, 3, 3, 0, byte(len(data) + 1 + aead.Overhead())}
	return aead.Seal(header, nonce, append(bytes.Clone(data), kind), header)
}

func (w *recordWriter) keyUpdate(t *testing.T, requested byte) []byte {
	t.Helper()
	record := w.seal(t, 22, []byte{24, 0, 0, 1, requested})
	w.secret, w.sequence = expandLabel(t, w.secret, "traffic upd", 32), 0
	return record
}

func handMadeClient(t *testing.T) (c *Conn, server, client *tls.Conn, send func([]byte), w *recordWriter) {
	t.Helper()
	c, peer := pair(t, "tcp")
	server = tls.Server(c, &tls.Config{Certificates: []tls.Certificate{certificate()}})
	var log bytes.Buffer
	client = tls.Client(peer, &tls.Config{InsecureSkipVerify: true, KeyLogWriter: &log})
	shaken := make(chan error, 1)
	go func() { shaken <- client.Handshake() }()
	if err := errors.Join(server.Handshake(), <-shaken); err != nil {
		t.Fatal(err)
	}
	if client.ConnectionState().CipherSuite != tls.TLS_AES_128_GCM_SHA256 {
		t.Skip("no AES-GCM in hardware here: the records below would need another cipher")
	}
	w = &recordWriter{}
	for line := range strings.Lines(log.String()) {
		if f := strings.Fields(line); f[0] == "CLIENT_TRAFFIC_SECRET_0" {
			secret, err := hex.DecodeString(f[2])
			if err != nil {
				t.Fatal(err)
			}
			w.secret = secret
		}
	}
	detach(t, c)
	return c, server, client, func(b []byte) {
		t.Helper()
		if _, err := peer.Write(b); err != nil {
			t.Fatal(err)
		}
	}, w
}

func TestTLSKeyUpdateInTheLoop(t *testing.T) {
	t.Parallel()
	c, server, client, send, w := handMadeClient(t)
	update := w.keyUpdate(t, 1)
	send(update[:9])
	await(t, c, unix.POLLIN)
	if _, err := server.Read(make([]byte, 16)); err != ErrWouldBlock {
		t.Fatalf("half a key update: %v", err)
	}
	send(update[9:])
	send(w.seal(t, 23, []byte("new keys")))
	got, err := readLoop(t, c, server, 8)
	if err != nil || string(got) != "new keys" {
		t.Fatalf("read %q, %v", got, err)
	}
	if _, err := server.Write([]byte("mine too")); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 8)
	if _, err := io.ReadFull(client, answer); err != nil || string(answer) != "mine too" {
		t.Fatalf("%q, %v", answer, err)
	}
}

func TestTLSKeyUpdateWhileWritesAreBlocked(t *testing.T) {
	t.Parallel()
	c, server, client, send, w := handMadeClient(t)
	var written []byte
	for c.Pending() == 0 {
		chunk := bytes.Repeat([]byte("full"), 10_000)
		if _, err := server.Write(chunk); err != nil {
			t.Fatal(err)
		}
		written = append(written, chunk...)
	}
	before := c.Pending()
	send(w.keyUpdate(t, 1))
	send(w.seal(t, 23, []byte("hello")))
	if got, err := readLoop(t, c, server, 5); err != nil || string(got) != "hello" {
		t.Fatalf("read %q, %v", got, err)
	}
	if c.Pending() <= before {
		t.Fatalf("the answer to the key update is not queued: %d bytes pending, %d before", c.Pending(), before)
	}
	if _, err := server.Write([]byte("end")); err != nil {
		t.Fatal(err)
	}
	written = append(written, "end"...)
	received := make(chan []byte, 1)
	go func() {
		got := make([]byte, len(written))
		n, _ := io.ReadFull(client, got)
		received <- got[:n]
	}()
	flushLoop(t, c)
	if !bytes.Equal(<-received, written) {
		t.Error("what arrived is not what was written")
	}
}
