package crowd

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"

	"github.com/usher-pg/usher/internal/wire"
)

// script is the bytes of a request, made once. Only the key in them changes.
type script struct {
	bytes []byte
	keyAt int // where the key's digits begin, -1 for none
}

const (
	keyDigits   = 8
	maxKeys     = 99_999_999
	placeholder = "\x01eydigit" // keyDigits bytes that no statement holds
	int4OID     = 23            // pg_type.dat
)

// scriptOf renders a work's messages.
func scriptOf(w Work) (*script, error) {
	switch {
	case w.SQL == "" || strings.IndexByte(w.SQL, 0) >= 0 || strings.Contains(w.SQL, placeholder):
		return nil, errors.New("the work is no statement")
	case w.Keys < 0 || w.Keys > maxKeys:
		return nil, errors.New("too many keys")
	}
	var b []byte
	if w.Simple {
		text := w.SQL
		if w.Keys > 0 {
			text = strings.ReplaceAll(text, "$1", placeholder)
		}
		b = wire.AppendQuery(nil, text)
	} else {
		b = extended(w)
	}
	s := &script{bytes: b, keyAt: bytes.Index(b, []byte(placeholder))}
	if s.keyAt >= 0 {
		if bytes.Count(b, []byte(placeholder)) > 1 {
			return nil, errors.New("the work has its key more than once")
		}
		s.setKey(1)
	}
	return s, nil
}

// extended is what a driver sends that does not keep prepared statements.
func extended(w Work) []byte {
	types, bind := []byte{0, 0}, []byte{0, 0, 0, 0, 0, 0} // no formats, no parameters, no result formats
	if w.Keys > 0 {
		types = binary.BigEndian.AppendUint32([]byte{0, 1}, int4OID)
		bind = append([]byte{0, 0, 0, 1, 0, 0, 0, keyDigits}, placeholder...)
		bind = append(bind, 0, 0)
	}
	b := wire.AppendParse(nil, "", []byte(w.SQL), types)
	b = wire.AppendBind(b, nil, "", bind)
	b = wire.AppendTarget(b, wire.Describe, wire.KindPortal, "")
	b = wire.AppendBody(b, wire.Execute, []byte{0, 0, 0, 0, 0}) // the unnamed portal, all rows
	return wire.AppendEmpty(b, wire.Sync)
}

// setKey writes a key into the request.
func (s *script) setKey(key int) {
	if s.keyAt < 0 {
		return
	}
	for i := s.keyAt + keyDigits - 1; i >= s.keyAt; i-- {
		s.bytes[i] = byte('0' + key%10)
		key /= 10
	}
}
