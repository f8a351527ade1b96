package wire

import (
	"encoding/binary"
	"fmt"
)

// QueryText is the text of a Query body.
func QueryText(body []byte) ([]byte, error) {
	text, rest, ok := cutString(body)
	if !ok || len(rest) != 0 {
		return nil, fmt.Errorf("message Query: %w", ErrTruncated)
	}
	return text, nil
}

// ParseParts splits a Parse body. types holds the parameter type OIDs as they stand on the wire, count included, so
// that text and types together are the statement's identity.
func ParseParts(body []byte) (name, text, types []byte, err error) {
	name, rest, ok := cutString(body)
	if !ok {
		return nil, nil, nil, fmt.Errorf("message Parse: statement name: %w", ErrTruncated)
	}
	text, types, ok = cutString(rest)
	if !ok {
		return nil, nil, nil, fmt.Errorf("message Parse: query text: %w", ErrTruncated)
	}
	if len(types) < 2 || len(types) != 2+4*int(binary.BigEndian.Uint16(types)) {
		return nil, nil, nil, fmt.Errorf("message Parse: parameter types: %w", ErrTruncated)
	}
	return name, text, types, nil
}

// BindParts splits a Bind body into portal name, statement name and the rest, which is not looked at.
func BindParts(body []byte) (portal, statement, rest []byte, err error) {
	portal, rest, ok := cutString(body)
	if !ok {
		return nil, nil, nil, fmt.Errorf("message Bind: portal name: %w", ErrTruncated)
	}
	statement, rest, ok = cutString(rest)
	if !ok {
		return nil, nil, nil, fmt.Errorf("message Bind: statement name: %w", ErrTruncated)
	}
	return portal, statement, rest, nil
}

// Target splits a Describe or Close body: KindStatement or KindPortal, and the name.
func Target(body []byte) (kind byte, name []byte, err error) {
	if len(body) < 2 {
		return 0, nil, fmt.Errorf("message Describe or Close: %w", ErrTruncated)
	}
	name, rest, ok := cutString(body[1:])
	if !ok || len(rest) != 0 {
		return 0, nil, fmt.Errorf("message Describe or Close: name: %w", ErrTruncated)
	}
	if body[0] != KindStatement && body[0] != KindPortal {
		return 0, nil, fmt.Errorf("message Describe or Close: kind %v, expected 'S' or 'P'", Type(body[0]))
	}
	return body[0], name, nil
}

// AppendQuery appends a Query.
func AppendQuery(dst []byte, text string) []byte {
	dst, mark := begin(dst, Query)
	return end(appendString(dst, text), mark)
}

// AppendParse appends a Parse. types is as ParseParts returns it.
func AppendParse(dst []byte, name string, text, types []byte) []byte {
	dst, mark := begin(dst, Parse)
	dst = appendString(dst, name)
	dst = append(append(dst, text...), 0)
	return end(append(dst, types...), mark)
}

// AppendBind appends a Bind of another statement; rest is as BindParts returns it.
func AppendBind(dst, portal []byte, statement string, rest []byte) []byte {
	dst, mark := begin(dst, Bind)
	dst = append(append(dst, portal...), 0)
	dst = appendString(dst, statement)
	return end(append(dst, rest...), mark)
}

// AppendTarget appends a Describe or a Close.
func AppendTarget(dst []byte, t Type, kind byte, name string) []byte {
	dst, mark := begin(dst, t)
	return end(appendString(append(dst, kind), name), mark)
}

// AppendEmpty appends a message without a body: Sync, Flush, Terminate, CopyDone, ParseComplete, CloseComplete, ….
func AppendEmpty(dst []byte, t Type) []byte {
	return append(dst, byte(t), 0, 0, 0, 4)
}

// AppendBody appends a message of a type and a body.
func AppendBody(dst []byte, t Type, body []byte) []byte {
	dst, mark := begin(dst, t)
	return end(append(dst, body...), mark)
}

// AppendPassword appends a password, SASLInitialResponse or SASLResponse body under type 'p'.
func AppendPassword(dst, body []byte) []byte {
	dst, mark := begin(dst, PasswordOrSASL)
	return end(append(dst, body...), mark)
}
