package wire

import (
	"encoding/binary"
	"fmt"
)

// Authentication request codes.
const (
	AuthOK           = 0
	AuthCleartext    = 3
	AuthMD5          = 5
	AuthSASL         = 10
	AuthSASLContinue = 11
	AuthSASLFinal    = 12
)

// ErrorField is the type byte of a field of an ErrorResponse or NoticeResponse.
type ErrorField byte

// The fields usher reads or writes.
const (
	FieldSeverity      ErrorField = 'S'
	FieldSeverityPlain ErrorField = 'V'
	FieldCode          ErrorField = 'C'
	FieldMessage       ErrorField = 'M'
	FieldDetail        ErrorField = 'D'
	FieldHint          ErrorField = 'H'
	FieldRoutine       ErrorField = 'R'
)

// ErrorFieldValue is the value of a field of an ErrorResponse or NoticeResponse body. An absent field is nil:
// no field is certain to be there (PgBouncer's CVE-2026-6666).
func ErrorFieldValue(body []byte, field ErrorField) []byte {
	for len(body) > 1 && body[0] != 0 {
		kind := body[0]
		value, rest, ok := cutString(body[1:])
		if !ok {
			return nil
		}
		if ErrorField(kind) == field {
			return value
		}
		body = rest
	}
	return nil
}

// StatusParam splits a ParameterStatus body.
func StatusParam(body []byte) (name, value []byte, err error) {
	name, rest, ok := cutString(body)
	if !ok {
		return nil, nil, fmt.Errorf("message ParameterStatus: name: %w", ErrTruncated)
	}
	value, rest, ok = cutString(rest)
	if !ok || len(rest) != 0 {
		return nil, nil, fmt.Errorf("message ParameterStatus: value: %w", ErrTruncated)
	}
	return name, value, nil
}

// Tag is the command tag of a CommandComplete body.
func Tag(body []byte) []byte {
	tag, _, _ := cutString(body)
	return tag
}

// KeyData splits a BackendKeyData body.
func KeyData(body []byte) (processID uint32, secret []byte, err error) {
	if n := len(body) - 4; n < MinCancelKeyLen || n > MaxCancelKeyLen {
		return 0, nil, fmt.Errorf("message BackendKeyData: key of %d bytes: %w", n, ErrLength)
	}
	return binary.BigEndian.Uint32(body), body[4:], nil
}

// RowColumns splits a DataRow body into its columns, appended to dst; NULL is nil.
func RowColumns(dst [][]byte, body []byte) ([][]byte, error) {
	if len(body) < 2 {
		return dst, fmt.Errorf("message DataRow: %w", ErrTruncated)
	}
	n := int(binary.BigEndian.Uint16(body))
	body = body[2:]
	for range n {
		if len(body) < 4 {
			return dst, fmt.Errorf("message DataRow: column length: %w", ErrTruncated)
		}
		size := int(int32(binary.BigEndian.Uint32(body)))
		body = body[4:]
		if size == -1 {
			dst = append(dst, nil)
			continue
		}
		if size < 0 || size > len(body) {
			return dst, fmt.Errorf("message DataRow: column: %w", ErrTruncated)
		}
		dst = append(dst, body[:size:size])
		body = body[size:]
	}
	if len(body) != 0 {
		return dst, fmt.Errorf("message DataRow: %d bytes too many: %w", len(body), ErrLength)
	}
	return dst, nil
}

// AppendAuth appends an Authentication message with its code and data.
func AppendAuth(dst []byte, code uint32, data []byte) []byte {
	dst, mark := begin(dst, Authentication)
	return end(append(binary.BigEndian.AppendUint32(dst, code), data...), mark)
}

// AppendStatusParam appends a ParameterStatus.
func AppendStatusParam(dst []byte, p Param) []byte {
	dst, mark := begin(dst, ParameterStatus)
	return end(appendString(appendString(dst, p.Name), p.Value), mark)
}

// AppendKeyData appends a BackendKeyData.
func AppendKeyData(dst []byte, processID uint32, secret []byte) []byte {
	dst, mark := begin(dst, BackendKeyData)
	return end(append(binary.BigEndian.AppendUint32(dst, processID), secret...), mark)
}

// AppendReady appends a ReadyForQuery.
func AppendReady(dst []byte, status byte) []byte {
	return append(dst, byte(ReadyForQuery), 0, 0, 0, 5, status)
}

// AppendTag appends a CommandComplete.
func AppendTag(dst []byte, tag string) []byte {
	dst, mark := begin(dst, CommandComplete)
	return end(appendString(dst, tag), mark)
}

// AppendNegotiate appends a NegotiateProtocolVersion: the newest minor version spoken, and the options not known.
func AppendNegotiate(dst []byte, version uint32, options []string) []byte {
	dst, mark := begin(dst, NegotiateProtocolVersion)
	dst = binary.BigEndian.AppendUint32(dst, version)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(options)))
	for _, option := range options {
		dst = appendString(dst, option)
	}
	return end(dst, mark)
}

// Column describes a column of text format.
type Column struct {
	Name string
	OID  uint32
	Size int16
}

// AppendRowDescription appends a RowDescription of text columns that belong to no table.
func AppendRowDescription(dst []byte, columns []Column) []byte {
	dst, mark := begin(dst, RowDescription)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(columns)))
	for _, c := range columns {
		dst = appendString(dst, c.Name)
		dst = append(dst, 0, 0, 0, 0, 0, 0) // table OID, column number
		dst = binary.BigEndian.AppendUint32(dst, c.OID)
		dst = binary.BigEndian.AppendUint16(dst, uint16(c.Size))
		dst = append(dst, 0xff, 0xff, 0xff, 0xff, 0, 0) // type modifier -1, text format
	}
	return end(dst, mark)
}

// AppendRow appends a DataRow of text values; nil is NULL.
func AppendRow(dst []byte, values [][]byte) []byte {
	dst, mark := begin(dst, DataRow)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(values)))
	for _, v := range values {
		if v == nil {
			dst = append(dst, 0xff, 0xff, 0xff, 0xff)
			continue
		}
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(v)))
		dst = append(dst, v...)
	}
	return end(dst, mark)
}

// ErrorPart is a field to put into an ErrorResponse or NoticeResponse; an empty one is left out.
type ErrorPart struct {
	Field ErrorField
	Value string
}

// AppendError appends an ErrorResponse or a NoticeResponse.
func AppendError(dst []byte, t Type, parts ...ErrorPart) []byte {
	dst, mark := begin(dst, t)
	for _, p := range parts {
		if p.Value != "" {
			dst = appendString(append(dst, byte(p.Field)), p.Value)
		}
	}
	return end(append(dst, 0), mark)
}
