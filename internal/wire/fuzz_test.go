package wire

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// A fuzz target of a decoder holds that no input makes it panic, and that what it accepts encodes to the same
// bytes: then nothing was overlooked, and nobody who reads the message otherwise can be told something else.

// same fails unless a message that was built anew has the body it was read from.
func same(t *testing.T, built, body []byte) {
	t.Helper()
	if !bytes.Equal(built[HeaderLen:], body) {
		t.Errorf("read from %q, but encodes to %q", body, built[HeaderLen:])
	}
}

func FuzzHeader(f *testing.F) {
	f.Add(AppendQuery(nil, "SELECT 1"))
	f.Add([]byte{'Q', 0, 0, 0, 3})
	f.Add([]byte{'Q', 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		kind, length, ok := Header(b)
		if !ok || CheckLength(kind, length) != nil {
			return
		}
		if length < HeaderLen || length > MaxMessageLen+1 {
			t.Errorf("length %d is accepted", length)
		}
		again := binary.BigEndian.AppendUint32([]byte{byte(kind)}, uint32(length-1))
		if !bytes.Equal(again, b[:HeaderLen]) {
			t.Errorf("read from %q, but encodes to %q", b[:HeaderLen], again)
		}
	})
}

func FuzzStartup(f *testing.F) {
	f.Add(AppendStartup(nil, Version30, []Param{{"user", "a"}, {"database", "b"}}))
	f.Add(AppendRequest(nil, SSLRequestCode))
	f.Add([]byte("\x00\x00\x00\x0c\x00\x03\x00\x00a\x00b\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		length, ok, err := StartupLen(b)
		if !ok || err != nil || length > len(b) {
			return
		}
		packet := b[:length]
		params, err := ParseStartup(packet)
		if err != nil {
			return
		}
		if again := AppendStartup(nil, StartupCode(packet), params); !bytes.Equal(again, packet) {
			t.Errorf("read from %q, but encodes to %q", packet, again)
		}
	})
}

func FuzzCancel(f *testing.F) {
	f.Add(AppendCancel(nil, 1, []byte("1234")))
	f.Add(AppendCancel(nil, 1, make([]byte, MaxCancelKeyLen+1)))
	f.Fuzz(func(t *testing.T, b []byte) {
		length, ok, err := StartupLen(b)
		if !ok || err != nil || length > len(b) || StartupCode(b[:length]) != CancelRequestCode {
			return
		}
		id, secret, err := ParseCancel(b[:length])
		if err != nil {
			return
		}
		if again := AppendCancel(nil, id, secret); !bytes.Equal(again, b[:length]) {
			t.Errorf("read from %q, but encodes to %q", b[:length], again)
		}
	})
}

func FuzzParseCancel(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x10\x04\xd2\x16\x2e\x00\x00\x00\x011234"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		_, secret, err := ParseCancel(b)
		if err == nil && (len(secret) < MinCancelKeyLen || len(secret) > MaxCancelKeyLen) {
			t.Errorf("a secret of %d bytes is accepted", len(secret))
		}
	})
}

func FuzzClientMessages(f *testing.F) {
	for _, seed := range []string{
		"SELECT 1\x00", "s\x00SELECT $1\x00\x00\x01\x00\x00\x00\x17", "p\x00s\x00\x00\x00\x00\x00\x00\x00",
		"Ss\x00", "P\x00", "", "\x00", "s\x00x\x00\xff\xff",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if text, err := QueryText(body); err == nil {
			same(t, AppendQuery(nil, string(text)), body)
		}
		if name, text, types, err := ParseParts(body); err == nil {
			same(t, AppendParse(nil, string(name), text, types), body)
		}
		if portal, statement, rest, err := BindParts(body); err == nil {
			same(t, AppendBind(nil, portal, string(statement), rest), body)
		}
		if kind, name, err := Target(body); err == nil {
			same(t, AppendTarget(nil, Describe, kind, string(name)), body)
		}
	})
}

func FuzzServerMessages(f *testing.F) {
	for _, seed := range []string{
		"TimeZone\x00UTC\x00", "\x00\x00\x00\x011234", "SELECT 1\x00", "\x00\x02\x00\x00\x00\x01a\xff\xff\xff\xff",
		"\x00\x01\xff\xff\xff\xfe", "", "\x00", "\xff\xff",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if name, value, err := StatusParam(body); err == nil {
			same(t, AppendStatusParam(nil, Param{string(name), string(value)}), body)
		}
		if id, secret, err := KeyData(body); err == nil {
			same(t, AppendKeyData(nil, id, secret), body)
		}
		if tag := Tag(body); tag != nil {
			same(t, AppendTag(nil, string(tag)), body[:len(tag)+1])
		}
		if columns, err := RowColumns(nil, body); err == nil {
			if len(columns) != int(binary.BigEndian.Uint16(body)) {
				t.Errorf("%d columns in %q", len(columns), body)
			}
			same(t, AppendRow(nil, columns), body)
		}
	})
}

func FuzzErrorFields(f *testing.F) {
	f.Add([]byte("SERROR\x00C26000\x00Mgone\x00\x00"))
	f.Add([]byte("C\x00\x00"))
	f.Add([]byte("\x00C26000\x00"))
	f.Add([]byte("C26000"))
	f.Fuzz(func(t *testing.T, body []byte) {
		for kind := range 256 {
			value := ErrorFieldValue(body, ErrorField(kind))
			if value == nil {
				continue
			}
			if bytes.IndexByte(value, 0) >= 0 {
				t.Errorf("field %q holds a zero byte: %q", byte(kind), value)
			}
			if !bytes.Contains(body, append(append([]byte{byte(kind)}, value...), 0)) {
				t.Errorf("field %q is %q, which is not in %q", byte(kind), value, body)
			}
			if kind == 0 {
				t.Error("the terminator is taken for a field")
			}
		}
	})
}
