package sqlite

import (
	"bytes"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-pg/usher/internal/history"
	"github.com/usher-pg/usher/internal/history/historytest"
)

// filled is a closed history with some buckets.
func filled(t *testing.T) (path string, buckets []history.Bucket) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "some where?100%&x=1", "history.db")
	s := openFile(t, path)
	defer closeFile(t, s)
	buckets = historytest.Buckets(0, 1000)
	if err := s.Append(t.Context(), "app", buckets); err != nil {
		t.Fatal(err)
	}
	return path, buckets
}

func closeFile(t *testing.T, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func everything(t *testing.T, s *Store) []history.Bucket {
	t.Helper()
	buckets, err := s.Range(t.Context(), "app", historytest.Noon.AddDate(-1, 0, 0), historytest.Noon.AddDate(1, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	return buckets
}

func TestAFileThatIsDamagedIsMovedAside(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func([]byte) []byte{
		"no database at all": func([]byte) []byte { return []byte("time,mean\n2026-01-01,5\n") },
		"zeros":              func(file []byte) []byte { return make([]byte, len(file)) },
		"half of it":         func(file []byte) []byte { return file[:len(file)/2/4096*4096] },
		"the schema":         func(file []byte) []byte { return overwrite(file, 100, 4000) },
		"the end":            func(file []byte) []byte { return overwrite(file, 4096, len(file)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path, _ := filled(t)
			file, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			file = damage(file)
			if err := os.WriteFile(path, file, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(t.Context(), Config{Path: path}); !errors.Is(err, history.ErrCorrupt) {
				t.Errorf("error without leave to move it: %v", err)
			}
			if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, file) {
				t.Errorf("the file has changed: %v", err)
			}
			checkMovedAside(t, path, file)
		})
	}
}

func checkMovedAside(t *testing.T, path string, file []byte) {
	t.Helper()
	var told []string
	s, err := Open(t.Context(), Config{
		Path: path, MoveAside: true, Tell: func(message string) { told = append(told, message) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer closeFile(t, s)
	if got := everything(t, s); len(got) > 0 {
		t.Errorf("the new one has %d buckets", len(got))
	}
	if err := s.Append(t.Context(), "app", historytest.Buckets(0, 5)); err != nil {
		t.Error(err)
	}
	aside, err := filepath.Glob(filepath.Join(filepath.Dir(path), "history.db.corrupt-*Z"))
	if err != nil || len(aside) != 1 {
		t.Fatalf("moved to %q: %v", aside, err)
	}
	if kept, err := os.ReadFile(aside[0]); err != nil || !bytes.Equal(kept, file) {
		t.Errorf("what was moved aside has changed: %v", err)
	}
	if len(told) != 1 || !strings.Contains(told[0], aside[0]) {
		t.Errorf("told: %q", told)
	}
}

func overwrite(file []byte, from, to int) []byte {
	file = slices.Clone(file)
	for i := from; i < min(to, len(file)); i++ {
		file[i] = 0xa5
	}
	return file
}

func TestNothingIsInTheWayOfMovingAside(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "history.db")
	var names []string
	for range 3 {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		aside, err := moveAside(path, historytest.Noon)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, filepath.Base(aside))
	}
	want := []string{
		"history.db.corrupt-20260620T120000Z", "history.db.corrupt-20260620T120000Z-2",
		"history.db.corrupt-20260620T120000Z-3",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestADayThatIsDamagedIsLeftOut(t *testing.T) {
	t.Parallel()
	path, want := filled(t)
	var told []string
	s, err := Open(t.Context(), Config{Path: path, Tell: func(message string) { told = append(told, message) }})
	if err != nil {
		t.Fatal(err)
	}
	defer closeFile(t, s)
	day := dayOf(historytest.Noon) + 1
	spoil := "UPDATE day SET buckets = CAST(substr(buckets, 1, 99) || x'00' || substr(buckets, 101) AS BLOB) WHERE day = ?"
	if _, err := s.db.Exec(spoil, day); err != nil {
		t.Fatal(err)
	}
	want = slices.DeleteFunc(want, func(b history.Bucket) bool { return dayOf(b.Start) == day })
	for range 2 {
		if diff := cmp.Diff(want, everything(t, s)); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	}
	fresh := historytest.Bucket(200)
	if err := s.Append(t.Context(), "app", []history.Bucket{fresh}); err != nil {
		t.Fatal(err)
	}
	want = history.Combine(want, []history.Bucket{fresh})
	if diff := cmp.Diff(want, everything(t, s)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(told) != 1 || !strings.Contains(told[0], "2026-06-21") {
		t.Errorf("told %q", told)
	}
	var kept int
	if err := s.db.QueryRow("SELECT count(*) FROM damaged WHERE day = ?", day).Scan(&kept); err != nil || kept != 1 {
		t.Errorf("%d rows are kept: %v", kept, err)
	}
}

func TestFilesThatAreNotOursAreLeftAlone(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ statement, says string }{
		"another program's": {"CREATE TABLE t (x); PRAGMA application_id = 0", "another program"},
		"a newer usher's":   {"PRAGMA application_id = 0x75736872; PRAGMA user_version = 99", "a newer usher"},
	} {
		path := filepath.Join(t.TempDir(), "history.db")
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(tt.statement); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), Config{Path: path, MoveAside: true}); err == nil ||
			!strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: error %v", name, err)
		}
		// Opening with a log changes two bytes of the header at most: those that say so.
		after, err := os.ReadFile(path)
		if err != nil || len(after) != len(before) || !bytes.Equal(after[100:], before[100:]) {
			t.Errorf("%s: the file has changed: %v", name, err)
		}
	}
}

func TestAFileIsTheOwners(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new", "history.db")
	s := openFile(t, path)
	defer closeFile(t, s)
	if err := s.Append(t.Context(), "app", historytest.Buckets(0, 1)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", filepath.Base(name), info, err)
		}
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder: %v, %v", info, err)
	}
}

func TestOthersReadWhileUsherWrites(t *testing.T) {
	t.Parallel()
	path, want := filled(t)
	writer := openFile(t, path)
	defer closeFile(t, writer)
	tx, err := writer.db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.Exec("DELETE FROM day"); err != nil {
		t.Fatal(err)
	}
	reader, err := Open(t.Context(), Config{Path: path, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer closeFile(t, reader)
	if diff := cmp.Diff(want, everything(t, reader)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := reader.Append(t.Context(), "app", historytest.Buckets(0, 1)); err == nil {
		t.Error("a reader has written")
	}
	if _, err := Open(t.Context(), Config{Path: path + "x", ReadOnly: true}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestAFileThatIsLockedOrFullIsAnError(t *testing.T) {
	t.Parallel()
	path, want := filled(t)
	s := openFile(t, path)
	defer closeFile(t, s)
	if _, err := s.db.Exec("PRAGMA busy_timeout = 1"); err != nil {
		t.Fatal(err)
	}
	escaped := strings.NewReplacer("%", "%25", "?", "%3f").Replace(path)
	other, err := sql.Open("sqlite", "file:"+escaped+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	tx, err := other.Begin()
	if err != nil {
		t.Fatal(err)
	}
	err = s.Append(t.Context(), "app", historytest.Buckets(5000, 1))
	if err == nil || errors.Is(err, history.ErrCorrupt) || errors.Is(err, history.ErrInvalid) {
		t.Errorf("locked: %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.db.Exec("PRAGMA max_page_count = 1"); err != nil { // what it has already is the least
		t.Fatal(err)
	}
	for i := 0; err == nil || i == 0; i++ {
		if i > 10_000 {
			t.Fatal("it is never full")
		}
		err = s.Append(t.Context(), "app", historytest.Buckets(5000+288*i, 288))
		if err == nil {
			want = append(want, historytest.Buckets(5000+288*i, 288)...)
		}
	}
	if errors.Is(err, history.ErrCorrupt) || errors.Is(err, history.ErrInvalid) || !strings.Contains(err.Error(), "full") {
		t.Errorf("full: %v", err)
	}
	got, err := s.Range(t.Context(), "app", historytest.Noon, historytest.Noon.AddDate(50, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := s.db.Exec("PRAGMA max_page_count = 1000000"); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(t.Context(), "app", []history.Bucket{historytest.Bucket(900_000)}); err != nil {
		t.Errorf("room again: %v", err)
	}
}
