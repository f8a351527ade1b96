package wire

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAnErrorFieldIsFoundByItsKind(t *testing.T) {
	t.Parallel()
	const whole = "SERROR\x00VERROR\x00C26000\x00Mno such statement\x00\x00"
	for _, c := range []struct {
		name, body string
		field      ErrorField
		value      string
		there      bool
	}{
		{"first", whole, FieldSeverity, "ERROR", true},
		{"in the middle", whole, FieldCode, "26000", true},
		{"last", whole, FieldMessage, "no such statement", true},
		{"absent", whole, FieldDetail, "", false},
		{"empty value", "D\x00M\x00\x00", FieldDetail, "", true},
		{"the first of two counts", "Ma\x00Mb\x00\x00", FieldMessage, "a", true},
		{"no fields", "\x00", FieldCode, "", false},
		{"no body", "", FieldCode, "", false},
		{"a value without end", "C260", FieldCode, "", false},
		{"no terminator", "C26000\x00", FieldCode, "26000", true},
		{"cut off behind the field asked for", "C26000\x00Mno su", FieldCode, "26000", true},
	} {
		value := ErrorFieldValue([]byte(c.body), c.field)
		if string(value) != c.value || (value != nil) != c.there {
			t.Errorf("%s: %q (nil: %v), expected %q", c.name, value, value == nil, c.value)
		}
	}
}

func TestAParameterStatusSplitsIntoNameAndValue(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, body, param, value string
		ok                       bool
	}{
		{"both", "TimeZone\x00UTC\x00", "TimeZone", "UTC", true},
		{"empty value", "a\x00\x00", "a", "", true},
		{"nothing", "", "", "", false},
		{"name without end", "a", "", "", false},
		{"value without end", "a\x00b", "", "", false},
		{"bytes behind the value", "a\x00b\x00c", "", "", false},
	} {
		param, value, err := StatusParam([]byte(c.body))
		verdict(t, c.name, c.ok, err)
		if c.ok && (string(param) != c.param || string(value) != c.value) {
			t.Errorf("%s: %q = %q, expected %q = %q", c.name, param, value, c.param, c.value)
		}
	}
}

func TestATagEndsAtItsTerminator(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		"SELECT 1\x00": "SELECT 1", "\x00": "", "COMMIT\x00rest": "COMMIT",
		"COMMIT": "", "": "", // without an end it is no tag: nothing may be concluded from a part of one
	} {
		if got := Tag([]byte(body)); string(got) != want {
			t.Errorf("tag of %q is %q, expected %q", body, got, want)
		}
	}
}

func TestKeyDataHoldsFourTo256Bytes(t *testing.T) {
	t.Parallel()
	for length, ok := range map[int]bool{0: false, 3: false, 4: true, 32: true, 256: true, 257: false} {
		secret := bytes.Repeat([]byte{7}, length)
		body := append(binary.BigEndian.AppendUint32(nil, 42), secret...)
		id, got, err := KeyData(body)
		verdict(t, itoa(length), ok, err)
		if ok && (id != 42 || !bytes.Equal(got, secret)) {
			t.Errorf("%d bytes: process %d, secret of %d bytes", length, id, len(got))
		}
	}
	for _, body := range []string{"", "\x00", "\x00\x00\x00\x2a"} {
		if _, _, err := KeyData([]byte(body)); err == nil {
			t.Errorf("%q is accepted", body)
		}
	}
}

func TestARowSplitsIntoColumns(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, body string
		want       [][]byte
		ok         bool
	}{
		{"none", "\x00\x00", nil, true},
		{"one", "\x00\x01\x00\x00\x00\x02ab", [][]byte{[]byte("ab")}, true},
		{"NULL and empty", "\x00\x02\xff\xff\xff\xff\x00\x00\x00\x00", [][]byte{nil, {}}, true},
		{"nothing", "", nil, false},
		{"half a count", "\x00", nil, false},
		{"no columns behind the count", "\x00\x01", nil, false},
		{"half a length", "\x00\x01\x00\x00", nil, false},
		{"half a column", "\x00\x01\x00\x00\x00\x02a", nil, false},
		{"the longest length", "\x00\x01\x7f\xff\xff\xffa", nil, false},
		{"bytes too many", "\x00\x01\x00\x00\x00\x01ab", nil, false},
	} {
		got, err := RowColumns(nil, []byte(c.body))
		verdict(t, c.name, c.ok, err)
		if c.ok {
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.name, diff)
			}
		}
	}
}

