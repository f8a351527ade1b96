package carrier

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/usher-pg/usher/internal/wire"
)

// counting counts reads, and how many bytes they asked for.
type counting struct {
	io.Reader
	reads, asked int
}

func (c *counting) Read(p []byte) (int, error) {
	c.reads++
	c.asked += len(p)
	return c.Reader.Read(p)
}

var (
	startup = wire.AppendStartup(nil, wire.Version30, []wire.Param{{Name: "user", Value: "alice"}})
	query   = wire.AppendQuery(nil, "select 1")
)

func TestReaderCutsMessages(t *testing.T) {
	t.Parallel()
	input := bytes.Join([][]byte{startup, query, query, []byte("rest")}, nil)
	for name, wrap := range map[string]func(io.Reader) io.Reader{
		"at once": func(r io.Reader) io.Reader { return r }, "in bytes": iotest.OneByteReader,
		"in halves": iotest.HalfReader, "end with data": iotest.DataErrReader,
	} {
		for _, exact := range []bool{false, true} {
			r := NewReader(wrap(bytes.NewReader(input)), exact)
			if b, err := r.FirstByte(); b != startup[0] || err != nil {
				t.Fatalf("%s: %v, %v", name, b, err)
			}
			if packet, err := r.Startup(); !bytes.Equal(packet, startup) || err != nil {
				t.Fatalf("%s: %q, %v", name, packet, err)
			}
			for range 2 {
				kind, body, err := r.Message(len(query) - wire.HeaderLen)
				if kind != wire.Query || !bytes.Equal(body, query[wire.HeaderLen:]) || err != nil {
					t.Fatalf("%s: %v, %q, %v", name, kind, body, err)
				}
			}
			if exact && len(r.Ahead()) != 0 || !strings.HasPrefix("rest", string(r.Ahead())) {
				t.Errorf("%s, exact %v: ahead %q", name, exact, r.Ahead())
			}
		}
	}
}

func TestReaderReadsAheadOrNotAtAll(t *testing.T) {
	t.Parallel()
	input := append(bytes.Clone(startup), query...)
	ahead := &counting{Reader: bytes.NewReader(input)}
	r := NewReader(ahead, false)
	if _, err := r.Startup(); err != nil || ahead.reads != 1 || !bytes.Equal(r.Ahead(), query) {
		t.Errorf("%v, %d reads, ahead %q", err, ahead.reads, r.Ahead())
	}
	exact := &counting{Reader: bytes.NewReader(input)}
	r = NewReader(exact, true)
	if _, err := r.Startup(); err != nil || exact.asked != len(startup) || len(r.Ahead()) != 0 {
		t.Errorf("%v, %d bytes asked for, expected %d", err, exact.asked, len(startup))
	}
}

func TestReaderChecksLengthsBeforeItReads(t *testing.T) {
	t.Parallel()
	lengths := []string{"\x00\x00\x00\x00", "\x00\x00\x00\x07", "\x00\x00\x27\x11", "\xff\xff\xff\xff"}
	for _, length := range lengths {
		r := NewReader(strings.NewReader(length), true)
		if _, err := r.Startup(); !errors.Is(err, wire.ErrStartup) {
			t.Errorf("startup packet of length %q: %v", length, err)
		}
	}
	lengths = []string{"\x00\x00\x00\x00", "\x00\x00\x00\x03", "\x00\x00\x00\x0f", "\xff\xff\xff\xff"}
	for _, length := range lengths {
		header := "p" + length
		r := NewReader(strings.NewReader(header), true)
		if _, _, err := r.Message(10); !errors.Is(err, wire.ErrLength) {
			t.Errorf("message %q: %v", header, err)
		}
	}
	if _, body, err := NewReader(strings.NewReader("p\x00\x00\x00\x040123456789"), true).Message(0); err != nil {
		t.Errorf("an empty message: %q, %v", body, err)
	}
}

func TestReaderTellsAnEndFromATruncation(t *testing.T) {
	t.Parallel()
	for n := range len(startup) {
		want := io.ErrUnexpectedEOF
		if n == 0 {
			want = io.EOF
		}
		for _, exact := range []bool{false, true} {
			if _, err := NewReader(bytes.NewReader(startup[:n]), exact).Startup(); err != want {
				t.Errorf("after %d bytes, exact %v: %v, expected %v", n, exact, err, want)
			}
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add(append(bytes.Clone(startup), query...), uint8(3), true)
	f.Add([]byte("\x00\x00\x00\x08\x04\xd2\x16\x2f\x16\x03"), uint8(1), false)
	f.Fuzz(func(t *testing.T, input []byte, piece uint8, exact bool) {
		r := NewReader(&pieces{input, int(piece) + 1}, exact)
		left := input
		packet, err := r.Startup()
		if err != nil {
			return
		}
		for limit := 1; ; limit++ {
			if !bytes.HasPrefix(left, packet) || !bytes.HasPrefix(left[len(packet):], r.Ahead()) {
				t.Fatalf("%q ahead %q are not the beginning of %q", packet, r.Ahead(), left)
			}
			left = left[len(packet):]
			kind, body, err := r.Message(limit)
			if err != nil {
				return
			}
			if len(body) > limit {
				t.Fatalf("body of %d bytes, the limit is %d", len(body), limit)
			}
			packet = append([]byte{byte(kind), 0, 0, byte((len(body) + 4) >> 8), byte(len(body) + 4)}, body...)
		}
	})
}

// pieces reads a number of bytes at a time.
type pieces struct {
	left []byte
	size int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.left) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.left[:min(p.size, len(p.left))])
	p.left = p.left[n:]
	return n, nil
}
