package carrier

import (
	"errors"
	"fmt"
	"io"

	"github.com/usher-pg/usher/internal/wire"
)

// Reader cuts what arrives during a login into whole messages. It belongs to goroutine mode: its source
// blocks.
//
// A Reader reads ahead, which makes one system call of most messages; Ahead is what it has read too much, to
// be given back with Unread. A Reader of TLS, where nothing can be given back, is exact: it asks for no byte
// beyond a message, which costs nothing because tls.Conn reads ahead itself.
type Reader struct {
	source io.Reader
	exact  bool
	buffer []byte // its length is what was read
	start  int    // where the next message begins
}

// readerLen is the first size of a Reader's buffer: most start-up packets are shorter.
const readerLen = 512

// NewReader is a Reader of source.
func NewReader(source io.Reader, exact bool) *Reader { return &Reader{source: source, exact: exact} }

// Ahead is what was read and is no part of a message yet. It is valid until the next read.
func (r *Reader) Ahead() []byte { return r.buffer[r.start:] }

// FirstByte is the first byte that was not read yet; it stays unread.
func (r *Reader) FirstByte() (byte, error) {
	b, err := r.need(1)
	if err != nil {
		return 0, err
	}
	return b[0], nil
}

// Startup reads a packet without a type byte: a start-up packet or a request in its place. The packet is
// valid until the next read. io.EOF means that the connection ended before the first byte.
func (r *Reader) Startup() ([]byte, error) {
	head, err := r.need(4)
	if err != nil {
		return nil, err
	}
	length, _, err := wire.StartupLen(head)
	if err != nil {
		return nil, err
	}
	return r.take(length)
}

// Message reads a message with a type byte whose body has at most limit bytes. The body is valid until the
// next read.
func (r *Reader) Message(limit int) (wire.Type, []byte, error) {
	head, err := r.need(wire.HeaderLen)
	if err != nil {
		return 0, nil, err
	}
	t, length, _ := wire.Header(head)
	if length < wire.HeaderLen || length > wire.HeaderLen+limit {
		return t, nil, fmt.Errorf("message %v of %d bytes, expected at most %d: %w", t, length-1, limit+4,
			wire.ErrLength)
	}
	b, err := r.take(length)
	if err != nil {
		return t, nil, err
	}
	return t, b[wire.HeaderLen:], nil
}

func (r *Reader) take(n int) ([]byte, error) {
	b, err := r.need(n)
	if err != nil {
		return nil, err
	}
	r.start += n
	return b, nil
}

// need reads until n bytes are there and returns them, unread.
func (r *Reader) need(n int) ([]byte, error) {
	if have := len(r.buffer) - r.start; have < n {
		r.room(n)
		end := cap(r.buffer)
		if r.exact {
			end = r.start + n
		}
		got, err := io.ReadAtLeast(r.source, r.buffer[len(r.buffer):end], n-have)
		r.buffer = r.buffer[:len(r.buffer)+got]
		if errors.Is(err, io.EOF) && have > 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}
	}
	return r.buffer[r.start : r.start+n : r.start+n], nil
}

// room makes the buffer hold n bytes from start.
func (r *Reader) room(n int) {
	if r.start == len(r.buffer) {
		r.buffer, r.start = r.buffer[:0], 0
	}
	if r.start+n <= cap(r.buffer) {
		return
	}
	grown := make([]byte, 0, max(n, readerLen))
	r.buffer, r.start = append(grown, r.buffer[r.start:]...), 0
}
