package brain

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usher-pg/usher/internal/config"
	"github.com/usher-pg/usher/internal/history"
	"github.com/usher-pg/usher/internal/history/sqlite"
)

// awaitHistory returns when the history is open and all that was queued is written.
func (s *stage) awaitHistory() {
	s.t.Helper()
	ticker, late := time.NewTicker(time.Millisecond), time.After(10*time.Second)
	defer ticker.Stop()
	for {
		if h := s.History(); h.Open && h.Waiting == 0 {
			return
		}
		select {
		case <-ticker.C:
		case <-late:
			s.t.Fatalf("the history is not written: %+v", s.History())
		}
	}
}

// path is where the history is.
func (s *stage) path() string { return HistoryPath(s.inForce().History.Store, s.options.Folder) }

// written are a pool's buckets in the history, whenever they are of.
func (s *stage) written(pool string) []history.Bucket {
	s.t.Helper()
	store, err := sqlite.Open(s.t.Context(), sqlite.Config{Path: s.path(), ReadOnly: true})
	if err != nil {
		s.t.Fatal(err)
	}
	defer store.Close()
	all, err := store.Range(s.t.Context(), pool, saturday.AddDate(-300, 0, 0), saturday.AddDate(300, 0, 0))
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

func TestWhatCannotBeWritten(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]bool{
		&fs.PathError{Err: syscall.EACCES}: true, &fs.PathError{Err: syscall.EPERM}: true,
		fmt.Errorf("create history: %w", &fs.PathError{Err: syscall.EROFS}): true,
		&fs.PathError{Err: syscall.ENOTDIR}:                                 false,
		&fs.PathError{Err: syscall.ENOSPC}:                                  false,
		errors.New("database is locked"):                                    false,
	} {
		if got := unwritable(err); got != want {
			t.Errorf("%v: %v", err, got)
		}
	}
}

// TestWithoutAPlaceTheHistoryEndsWithUsher in a folder of the kernel's, where nobody writes.
func TestWithoutAPlaceTheHistoryEndsWithUsher(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for name, test := range map[string]struct {
		folder, store string
		warns         int
	}{
		"auto in a folder that cannot be written": {"/sys", "auto", 1},
		"auto without a folder":                   {"", "auto", 0},
		"off":                                     {t.TempDir(), `"off"`, 0},
	} {
		s := newStage(t, onePool("scale", "history: {store: "+test.store+"}"))
		s.options.Folder = test.folder
		store, err := s.openStore(t.Context())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		at := saturday.Truncate(history.Step)
		bucket := history.Bucket{Start: at, Width: history.Step, Samples: 1, Mean: 1, P95: 1, Max: 1}
		if err := store.Append(t.Context(), "shop", []history.Bucket{bucket}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got, err := store.Range(t.Context(), "shop", at, at.Add(time.Hour)); err != nil || len(got) != 1 {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		if err := store.Close(); err != nil {
			t.Errorf("%s: close: %v", name, err)
		}
		if got := s.log.count("the history ends with usher"); got != test.warns {
			t.Errorf("%s: %d warnings:\n%s", name, got, s.log)
		}
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("left of them: %v, %v", left, err)
	}
}

// TestAHistoryThatCannotBeOpenedIsTroubleOfNobodyElse, and nothing of it is lost once it can be.
func TestAHistoryThatCannotBeOpenedIsTroubleOfNobodyElse(t *testing.T) {
	folder := t.TempDir()
	inTheWay := filepath.Join(folder, "state")
	if err := os.WriteFile(inTheWay, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, onePool("scale", fmt.Sprintf("history: {store: %q}", filepath.Join(inTheWay, "history.db"))))
		s.options.Clock.Now = time.Now
		stop := s.run()
		time.Sleep(11 * time.Minute)
		h := s.History()
		if h.Open || h.Trouble == "" || h.Waiting < 2 || time.Since(h.Since) < 10*time.Minute {
			t.Errorf("after 11 minutes: %+v", h)
		}
		if got := s.engines["shop"].last(); got < 4 {
			t.Errorf("it wishes for %v", s.engines["shop"].told())
		}
		if f := s.Forecasts(); len(f) != 1 || f[0].Absent == "" || f[0].Trouble != errNotOpen.Error() {
			t.Errorf("the forecast without a history: %+v", f)
		}
		if err := os.Remove(inTheWay); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		if h := s.History(); !h.Open || h.Trouble != "" || h.Waiting > 0 || h.Written < 2 || h.Dropped > 0 {
			t.Errorf("two minutes after it can be opened: %+v", h)
		}
		if f := s.Forecasts(); len(f) != 1 || f[0].Trouble != "" {
			t.Errorf("and the forecast: %q", f[0].Trouble)
		}
		stop()
		samples := 0
		for _, b := range s.written("shop") {
			samples += b.Samples
		}
		if samples < 13*60-2 || samples > 13*60 {
			t.Errorf("%d samples are written of 13 minutes", samples)
		}
	})
}

func TestAHistoryThatSomebodyLocksIsWrittenLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, onePool("scale", ""))
		s.options.Clock.Now = time.Now
		fill(t, s.path(), "other", 1, saturday)
		stop := s.run()
		time.Sleep(time.Minute)
		unlock := lock(t, s.path())
		time.Sleep(11 * time.Minute)
		if h := s.History(); h.Trouble == "" || h.Waiting == 0 || h.Dropped > 0 {
			t.Errorf("while it is locked: %+v", h)
		}
		if got := s.engines["shop"].last(); got < 4 {
			t.Errorf("it wishes for %v", s.engines["shop"].told())
		}
		unlock()
		time.Sleep(2 * time.Minute)
		if h := s.History(); h.Trouble != "" || h.Waiting > 0 || h.Written < 2 || h.Dropped > 0 {
			t.Errorf("two minutes after it is not: %+v", h)
		}
		stop()
	})
}

// lock keeps an SQLite file locked for writing.
func lock(t *testing.T, path string) (unlock func()) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := db.Conn(context.Background())
	if err == nil {
		_, err = conn.ExecContext(context.Background(), "BEGIN IMMEDIATE")
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		_, err := conn.ExecContext(context.Background(), "ROLLBACK")
		if err := errors.Join(err, conn.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	}
}

// run lets all of the brain run.
func (s *stage) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Errorf("Run returned %v", err)
		}
	}
}

func TestRetentionIsWhatTheConfigurationKeeps(t *testing.T) {
	t.Parallel()
	c := config.Default()
	if err := retention(c).Check(); err != nil {
		t.Error(err)
	}
	c.History.Detail, c.History.Keep = 20*day, 400*day
	if r := retention(c); r.Full != 20 || r.Coarse != 400 || r.Forecasts != 20 {
		t.Errorf("%+v", r)
	}
}
