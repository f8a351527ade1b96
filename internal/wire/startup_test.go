package wire

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func itoa(n int) string { return strconv.Itoa(n) }

func TestAHeaderNeedsFiveBytes(t *testing.T) {
	t.Parallel()
	message := AppendQuery(nil, "SELECT 1")
	for n := range HeaderLen {
		if _, _, ok := Header(message[:n]); ok {
			t.Errorf("a header is read from %d bytes", n)
		}
	}
	kind, length, ok := Header(message[:HeaderLen])
	if !ok || kind != Query || length != len(message) {
		t.Errorf("header %v, %d, %v", kind, length, ok)
	}
}

func TestLengthsNoMessageHasAreRefused(t *testing.T) {
	t.Parallel()
	for onWire, ok := range map[uint32]bool{
		0: false, 3: false, 4: true, 5: true, MaxMessageLen: true, MaxMessageLen + 1: false,
		0x7fffffff: false, 0x80000000: false, 0xffffffff: false,
	} {
		header := binary.BigEndian.AppendUint32([]byte{byte(Query)}, onWire)
		kind, length, _ := Header(header)
		verdict(t, strconv.FormatUint(uint64(onWire), 16), ok, CheckLength(kind, length))
	}
}

func TestTheLengthOfAStartupPacketHasBounds(t *testing.T) {
	t.Parallel()
	for n := range 4 {
		if _, ok, err := StartupLen(make([]byte, n)); ok || err != nil {
			t.Errorf("of %d bytes a length is read: %v", n, err)
		}
	}
	for onWire, ok := range map[uint32]bool{
		0: false, 7: false, 8: true, MaxStartupLen: true, MaxStartupLen + 1: false, 0xffffffff: false,
	} {
		length, there, err := StartupLen(binary.BigEndian.AppendUint32(nil, onWire))
		verdict(t, strconv.FormatUint(uint64(onWire), 10), ok, err)
		if ok && (!there || length != int(onWire)) {
			t.Errorf("length %d is read as %d, %v", onWire, length, there)
		}
	}
}

func TestStartupParametersKeepTheirOrder(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, rest string
		want       []Param
		ok         bool
	}{
		{"none", "\x00", nil, true},
		{"two", "user\x00a\x00database\x00b\x00\x00", []Param{{"user", "a"}, {"database", "b"}}, true},
		{"twice the same", "a\x001\x00a\x002\x00\x00", []Param{{"a", "1"}, {"a", "2"}}, true},
		{"empty value", "a\x00\x00\x00", []Param{{"a", ""}}, true},
		{"nothing", "", nil, false},
		{"no terminator", "a\x00b\x00", nil, false},
		{"name without end", "a", nil, false},
		{"value without end", "a\x00b", nil, false},
		{"name without value", "a\x00", nil, false},
		{"bytes behind the terminator", "\x00x", nil, false},
	} {
		packet := append(binary.BigEndian.AppendUint32(nil, uint32(8+len(c.rest))), 0, 3, 0, 0)
		got, err := ParseStartup(append(packet, c.rest...))
		verdict(t, c.name, c.ok, err)
		if c.ok {
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.name, diff)
			}
		}
	}
}

func TestStartupPacketsAreReadAsTheyWereBuilt(t *testing.T) {
	t.Parallel()
	params := []Param{{"user", "a"}, {"options", "-c x=1"}}
	packet := AppendStartup(nil, Version32, params)
	length, ok, err := StartupLen(packet)
	if !ok || err != nil || length != len(packet) || StartupCode(packet) != Version32 {
		t.Fatalf("length %d of %d, code %x, %v", length, len(packet), StartupCode(packet), err)
	}
	got, err := ParseStartup(packet)
	if diff := cmp.Diff(params, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, code := range []uint32{SSLRequestCode, GSSENCRequestCode} {
		request := AppendRequest(nil, code)
		length, ok, err := StartupLen(request)
		if got := StartupCode(request); !ok || err != nil || length != len(request) || got != code {
			t.Errorf("request %d: length %d of %d, code %d, %v", code, length, len(request), got, err)
		}
	}
	for version, want := range map[uint32][2]int{
		Version30: {3, 0}, Version32: {3, 2}, 2 << 16: {2, 0}, 0xffffffff: {65535, 65535},
	} {
		if Major(version) != want[0] || Minor(version) != want[1] {
			t.Errorf("version %x is %d.%d", version, Major(version), Minor(version))
		}
	}
}

func TestACancelRequestHoldsFourTo256Bytes(t *testing.T) {
	t.Parallel()
	for length, ok := range map[int]bool{0: false, 3: false, 4: true, 32: true, 256: true, 257: false} {
		secret := bytes.Repeat([]byte{7}, length)
		packet := AppendCancel(nil, 42, secret)
		n, _, err := StartupLen(packet)
		if code := StartupCode(packet); err != nil || n != len(packet) || code != CancelRequestCode {
			t.Errorf("%d bytes: length %d of %d, code %d, %v", length, n, len(packet), code, err)
		}
		id, got, err := ParseCancel(packet)
		verdict(t, itoa(length), ok, err)
		if ok && (id != 42 || !bytes.Equal(got, secret)) {
			t.Errorf("%d bytes: process %d, secret of %d bytes", length, id, len(got))
		}
	}
	if _, _, err := ParseCancel(nil); err == nil {
		t.Error("an empty packet is accepted")
	}
}
