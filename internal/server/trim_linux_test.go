package server

import "testing"

func TestMappingsAreRead(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		want mapping
		ok   bool
	}{
		"00400000-01f00000 r-xp 00000000 fd:00 123      /usr/bin/usher": {
			mapping{0x400000, 0x1f00000, false, "/usr/bin/usher"}, true,
		},
		"01f00000-01f10000 rw-p 01b00000 fd:00 123      /opt/my tools/usher": {
			mapping{0x1f00000, 0x1f10000, true, "/opt/my tools/usher"}, true,
		},
		"c000000000-c000400000 rw-p 00000000 00:00 0":             {},
		"7ffd1000-7ffd0000 r-xp 00000000 00:00 0 [vdso]":          {},
		"this is no address r-xp 00000000 00:00 0 /usr/bin/usher": {},
		"": {},
	}
	for line, test := range tests {
		if got, ok := parseMapping(line); ok != test.ok || ok && got != test.want {
			t.Errorf("%q is %+v, %v", line, got, ok)
		}
	}
}

// TestNothingIsLostByTrimming: what was given back comes back when it is needed.
func TestNothingIsLostByTrimming(t *testing.T) {
	t.Parallel()
	for range 3 {
		if err := trim(); err != nil {
			t.Fatal(err)
		}
	}
	if text := parseRoundTrip(t); text != "/usr/bin/usher" {
		t.Errorf("after trimming: %q", text)
	}
}

func parseRoundTrip(t *testing.T) string {
	t.Helper()
	m, ok := parseMapping("00400000-01f00000 r-xp 00000000 fd:00 123 /usr/bin/usher")
	if !ok {
		t.Fatal("a mapping is not read")
	}
	return m.path
}
