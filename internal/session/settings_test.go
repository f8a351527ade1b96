package session

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-pg/usher/internal/wire"
)

// with makes a set of the texts of statements.
func with(t *testing.T, s *Settings, texts ...string) *Settings {
	t.Helper()
	for _, text := range texts {
		change, ok := ParseChange([]byte(text))
		if !ok {
			t.Fatalf("%s is not understood", text)
		}
		next, err := s.With(change)
		if err != nil {
			t.Fatal(err)
		}
		s = next
	}
	return s
}

func TestEqualSetsAreTheSamePointer(t *testing.T) {
	t.Parallel()
	a := with(t, nil, "SET x = 1", "SET app.y = '2'", "LOAD 'a'")
	b := with(t, nil, "LOAD 'a'", "SET app.y = '3'", "set  X=1;", "SET APP.y TO '2'")
	if a != b {
		t.Errorf("%s\n%s", a, b)
	}
	if c := with(t, a, "SET x = 2"); c == a {
		t.Error("a different value is the same set")
	}
	if c := with(t, a, "SET x = 2", "SET x = 1"); c != a {
		t.Error("there and back is another set")
	}
	if c := with(t, nil, "SET x = 1", "RESET x"); c != nil {
		t.Errorf("the empty set is %v", c)
	}
}

