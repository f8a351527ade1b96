package session

import (
	"slices"
	"testing"

	"github.com/usher-pg/usher/internal/wire"
)

func TestEverySettingThatRereadsIsFound(t *testing.T) {
	t.Parallel()
	if !slices.IsSorted(reread) {
		t.Error("the list is searched, and is not sorted")
	}
	for _, name := range reread {
		if text := []byte("SET " + name + " = 'x'"); name != "search_path" && !mayReread(Scan(text), text) {
			t.Errorf("%s is not found", text)
		}
	}
}

func TestClientsReadATextAsTheirSettingsSay(t *testing.T) {
	t.Parallel()
	reported := []wire.Param{{Name: "TimeZone", Value: "UTC"}, {Name: "DateStyle", Value: "ISO, MDY"}}
	begin := func(params ...wire.Param) *Settings {
		settings, _, err := Welcome(reported, params)
		if err != nil {
			t.Fatal(err)
		}
		return settings
	}
	plain := begin()
	for name, other := range map[string]*Settings{
		"time zone":   begin(wire.Param{Name: "timezone", Value: "Asia/Tokyo"}),
		"search path": with(t, plain, "SET search_path = tenant"),
		"encoding":    with(t, plain, "SET client_encoding = 'LATIN1'"),
	} {
		if other.Reading() == plain.Reading() {
			t.Errorf("%s makes no difference", name)
		}
	}
	for name, same := range map[string]*Settings{
		"name":   begin(wire.Param{Name: "application_name", Value: "x"}),
		"memory": with(t, plain, "SET work_mem = '9MB'"),
	} {
		if same.Reading() != plain.Reading() {
			t.Errorf("%s makes a difference", name)
		}
	}
	if (*Settings)(nil).Reading() != "" {
		t.Error("the empty set reads in its own way")
	}
}

// TestATransactionReadsATextAsItsSettingsSay: what a transaction has changed counts as soon as it is known, and nobody
// shares a text before it is.
func TestATransactionReadsATextAsItsSettingsSay(t *testing.T) {
	t.Parallel()
	utc, err := (*Settings)(nil).Reported("TimeZone", "UTC")
	if err != nil {
		t.Fatal(err)
	}
	tokyo, err := (*Settings)(nil).Reported("TimeZone", "Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	var tracker Tracker
	tracker.Start(utc)
	observe := func(text string) { tracker.Observe(Scan([]byte(text)), []byte(text), 0) }
	want := func(settings *Settings, sure bool) {
		t.Helper()
		if reading, certain := tracker.Reading(); certain != sure || sure && reading != settings.Reading() {
			t.Errorf("%q, certain %v; want %q, certain %v", reading, certain, settings.Reading(), sure)
		}
	}
	want(utc, true)
	observe("BEGIN")
	tracker.Ready('T', false)
	want(utc, true)
	observe("SET LOCAL work_mem = '9MB'")
	want(utc, true)
	tracker.Ready('T', false)
	observe("SET LOCAL TIME ZONE 'Asia/Tokyo'")
	want(nil, false)
	tracker.ParameterStatus("TimeZone", "Asia/Tokyo")
	tracker.Ready('T', false)
	want(tokyo, true)
	observe("SELECT 1")
	want(tokyo, true)
	tracker.Ready('T', false)
	observe("COMMIT")
	want(nil, false)
	tracker.ParameterStatus("TimeZone", "UTC")
	tracker.Ready('I', false)
	want(utc, true)
}
