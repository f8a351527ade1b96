package login

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-pg/usher/internal/pgerr"
	"github.com/usher-pg/usher/internal/wire"
)

func TestStartupPackets(t *testing.T) {
	t.Parallel()
	param := func(name, value string) wire.Param { return wire.Param{Name: name, Value: value} }
	for _, c := range []struct {
		name   string
		packet []byte
		want   startup
	}{
		{"user only", startupPacket(wire.Version30, "user", "alice"),
			startup{user: "alice", database: "alice", version: wire.Version30}},
		{"an empty database is none", startupPacket(wire.Version30, "user", "alice", "database", ""),
			startup{user: "alice", database: "alice", version: wire.Version30}},
		{"the last of a name counts", startupPacket(wire.Version30, "user", "a", "DateStyle", "ISO", "user", "b",
			"client_encoding", "UTF8", "DateStyle", "SQL"),
			startup{user: "b", database: "b", version: wire.Version30,
				params: []wire.Param{param("DateStyle", "SQL"), param("client_encoding", "UTF8")}}},
		{"options", startupPacket(wire.Version30, "user", "a", "options", "-c usher.lane=critical"),
			startup{user: "a", database: "a", version: wire.Version30,
				settings: []wire.Param{param("usher.lane", "critical")}}},
		{"application name", startupPacket(wire.Version32, "user", "a", "application_name", "psql"),
			startup{user: "a", database: "a", version: wire.Version32, applicationName: "psql",
				params: []wire.Param{param("application_name", "psql")}}},
		{"an empty value", startupPacket(wire.Version30, "user", "a", "application_name", ""),
			startup{user: "a", database: "a", version: wire.Version30,
				params: []wire.Param{param("application_name", "")}}},
		{"version 3.1", startupPacket(3<<16|1, "user", "a"), startup{user: "a", database: "a", version: 3<<16 | 1}},
		{"a newer version", startupPacket(3<<16|9999, "user", "a"),
			startup{user: "a", database: "a", version: wire.Version32, negotiate: true}},
		{"protocol options", startupPacket(wire.Version30, "user", "a", "_pq_.x", "1", "_pq_.y", ""),
			startup{user: "a", database: "a", version: wire.Version30, negotiate: true,
				unknown: []string{"_pq_.x", "_pq_.y"}}},
		{"physical replication", startupPacket(wire.Version30, "user", "a", "replication", "On"),
			startup{user: "a", database: "a", version: wire.Version30, replication: "true"}},
		{"logical replication", startupPacket(wire.Version30, "user", "a", "replication", "database"),
			startup{user: "a", database: "a", version: wire.Version30, replication: "database"}},
		{"no replication", startupPacket(wire.Version30, "user", "a", "replication", "0"),
			startup{user: "a", database: "a", version: wire.Version30}},
	} {
		got, err := readStartup(c.packet)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if diff := cmp.Diff(c.want, *got, cmp.AllowUnexported(startup{})); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestStartupPacketsThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	raw := func(rest string) []byte { return lengths(uint32(8+len(rest)), "\x00\x03\x00\x00"+rest) }
	many := func(prefix string, n int) []byte {
		pairs := []string{"user", "a"}
		for i := range n {
			pairs = append(pairs, prefix+strings.Repeat("x", i%7)+string(rune('a'+i%26)), "")
		}
		return startupPacket(wire.Version30, pairs...)
	}
	for _, c := range []struct {
		name   string
		packet []byte
		row    *pgerr.Row
	}{
		{"version 2", startupPacket(2<<16, "user", "a"), pgerr.UnsupportedVersion},
		{"version 4", startupPacket(4<<16, "user", "a"), pgerr.UnsupportedVersion},
		{"a request code of tomorrow", startupPacket(1234<<16 | 5681), pgerr.UnsupportedVersion},
		{"nothing", raw(""), pgerr.ProtocolViolation},
		{"no parameters", raw("\x00"), pgerr.NoUser},
		{"name without end", raw("user"), pgerr.ProtocolViolation},
		{"name without value", raw("user\x00"), pgerr.ProtocolViolation},
		{"value without end", raw("user\x00alice"), pgerr.ProtocolViolation},
		{"no terminator", raw("user\x00alice\x00"), pgerr.ProtocolViolation},
		{"bytes behind the terminator", raw("user\x00alice\x00\x00x"), pgerr.ProtocolViolation},
		{"an empty user", raw("user\x00\x00\x00"), pgerr.NoUser},
		{"replication", startupPacket(wire.Version30, "user", "a", "replication", "maybe"), pgerr.InvalidParameter},
		{"empty replication", startupPacket(wire.Version30, "user", "a", "replication", ""),
			pgerr.InvalidParameter},
		{"a name that is SQL", startupPacket(wire.Version30, "user", "a", "x = 1; drop table t; --", "1"),
			pgerr.InvalidParameter},
		{"too many parameters", many("p", 501), pgerr.ProtocolViolation},
		{"too many protocol options", many("_pq_.", 101), pgerr.ProtocolViolation},
	} {
		_, err := readStartup(c.packet)
		if e, ok := errors.AsType[*pgerr.Error](err); !ok || e.Row != c.row {
			t.Errorf("%s: %v, expected %v", c.name, err, c.row.Message)
		}
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		options string
		want    string // name=value, joined by |; or an error
	}{
		{"", ""},
		{"   ", ""},
		{"-c a=1", "a=1"},
		{"-ca=1", "a=1"},
		{"--a=1", "a=1"},
		{"  -c\ta=1 \n--b=2\v", "a=1|b=2"},
		{"-c a=", "a="},
		{"-c a=b=c", "a=b=c"},
		{"--search-path=x", "search_path=x"},
		{"-c usher.lane=critical", "usher.lane=critical"},
		{`-c a=one\ two`, "a=one two"},
		{`-c a=back\\slash`, `a=back\slash`},
		{`-c a=\`, "a="},
		{`-c a='quoted'`, "a='quoted'"},
		{"-c", "invalid startup parameter"},
		{"-c a", "invalid startup parameter"},
		{"-c =1", "invalid startup parameter"},
		{"--", "invalid startup parameter"},
		{"-c a;b=1", "invalid startup parameter"},
		{"-c 1a=1", "invalid startup parameter"},
		{"-c a..b=1", "invalid startup parameter"},
		{"-c .a=1", "invalid startup parameter"},
		{"-c " + strings.Repeat("a", 129) + "=1", "invalid startup parameter"},
		{"-d 3", "unsupported startup parameter"},
		{"plain", "unsupported startup parameter"},
		{strings.Repeat("--a=1 ", 501), "too many startup parameters"},
	} {
		settings, err := readOptions(c.options)
		var got []string
		for _, s := range settings {
			got = append(got, s.Name+"="+s.Value)
		}
		if err != nil {
			if c.want == "" || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("%.40q: %v, expected %q", c.options, err, c.want)
			}
		} else if strings.Join(got, "|") != c.want {
			t.Errorf("%.40q: %q, expected %q", c.options, got, c.want)
		}
	}
}

func FuzzReadStartup(f *testing.F) {
	f.Add(alice)
	f.Add(startupPacket(wire.Version32, "user", "a", "options", `-c a=b\ c --d=e`, "_pq_.x", "1",
		"replication", "true"))
	f.Add([]byte("\x00\x00\x00\x09\x00\x03\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, packet []byte) {
		length, ok, err := wire.StartupLen(packet)
		if !ok || err != nil || length != len(packet) {
			return
		}
		s, err := readStartup(packet)
		if err != nil {
			if _, ok := errors.AsType[*pgerr.Error](err); !ok {
				t.Errorf("%T: %v", err, err)
			}
			return
		}
		if s.user == "" || s.database == "" || wire.Major(s.version) != 3 || s.version > wire.VersionLatest {
			t.Errorf("%+v", s)
		}
		seen := map[string]bool{}
		for _, p := range s.params {
			if seen[p.Name] || strings.ContainsAny(p.Name+p.Value, "\x00") || !isSettingName(p.Name) {
				t.Errorf("parameter %q", p)
			}
			seen[p.Name] = true
		}
	})
}

func FuzzReadOptions(f *testing.F) {
	f.Add(`-c a=b\ c --d=e -cf=g`)
	f.Add(`\`)
	f.Fuzz(func(t *testing.T, options string) {
		settings, err := readOptions(options)
		if err != nil {
			return
		}
		var again strings.Builder
		for _, s := range settings {
			if !isSettingName(s.Name) {
				t.Fatalf("name %q", s.Name)
			}
			again.WriteString("--" + s.Name + "=")
			for _, b := range []byte(s.Value) {
				again.WriteString("\\" + string([]byte{b}))
			}
			again.WriteString(" ")
		}
		same, err := readOptions(again.String())
		if err != nil || !cmp.Equal(settings, same) {
			t.Errorf("%q: %v, written %q and read %v, %v", options, settings, again.String(), same, err)
		}
	})
}