func TestResetRemovesWhatPostgreSQLResets(t *testing.T) {
	t.Parallel()
	s := with(t, nil, "SET x = 1", "SET SESSION AUTHORIZATION bob", "SET ROLE carol", "LOAD 'a'")
	for text, want := range map[string]string{
		"RESET x":                     "LOAD 'a'; role=carol; session_authorization=bob",
		"RESET ALL":                   "LOAD 'a'; role=carol; session_authorization=bob",
		"RESET ROLE":                  `LOAD 'a'; session_authorization=bob; SET "x" = 1`,
		"RESET SESSION AUTHORIZATION": `LOAD 'a'; SET "x" = 1`,
		"SET SESSION AUTHORIZATION x": `LOAD 'a'; session_authorization=x; SET "x" = 1`,
		"DISCARD ALL":                 "LOAD 'a'",
	} {
		if got := brief(with(t, s, text)); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func TestReportedParametersAreKnownByTheirValueOnly(t *testing.T) {
	t.Parallel()
	s := Reported([]wire.Param{
		{Name: "TimeZone", Value: "UTC"}, {Name: "server_version", Value: "18.1"},
		{Name: "is_superuser", Value: "on"},
		{Name: "session_authorization", Value: "me"}, {Name: "x y", Value: "z"},
	})
	if got := brief(s); got != "timezone=UTC*" {
		t.Errorf("reported: %s", got)
	}
	for _, text := range []string{"SET TIME ZONE 'Europe/Paris'", "RESET timezone", "RESET ALL", "DISCARD ALL"} {
		if with(t, s, text) != s {
			t.Errorf("%s changes a reported parameter", text)
		}
	}
	if same, err := s.Reported("timezone", "UTC"); err != nil || same != s {
		t.Errorf("reported again: %v, %v", same, err)
	}
	if value, ok := s.Value("timezone"); value != "UTC" || !ok {
		t.Errorf("the value is %q, %v", value, ok)
	}
}

func TestSetsHaveLimits(t *testing.T) {
	t.Parallel()
	var s *Settings
	var err error
	for i := range MaxSettings + 1 {
		if s, err = s.With(Change{Kind: ChangeValue, Name: fmt.Sprintf("app.x%d", i), Text: "y"}); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrTooManySettings) {
		t.Errorf("too many settings: %v", err)
	}
	s = nil
	for i := range 10 {
		long := strings.Repeat("y", MaxValueBytes)
		s, err = s.With(Change{Kind: ChangeValue, Name: fmt.Sprintf("app.x%d", i), Text: long})
		if err != nil {
			break
		}
	}
	if !errors.Is(err, ErrTooManySettings) {
		t.Errorf("too many bytes: %v", err)
	}
	_, err = s.Reported("application_name", strings.Repeat("y", MaxValueBytes+1))
	if !errors.Is(err, ErrTooManySettings) {
		t.Errorf("a report that is too long: %v", err)
	}
}

func TestATrackerBeyondTheLimitsPins(t *testing.T) {
	t.Parallel()
	var tracker Tracker
	for i := 0; tracker.Pins() == 0; i++ {
		if i > MaxSettings {
			t.Fatal("not pinned")
		}
		sql := []byte(fmt.Sprintf("SET app.x%d = 'y'", i))
		tracker.Observe(Scan(sql), sql, 0)
		tracker.CommandTag([]byte("SET"))
		tracker.Ready('I', false)
	}
	if tracker.Pins() != Pins(PinSettings) || tracker.Settings().Len() != MaxSettings {
		t.Errorf("pinned by %v with %d settings", tracker.Pins(), tracker.Settings().Len())
	}
}

func TestSetsAreSharedBetweenLoopsAndForgotten(t *testing.T) {
	const loops = 4
	found := make([]*Settings, loops)
	var group sync.WaitGroup
	for i := range loops {
		group.Go(func() {
			for n := range 200 {
				s, err := (*Settings)(nil).With(Change{Kind: ChangeValue, Name: "app.loop", Text: fmt.Sprint(n)})
				if err != nil {
					t.Error(err)
				}
				found[i] = s
			}
		})
	}
	group.Wait()
	for _, s := range found {
		if s != found[0] {
			t.Error("two loops have different pointers for equal sets")
		}
	}
	size := func() int {
		interned.mu.Lock()
		defer interned.mu.Unlock()
		return len(interned.sets)
	}
	before := size()
	key := found[0].key
	clear(found)
	// The cleanup runs some time after a collection, so collect until the last set is forgotten too.
	for range 1000 {
		runtime.GC()
		runtime.Gosched()
		interned.mu.Lock()
		_, ok := interned.sets[key]
		interned.mu.Unlock()
		if !ok {
			return
		}
	}
	t.Errorf("of %d sets %d are left", before, size())
}

func TestDiffResetsTheIdentityFirstAndSetsItLast(t *testing.T) {
	t.Parallel()
	base := Reported([]wire.Param{{Name: "TimeZone", Value: "UTC"}, {Name: "DateStyle", Value: "ISO, MDY"}})
	paris, err := base.Reported("TimeZone", "Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	const bob = `SET "role" = 'bob'`
	for _, test := range []struct {
		from, to *Settings
		want     string
	}{
		{nil, nil, ""},
		{base, base, ""},
		{base, paris, `SET "timezone" = 'Europe/Paris'`},
		{nil, with(t, nil, "SET work_mem = '1MB'", "SET app.x = 'y'", "SET app.z = 'z'"),
			`SET "work_mem" = '1MB';SET "app"."x" = 'y';SET "app"."z" = 'z'`},
		{with(t, nil, "SET app.x = 'y'"), with(t, nil, "SET app.x = 'it''s'",
			"SELECT set_config('search_path', 'a, b', false)", "SELECT set_config('work_mem', '1MB', false)"),
			`SET "app"."x" = 'it''s';SELECT pg_catalog.set_config('search_path','a, b',false),` +
				`pg_catalog.set_config('work_mem','1MB',false)`},
		{with(t, nil, "SET work_mem = '1MB'", "SET app.x = 'y'"), with(t, nil, "SET app.x = 'y'"),
			`RESET "work_mem"`},
		{with(t, nil, "SET ROLE bob"), nil, `RESET "role"`},
		{nil, with(t, nil, "SET ROLE bob"), bob},
		{with(t, nil, "SET ROLE bob"), with(t, nil, "SET ROLE bob", "SET x = 1"),
			`RESET "role";SET "x" = 1;` + bob},
		{with(t, nil, "SET SESSION AUTHORIZATION a", "SET ROLE b"),
			with(t, nil, "SET SESSION AUTHORIZATION c", "SET ROLE bob"),
			`RESET "session_authorization";RESET "role";` +
				`SET "session_authorization" = 'c';` + bob},
		{nil, with(t, nil, "SET statement_timeout = 1", "SET ROLE bob", "SET x = 1", "LOAD 'lib'"),
			`LOAD 'lib';SET "x" = 1;` + bob + `;SET "statement_timeout" = 1`},
		{with(t, nil, "SET statement_timeout = 1", "SET a = 1"), nil, `RESET "statement_timeout";RESET "a"`},
		{with(t, nil, "LOAD 'lib'"), nil, ""},
	} {
		if diff := cmp.Diff(test.want, string(AppendDiff(nil, test.from, test.to))); diff != "" {
			t.Errorf("from %q to %q (-want +got):\n%s", brief(test.from), brief(test.to), diff)
		}
	}
}

func TestLiteralsMeanTheSameEverywhere(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"":              `''`,
		"plain":         `'plain'`,
		"it's":          `'it''s'`,
		`back\slash`:    `E'back\\slash'`,
		`\'; DROP`:      `E'\\''; DROP'`,
		"ä":             `E'\xc3\xa4'`,
		"a\nb":          `E'a\x0ab'`,
		"\x83\\' OR 1;": `E'\x83\\'' OR 1;'`,
	} {
		if got := string(appendLiteral(nil, value)); got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
	if got := string(appendName(nil, "app.user.x")); got != `"app"."user"."x"` {
		t.Errorf("name: %s", got)
	}
}

func TestStartupParametersAreCheckedBeforeTheyReachSQL(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		parameters []wire.Param
		want       string
		err        error
	}{
		{nil, "none", nil},
		{[]wire.Param{{Name: "user", Value: "u"}, {Name: "database", Value: "d"}, {Name: "_pq_.x", Value: "y"}},
			"none", nil},
		{[]wire.Param{{Name: "TimeZone", Value: "'; DROP TABLE x; --"}}, "timezone='; DROP TABLE x; --", nil},
		{[]wire.Param{{Name: "options", Value: `-c a=1 --work-mem=2 -cb=x\ y\\z`}},
			`a=1; b=x y\z; work_mem=2`, nil},
		{[]wire.Param{{Name: "a", Value: "named"}, {Name: "options", Value: "-c a=option"}}, "a=named", nil},
		{[]wire.Param{{Name: "options", Value: " "}}, "none", nil},
		{[]wire.Param{{Name: "options", Value: "-c"}}, "", ErrOptions},
		{[]wire.Param{{Name: "options", Value: "-d 5"}}, "", ErrOptions},
		{[]wire.Param{{Name: "options", Value: "-c a"}}, "", ErrOptions},
		{[]wire.Param{{Name: "a b", Value: "c"}}, "", ErrParameterName},
		{[]wire.Param{{Name: "a'b", Value: "c"}}, "", ErrParameterName},
		{[]wire.Param{{Name: "a..b", Value: "c"}}, "", ErrParameterName},
		{[]wire.Param{{Name: "a.", Value: "c"}}, "", ErrParameterName},
		{[]wire.Param{{Name: "1a", Value: "c"}}, "", ErrParameterName},
		{[]wire.Param{{Name: "", Value: "c"}}, "", ErrParameterName},
		{[]wire.Param{{Name: strings.Repeat("a", MaxNameBytes+1), Value: "c"}}, "", ErrParameterName},
		{[]wire.Param{{Name: "a", Value: "b\x00c"}}, "", ErrParameterValue},
		{[]wire.Param{{Name: "a", Value: strings.Repeat("b", MaxValueBytes+1)}}, "", ErrParameterValue},
		{[]wire.Param{{Name: "Log_Connections", Value: "on"}}, "", ErrNotSettable},
		{[]wire.Param{{Name: "server_version", Value: "9"}}, "", ErrNotSettable},
		{[]wire.Param{{Name: "options", Value: "-cx=y --a"}}, "", ErrOptions},
	} {
		s, err := FromStartup(test.parameters)
		if !errors.Is(err, test.err) || err == nil && brief(s) != test.want {
			t.Errorf("%q: %s, %v, want %s, %v", test.parameters, brief(s), err, test.want, test.err)
		}
	}
}

func TestAWelcomeShowsWhatTheClientWillHave(t *testing.T) {
	t.Parallel()
	reported := []wire.Param{
		{Name: "server_version", Value: "18.1"}, {Name: "client_encoding", Value: "UTF8"},
		{Name: "DateStyle", Value: "ISO, MDY"}, {Name: "TimeZone", Value: "Etc/UTC"}, {Name: "application_name"},
	}
	settings, welcome, err := Welcome(reported, []wire.Param{
		{Name: "client_encoding", Value: "utf-8"}, {Name: "datestyle", Value: "iso"},
		{Name: "timezone", Value: "etc/utc"},
	})
	if err != nil || settings != Reported(reported) {
		t.Errorf("what most drivers ask for is not what the server has: %s, %v", brief(settings), err)
	}
	if diff := cmp.Diff(reported, welcome); diff != "" {
		t.Errorf("-reported +welcome:\n%s", diff)
	}
	settings, welcome, err = Welcome(reported, []wire.Param{
		{Name: "DateStyle", Value: "German"}, {Name: "application_name", Value: "shop"},
		{Name: "app.x", Value: "y"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := "app.x=y; application_name=shop*; client_encoding=UTF8*; datestyle=German, DMY*; timezone=Etc/UTC*"
	if brief(settings) != want {
		t.Errorf("settings %s", brief(settings))
	}
	reported[2].Value, reported[4].Value = "German, DMY", "shop"
	if diff := cmp.Diff(reported, welcome); diff != "" {
		t.Errorf("-want +welcome:\n%s", diff)
	}
	if _, _, err = Welcome(reported, []wire.Param{{Name: "!", Value: "y"}}); err == nil {
		t.Error("an invalid parameter is accepted")
	}
}
