package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// MaxStartupLen is MAX_STARTUP_PACKET_LENGTH of PostgreSQL's libpq/pqcomm.h.
const MaxStartupLen = 10000

// MaxCancelKeyLen is the longest cancel key of protocol 3.2.
const MaxCancelKeyLen = 256

// MinCancelKeyLen is the shortest cancel key, and the only length protocol 3.0 knows.
const MinCancelKeyLen = 4

// Codes that stand where a protocol version stands in the first packet of a connection.
const (
	CancelRequestCode = 1234<<16 | 5678
	SSLRequestCode    = 1234<<16 | 5679
	GSSENCRequestCode = 1234<<16 | 5680
)

// Protocol versions.
const (
	Version30     = 3 << 16
	Version32     = 3<<16 | 2
	VersionLatest = Version32
)

// Major is the major protocol version in a version code.
func Major(version uint32) int { return int(version >> 16) }

// Minor is the minor protocol version in a version code.
func Minor(version uint32) int { return int(version & 0xffff) }

// Param is a parameter of a start-up packet or of a ParameterStatus.
type Param struct {
	Name, Value string
}

// ErrStartup is wrapped by every error about a start-up packet.
var ErrStartup = errors.New("invalid startup packet")

// StartupLen reads the length at the start of a start-up packet (a message without a type byte), itself included.
// ok is false when b holds less than four bytes.
func StartupLen(b []byte) (length int, ok bool, err error) {
	if len(b) < 4 {
		return 0, false, nil
	}
	length = int(binary.BigEndian.Uint32(b))
	if length < 8 || length > MaxStartupLen {
		return 0, false, fmt.Errorf("length %d, expected 8 to %d: %w", length, MaxStartupLen, ErrStartup)
	}
	return length, true, nil
}

// StartupCode is the version or request code of a whole start-up packet.
func StartupCode(packet []byte) uint32 { return binary.BigEndian.Uint32(packet[4:]) }

// ParseStartup reads the parameters of a whole start-up packet of protocol 3, in their order.
func ParseStartup(packet []byte) ([]Param, error) {
	if len(packet) < 9 {
		return nil, fmt.Errorf("no terminator: %w", ErrStartup)
	}
	b := packet[8:]
	var params []Param
	for {
		name, rest, ok := cutString(b)
		if !ok {
			return nil, fmt.Errorf("parameter name without end: %w", ErrStartup)
		}
		if len(name) == 0 {
			if len(rest) != 0 {
				return nil, fmt.Errorf("%d bytes after the terminator: %w", len(rest), ErrStartup)
			}
			return params, nil
		}
		value, rest, ok := cutString(rest)
		if !ok {
			return nil, fmt.Errorf("parameter value without end: %w", ErrStartup)
		}
		params = append(params, Param{string(name), string(value)})
		b = rest
	}
}

// AppendStartup appends a start-up packet of the given version.
func AppendStartup(dst []byte, version uint32, params []Param) []byte {
	mark := len(dst)
	dst = binary.BigEndian.AppendUint32(append(dst, 0, 0, 0, 0), version)
	for _, p := range params {
		dst = appendString(appendString(dst, p.Name), p.Value)
	}
	return end(append(dst, 0), mark)
}

// AppendRequest appends an SSLRequest or a GSSENCRequest.
func AppendRequest(dst []byte, code uint32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(dst, 8), code)
}

// ParseCancel reads a whole CancelRequest packet. secret is a part of packet.
func ParseCancel(packet []byte) (processID uint32, secret []byte, err error) {
	if n := len(packet) - 12; n < MinCancelKeyLen || n > MaxCancelKeyLen {
		return 0, nil, fmt.Errorf("cancel key of %d bytes, expected %d to %d: %w",
			n, MinCancelKeyLen, MaxCancelKeyLen, ErrStartup)
	}
	return binary.BigEndian.Uint32(packet[8:]), packet[12:], nil
}

// AppendCancel appends a CancelRequest.
func AppendCancel(dst []byte, processID uint32, secret []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(12+len(secret)))
	dst = binary.BigEndian.AppendUint32(dst, CancelRequestCode)
	dst = binary.BigEndian.AppendUint32(dst, processID)
	return append(dst, secret...)
}

// cutString splits b behind its first NUL-terminated string.
func cutString(b []byte) (s, rest []byte, ok bool) {
	i := bytes.IndexByte(b, 0)
	if i < 0 {
		return nil, b, false
	}
	return b[:i], b[i+1:], true
}
