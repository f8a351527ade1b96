package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// HeaderLen is the type byte and the four-byte length every message begins with after the login.
const HeaderLen = 5

// MaxMessageLen is PostgreSQL's own limit of a message from a client: PQ_LARGE_MESSAGE_LIMIT in libpq/libpq.h
// (MaxAllocSize - 1). A server's messages obey it too, because a field cannot be larger.
const MaxMessageLen = 0x3fffffff - 1

// ErrLength is wrapped by every error about a length that cannot be.
var ErrLength = errors.New("invalid message length")

// ErrTruncated is wrapped by every error about a message that ends too early.
var ErrTruncated = errors.New("message ends too early")

// Header reads the header at the start of b: the type and the whole length on the wire, header and type included.
// ok is false when b holds less than a header. A length that no message can have is returned as it is:
// CheckLength judges it.
func Header(b []byte) (t Type, length int, ok bool) {
	if len(b) < HeaderLen {
		return 0, 0, false
	}
	return Type(b[0]), int(binary.BigEndian.Uint32(b[1:])) + 1, true
}

// CheckLength refuses a message length (as Header returns it) below the header or above the protocol's limit.
func CheckLength(t Type, length int) error {
	if length < HeaderLen || length > MaxMessageLen+1 {
		return fmt.Errorf("message %v of %d bytes: %w", t, length-1, ErrLength)
	}
	return nil
}

// begin appends a header whose length end fills in.
func begin(dst []byte, t Type) (out []byte, mark int) {
	return append(dst, byte(t), 0, 0, 0, 0), len(dst) + 1
}

func end(dst []byte, mark int) []byte {
	binary.BigEndian.PutUint32(dst[mark:], uint32(len(dst)-mark))
	return dst
}

func appendString(dst []byte, s string) []byte {
	return append(append(dst, s...), 0)
}
