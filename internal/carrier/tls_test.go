package carrier

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

func TestTLSEchoesInTheLoop(t *testing.T) {
	t.Parallel()
	for name, v := range variants {
		t.Run(name, func(t *testing.T) {
			c, server, client, _ := tlsPair(t, v)
			const seed = 20261123
			random := rand.New(rand.NewPCG(seed, uint64(v.version)))
			for _, size := range []int{1, 5, 1024, 16384, 16385, 100_000} {
				sent := make([]byte, size)
				for i := range sent {
					sent[i] = byte(random.Uint32())
				}
				answered := make(chan []byte, 1)
				go func() {
					got := make([]byte, size)
					if _, err := client.Write(sent); err != nil {
						got = nil
					} else if _, err := io.ReadFull(client, got); err != nil {
						got = nil
					}
					answered <- got
				}()
				got, err := readLoop(t, c, server, size)
				if err != nil || !bytes.Equal(got, sent) {
					t.Fatalf("%d bytes (seed %d): read %d, %v", size, seed, len(got), err)
				}
				if _, err := server.Write(got); err != nil {
					t.Fatal(err)
				}
				flushLoop(t, c)
				if !bytes.Equal(<-answered, sent) {
					t.Fatalf("%d bytes (seed %d): the echo differs", size, seed)
				}
			}
		})
	}
}

// recorder collects what a client's TLS writes instead of sending it.
type recorder struct {
	net.Conn
	written []byte
	on      bool
}

func (r *recorder) Write(p []byte) (int, error) {
	if !r.on {
		return r.Conn.Write(p)
	}
	r.written = append(r.written, p...)
	return len(p), nil
}

func TestTLSRecordMayArriveByteByByte(t *testing.T) {
	t.Parallel()
	for name, v := range variants {
		t.Run(name, func(t *testing.T) {
			c, peer := pair(t, v.kind)
			r := &recorder{Conn: peer}
			server := tls.Server(c, &tls.Config{
				Certificates: []tls.Certificate{certificate()}, MinVersion: v.version, MaxVersion: v.version,
			})
			client := tls.Client(r, &tls.Config{InsecureSkipVerify: true})
			shaken := make(chan error, 1)
			go func() { shaken <- client.Handshake() }()
			if err := errors.Join(server.Handshake(), <-shaken); err != nil {
				t.Fatal(err)
			}
			detach(t, c)
			r.on = true
			const text = "select 'in pieces'"
			for range 2 {
				if _, err := client.Write([]byte(text)); err != nil {
					t.Fatal(err)
				}
			}
			var got []byte
			scratch := make([]byte, 4096)
			blocked := 0
			for i := range r.written {
				if _, err := peer.Write(r.written[i : i+1]); err != nil {
					t.Fatal(err)
				}
				await(t, c, unix.POLLIN)
				c.Wake(false)
				n, err := server.Read(scratch)
				got = append(got, scratch[:n]...)
				if err == ErrWouldBlock {
					blocked++
				} else if err != nil {
					t.Fatalf("byte %d of %d: %v", i, len(r.written), err)
				}
			}
			if string(got) != text+text || blocked != len(r.written)-2 {
				t.Errorf("read %q, would have blocked %d times in %d bytes", got, blocked, len(r.written))
			}
		})
	}
}

func TestTLSWriteToAFullSocketStaysWhole(t *testing.T) {
	t.Parallel()
	for name, v := range variants {
		t.Run(name, func(t *testing.T) {
			c, server, client, _ := tlsPair(t, v)
			var written []byte
			for i := 0; c.Pending() == 0; i++ {
				chunk := bytes.Repeat([]byte{byte(i)}, 40_000)
				if n, err := server.Write(chunk); n != len(chunk) || err != nil {
					t.Fatalf("Write = %d, %v", n, err)
				}
				written = append(written, chunk...)
			}
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
		})
	}
}

func TestTLSCloseNotifyIsEOF(t *testing.T) {
	t.Parallel()
	for name, v := range variants {
		t.Run(name, func(t *testing.T) {
			c, server, client, _ := tlsPair(t, v)
			if _, err := client.Write([]byte("last words")); err != nil {
				t.Fatal(err)
			}
			if err := client.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			got, err := readLoop(t, c, server, 1000)
			if string(got) != "last words" || err != io.EOF {
				t.Fatalf("read %q, %v, expected EOF", got, err)
			}
			if _, err := server.Write([]byte("farewell")); err != nil {
				t.Fatalf("write after the other side's close_notify: %v", err)
			}
			answer := make([]byte, 8)
			if _, err := io.ReadFull(client, answer); err != nil || string(answer) != "farewell" {
				t.Fatalf("%q, %v", answer, err)
			}
			if err := server.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := client.Read(answer); err != io.EOF {
				t.Errorf("after Close in the loop the client reads %v, expected EOF", err)
			}
			if c.FD() != -1 {
				t.Error("Close of TLS left the descriptor open")
			}
		})
	}
}

func TestTLSStreamCutShortIsAnError(t *testing.T) {
	t.Parallel()
	c, server, _, peer := tlsPair(t, variants["TLS 1.3"])
	if _, err := peer.Write([]byte{23, 3, 3}); err != nil { // the beginning of a record's header
		t.Fatal(err)
	}
	peer.Close()
	if _, err := readLoop(t, c, server, 1); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("%v, expected an unexpected EOF", err)
	}
}

// A TLS 1.3 server sends session tickets behind the handshake: the client's side finds them in the loop.
func TestTLSTicketsAreReadInTheLoop(t *testing.T) {
	t.Parallel()
	c, peer := pair(t, "tcp")
	tickets := 0
	client := tls.Client(c, &tls.Config{
		InsecureSkipVerify: true, ServerName: "usher.test", ClientSessionCache: countingCache{&tickets},
	})
	server := tls.Server(peer, &tls.Config{Certificates: []tls.Certificate{certificate()}})
	shaken := make(chan error, 1)
	go func() { shaken <- server.Handshake() }()
	if err := errors.Join(client.Handshake(), <-shaken); err != nil {
		t.Fatal(err)
	}
	detach(t, c)
	if _, err := server.Write([]byte("Z")); err != nil {
		t.Fatal(err)
	}
	if got, err := readLoop(t, c, client, 1); err != nil || string(got) != "Z" {
		t.Fatalf("read %q, %v", got, err)
	}
	if tickets == 0 {
		t.Error("no session ticket arrived: the test tests nothing")
	}
}

type countingCache struct{ puts *int }

func (c countingCache) Get(string) (*tls.ClientSessionState, bool)  { return nil, false }
func (c countingCache) Put(_ string, state *tls.ClientSessionState) { *c.puts++ }