func TestColumnsCannotGrowIntoTheirNeighbours(t *testing.T) {
	t.Parallel()
	body := AppendRow(nil, [][]byte{[]byte("a"), []byte("b")})[HeaderLen:]
	columns, err := RowColumns(nil, body)
	if err != nil {
		t.Fatal(err)
	}
	_ = append(columns[0], "xxxxxxxx"...)
	if string(columns[1]) != "b" {
		t.Errorf("appending to the first column made the second %q", columns[1])
	}
}

func TestWhatIsBuiltForAClientParses(t *testing.T) {
	t.Parallel()
	kind, body := split(t, AppendStatusParam(nil, Param{"TimeZone", "UTC"}))
	if name, value, err := StatusParam(body); kind != ParameterStatus || err != nil ||
		string(name) != "TimeZone" || string(value) != "UTC" {
		t.Errorf("ParameterStatus: %v, %q, %q, %v", kind, name, value, err)
	}
	kind, body = split(t, AppendKeyData(nil, 7, []byte("12345678")))
	id, secret, err := KeyData(body)
	if kind != BackendKeyData || err != nil || id != 7 || string(secret) != "12345678" {
		t.Errorf("BackendKeyData: %v, %d, %q, %v", kind, id, secret, err)
	}
	if kind, body = split(t, AppendReady(nil, StatusFailed)); kind != ReadyForQuery || string(body) != "E" {
		t.Errorf("ReadyForQuery: %v, %q", kind, body)
	}
	kind, body = split(t, AppendTag(nil, "SELECT 1"))
	if kind != CommandComplete || string(Tag(body)) != "SELECT 1" {
		t.Errorf("CommandComplete: %v, %q", kind, body)
	}
	kind, body = split(t, AppendAuth(nil, AuthSASL, []byte("SCRAM\x00\x00")))
	if kind != Authentication || string(body) != "\x00\x00\x00\x0aSCRAM\x00\x00" {
		t.Errorf("Authentication: %v, %q", kind, body)
	}
	kind, body = split(t, AppendNegotiate(nil, Version32, []string{"_pq_.a"}))
	if kind != NegotiateProtocolVersion || string(body) != "\x00\x03\x00\x02\x00\x00\x00\x01_pq_.a\x00" {
		t.Errorf("NegotiateProtocolVersion: %v, %q", kind, body)
	}
	row := [][]byte{[]byte("a"), nil, {}}
	kind, body = split(t, AppendRow(nil, row))
	columns, err := RowColumns(nil, body)
	if diff := cmp.Diff(row, columns); kind != DataRow || err != nil || diff != "" {
		t.Errorf("DataRow: %v, %v (-want +got):\n%s", kind, err, diff)
	}
	kind, body = split(t, AppendRowDescription(nil, []Column{{Name: "a", OID: 25, Size: -1}}))
	want := "\x00\x01a\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x19\xff\xff\xff\xff\xff\xff\x00\x00"
	if kind != RowDescription || string(body) != want {
		t.Errorf("RowDescription: %v, %q, expected %q", kind, body, want)
	}
}

func TestAnErrorIsBuiltWithoutItsEmptyParts(t *testing.T) {
	t.Parallel()
	message := AppendError(nil, ErrorResponse, ErrorPart{FieldCode, "26000"}, ErrorPart{FieldDetail, ""},
		ErrorPart{FieldMessage, "gone"})
	kind, body := split(t, message)
	if kind != ErrorResponse || string(body) != "C26000\x00Mgone\x00\x00" {
		t.Errorf("%v %q", kind, body)
	}
}

func TestTypesKnowTheirDirection(t *testing.T) {
	t.Parallel()
	const client, server = "BCDEFHPQSXcdf", "123ACDEGHINSTVWZcdnst"
	for b := range 256 {
		typ := Type(b)
		if got, want := typ.IsClient(), strings.ContainsRune(client, rune(b)); got != want {
			t.Errorf("%v: from a client %v, expected %v", typ, got, want)
		}
		if got, want := typ.IsServer(), strings.ContainsRune(server, rune(b)); got != want {
			t.Errorf("%v: from a server %v, expected %v", typ, got, want)
		}
	}
	for typ, want := range map[Type]string{
		Query: "'Q'", 0: "0x00", 0x1f: "0x1f", 0x7f: "0x7f", 0xff: "0xff", ' ': "' '",
	} {
		if got := typ.String(); got != want {
			t.Errorf("type %d is shown as %s, expected %s", byte(typ), got, want)
		}
	}
}
