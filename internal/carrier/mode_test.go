package carrier

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestAnAcceptedConnThatNeverWaitsKeepsItsDescriptor(t *testing.T) {
	t.Parallel()
	c, peer := pair(t, "tcp accepted")
	before := c.fd
	if _, err := peer.Write([]byte("startup")); err != nil {
		t.Fatal(err)
	}
	await(t, c, unix.POLLIN)
	p := make([]byte, 100)
	if n, err := c.Read(p); string(p[:n]) != "startup" || err != nil {
		t.Fatalf("%q, %v", p[:n], err)
	}
	if _, err := c.Write([]byte("welcome")); err != nil {
		t.Fatal(err)
	}
	detach(t, c)
	if c.FD() != before {
		t.Errorf("descriptor %d, was %d", c.FD(), before)
	}
	if n, err := io.ReadFull(peer, p[:7]); string(p[:n]) != "welcome" || err != nil {
		t.Errorf("%q, %v", p[:n], err)
	}
}

func TestAnAcceptedConnWaitsWhenItMust(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"tcp accepted", "unix accepted"} {
		c, peer := pair(t, kind)
		go func() { _, _ = peer.Write([]byte("late")) }()
		p := make([]byte, 4)
		if n, err := io.ReadFull(c, p); string(p[:n]) != "late" || err != nil {
			t.Fatalf("%s: %q, %v", kind, p[:n], err)
		}
		writer, reader := pair(t, kind)
		sent := bytes.Repeat([]byte("much "), 1<<20)
		received := make(chan []byte, 1)
		go func() {
			all, _ := io.ReadAll(reader)
			received <- all
		}()
		if n, err := writer.Write(sent); n != len(sent) || err != nil || writer.Pending() != 0 {
			t.Fatalf("%s: Write = %d, %v, %d pending", kind, n, err, writer.Pending())
		}
		detach(t, writer)
		writer.Close()
		if !bytes.Equal(<-received, sent) {
			t.Errorf("%s: what arrived is not what was written", kind)
		}
	}
}

func TestInterruptEndsReadsUnderWay(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		for _, before := range []bool{true, false} {
			c, peer := pair(t, kind)
			if before {
				c.Interrupt()
			} else {
				time.AfterFunc(5*time.Millisecond, c.Interrupt)
			}
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s, before %v: %v", kind, before, err)
			}
			if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			if _, err := peer.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			if n, err := c.Read(make([]byte, 1)); n != 1 || err != nil {
				t.Errorf("%s, before %v, after a new deadline: %d, %v", kind, before, n, err)
			}
			detach(t, c)
			c.Interrupt() // must not matter any more
			if _, err := c.Write([]byte("x")); err != nil {
				t.Errorf("%s: write in a loop: %v", kind, err)
			}
			c.Close()
			c.Interrupt()
		}
	}
}

func TestDeadlinesHoldForAcceptedConns(t *testing.T) {
	t.Parallel()
	for _, data := range []string{"", "x"} { // nobody may stretch a login by sending byte by byte
		c, peer := pair(t, "tcp accepted")
		if err := c.SetDeadline(time.Now().Add(-time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := peer.Write([]byte(data)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%q is there: %v", data, err)
		}
	}
	c, _ := pair(t, "tcp accepted")
	if err := c.SetDeadline(time.Now().Add(5 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("silence: %v", err)
	}
}

func TestModesThatDoNotFollowAreBugs(t *testing.T) {
	t.Parallel()
	c, _ := pair(t, "tcp")
	detach(t, c)
	defer func() {
		if r, _ := recover().(string); !strings.HasPrefix(r, "bug: ") {
			t.Errorf("recovered %q", r)
		}
	}()
	_, _ = c.Detach()
}
