package sqlite

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-pg/usher/internal/history"
	"github.com/usher-pg/usher/internal/history/historytest"
)

// aSaturday is a day with twins, a nameless event and one without a length.
func aSaturday() (int64, []history.Event) {
	events := []history.Event{
		historytest.Event("weddings", 0), historytest.Event("weddings", 2), historytest.Event("weddings", 2),
		historytest.Event("weddings", 5), historytest.Event("weddings", 7),
	}
	events[2].Twin, events[2].ID = 1, "größe"
	events[3].Name, events[3].Kind = "", ""
	events[4].End = events[4].Start
	return dayOf(events[0].Start), events
}

func TestEventsThatArePackedAreUnpacked(t *testing.T) {
	t.Parallel()
	day, want := aSaturday()
	shuffled := slices.Clone(want)
	slices.Reverse(shuffled)
	got, err := unpackEvents(nil, "weddings", day, packEvents(day, shuffled))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for name, list := range map[string][]history.Event{"one twice": {want[0], want[0]}, "an invalid one": {{}}} {
		if _, err := unpackEvents(nil, "weddings", day, packEvents(day, list)); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestEveryWrongBitOfEventsIsFound(t *testing.T) {
	t.Parallel()
	day, events := aSaturday()
	packed := packEvents(day, events)
	for i := range packed {
		for bit := range 8 {
			packed[i] ^= 1 << bit
			if _, err := unpackEvents(nil, "weddings", day, packed); err == nil {
				t.Errorf("bit %d of byte %d is wrong, and nothing is noticed", bit, i)
			}
			packed[i] ^= 1 << bit
		}
	}
	for n := range packed {
		if _, err := unpackEvents(nil, "weddings", day, packed[:n]); err == nil {
			t.Errorf("%d bytes of %d are taken for all", n, len(packed))
		}
	}
}

// FuzzUnpackEvents gives the bytes a checksum that fits: what has none is refused before anything else.
func FuzzUnpackEvents(f *testing.F) {
	day, events := aSaturday()
	for _, list := range [][]history.Event{nil, events[:1], events} {
		packed := packEvents(day, slices.Clone(list))
		f.Add(day, packed[:len(packed)-checksum])
	}
	f.Fuzz(func(t *testing.T, day int64, body []byte) {
		day %= 200_000
		got, err := unpackEvents(nil, "weddings", day, seal(slices.Clone(body)))
		if err != nil {
			return
		}
		again, err := unpackEvents(nil, "weddings", day, packEvents(day, slices.Clone(got)))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(got, again); diff != "" {
			t.Errorf("(-once +twice):\n%s", diff)
		}
	})
}

func allEvents(t *testing.T, s *Store) []history.Event {
	t.Helper()
	events, err := s.Events(t.Context(), time.Time{}, historytest.Noon.AddDate(100, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func TestADayOfEventsThatIsDamagedIsLeftOut(t *testing.T) {
	t.Parallel()
	var told []string
	s, err := Open(t.Context(), Config{
		Path: filepath.Join(t.TempDir(), "history.db"), Tell: func(message string) { told = append(told, message) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer closeFile(t, s)
	var want []history.Event
	for day := range 5 {
		want = append(want, historytest.Event("weddings", 24*day))
	}
	if err := s.SaveEvents(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	day := dayOf(want[2].Start)
	spoil := "UPDATE event SET events = CAST(substr(events, 1, 9) || x'00' || substr(events, 11) AS BLOB) WHERE day = ?"
	if _, err := s.db.Exec(spoil, day); err != nil {
		t.Fatal(err)
	}
	want = slices.Delete(want, 2, 3)
	for range 2 {
		if diff := cmp.Diff(want, allEvents(t, s)); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	}
	// A day is written again beside it, and then it itself.
	for _, hours := range []int{26, 50} {
		fresh := historytest.Event("weddings", hours)
		if err := s.SaveEvents(t.Context(), []history.Event{fresh}); err != nil {
			t.Fatal(err)
		}
		want = append(want, fresh)
	}
	history.NumberTwins(want)
	if diff := cmp.Diff(want, allEvents(t, s)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(told) != 1 || !strings.Contains(told[0], "calendar weddings on 2026-06-22") {
		t.Errorf("told %q", told)
	}
	var kept int
	if err := s.db.QueryRow("SELECT count(*) FROM damaged_event WHERE day = ?", day).Scan(&kept); err != nil || kept != 1 {
		t.Errorf("%d rows are kept: %v", kept, err)
	}
}

// TestAFileOfAnOlderUsher has buckets and no events. It can be read as it is, and has events once it is written to.
func TestAFileOfAnOlderUsher(t *testing.T) {
	t.Parallel()
	path, want := filled(t)
	escaped := strings.NewReplacer("%", "%25", "?", "%3f").Replace(path)
	db, err := sql.Open("sqlite", "file:"+escaped)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("DROP TABLE event; DROP TABLE damaged_event; PRAGMA user_version = 1"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	old, err := Open(t.Context(), Config{Path: path, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, everything(t, old)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := allEvents(t, old); len(got) > 0 {
		t.Errorf("it has events: %v", got)
	}
	closeFile(t, old)
	events := []history.Event{historytest.Event("weddings", 0)}
	for range 2 { // it is brought to this version, and is of it
		s := openFile(t, path)
		if err := s.SaveEvents(t.Context(), events); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, everything(t, s)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(events, allEvents(t, s)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		closeFile(t, s)
	}
}

// BenchmarkReadEvents is what a forecast needs of a year with a hundred weddings a week.
func BenchmarkReadEvents(b *testing.B) {
	s := openFile(b, filepath.Join(b.TempDir(), "history.db"))
	defer func() { _ = s.Close() }()
	const weeks, each = 52, 100
	for week := range weeks {
		var events []history.Event
		for i := range each {
			e := historytest.Event("weddings", 7*24*week+i%8)
			e.ID, e.Name = fmt.Sprintf("%d-%d@example.com", week, i), fmt.Sprintf("Anna %d & Ben %d", i, week)
			events = append(events, e)
		}
		if err := s.SaveEvents(b.Context(), events); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		got, err := s.Events(b.Context(), historytest.Noon, historytest.Noon.AddDate(2, 0, 0))
		if err != nil || len(got) != weeks*each {
			b.Fatal(len(got), err)
		}
	}
}
