package prepared

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/usher-pg/usher/internal/wire"
)

// textLength is the length of the text in a body, which it checks.
func textLength(body []byte) (int, error) {
	length := bytes.IndexByte(body, 0)
	if length < 0 {
		return 0, fmt.Errorf("read Parse: query text: %w", wire.ErrTruncated)
	}
	types := body[length+1:]
	if len(types) < 2 || len(types) != 2+4*int(binary.BigEndian.Uint16(types)) {
		return 0, fmt.Errorf("read Parse: parameter types: %w", wire.ErrTruncated)
	}
	return length, nil
}

// AppendParse appends a Parse message. It is wire.AppendParse for a text and types that are in one piece, as Body cuts
// them.
func AppendParse[B string | []byte](dst []byte, name string, body B) []byte {
	dst = append(dst, byte(wire.Parse))
	dst = binary.BigEndian.AppendUint32(dst, uint32(4+len(name)+1+len(body)))
	dst = append(append(dst, name...), 0)
	return append(dst, body...)
}

// MaxBindHead bounds the two names at the beginning of a Bind message: what a client may call a portal and a
// statement. PostgreSQL truncates neither, and no driver comes near it.
const MaxBindHead = 4096

// BindHead is the beginning of a Bind message, which is all of it that has to be rewritten.
type BindHead struct {
	Portal    []byte
	Statement []byte
	Length    int // bytes of the body that the two names take, zero bytes included
}

// ParseBindHead reads the two names at the beginning of a Bind body, of which as much as has arrived is
// given. It reports whether they are there; it is an error if they do not end within MaxBindHead.
func ParseBindHead(body []byte) (head BindHead, ok bool, err error) {
	portal := bytes.IndexByte(body, 0)
	statement := -1
	if portal >= 0 {
		statement = bytes.IndexByte(body[portal+1:], 0)
	}
	if statement < 0 {
		if len(body) > MaxBindHead {
			return BindHead{}, false, fmt.Errorf("read Bind: names: %w", wire.ErrTruncated)
		}
		return BindHead{}, false, nil
	}
	end := portal + 1 + statement + 1
	if end > MaxBindHead {
		return BindHead{}, false, fmt.Errorf("read Bind: names of %d bytes: %w", end, wire.ErrTruncated)
	}
	return BindHead{Portal: body[:portal], Statement: body[portal+1 : end-1], Length: end}, true, nil
}

// Append appends the header and the beginning of a Bind message of another statement, whose original has a
// body of bodyLength bytes. The rest of the original's body, from Length on, follows unchanged.
func (h BindHead) Append(dst []byte, statement string, bodyLength int) []byte {
	dst = append(dst, byte(wire.Bind))
	dst = binary.BigEndian.AppendUint32(dst, uint32(4+bodyLength-len(h.Statement)+len(statement)))
	dst = append(append(dst, h.Portal...), 0)
	return append(append(dst, statement...), 0)
}
