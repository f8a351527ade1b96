package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"modernc.org/sqlite"

	"github.com/usher-pg/usher/internal/history"
)

const (
	// applicationID marks a file as a history of usher's: "ushr".
	applicationID = 0x75736872
	// busyTimeout is how long to wait for another process that writes, such as usher history import: it writes some
	// hundred days in a transaction, which takes well below a second.
	busyTimeout = 5 * time.Second
	// mostAside bounds how many files of one second are moved aside.
	mostAside = 100
)

// Results of SQLite, from sqlite.org/rescode.html.
const (
	resultMask    = 0xff // what is above is detail
	resultCorrupt = 11
	resultNotADB  = 26
)

// migrations are the versions of the schema: the n-th leads from version n to n+1.
var migrations = []string{`
	CREATE TABLE day (
		pool    TEXT    NOT NULL,
		day     INTEGER NOT NULL, -- since the Unix epoch, UTC
		finest  INTEGER NOT NULL, -- width of the narrowest bucket, in seconds
		buckets BLOB    NOT NULL, -- packed
		UNIQUE (pool, day)
	) STRICT;
	CREATE INDEX day_by_day ON day (day, finest);
	CREATE TABLE forecast (
		pool    TEXT    NOT NULL,
		at      INTEGER NOT NULL, -- microseconds since the Unix epoch
		content BLOB    NOT NULL,
		UNIQUE (pool, at)
	) STRICT;
	CREATE INDEX forecast_by_time ON forecast (at);
	CREATE TABLE decision (
		pool    TEXT    NOT NULL,
		at      INTEGER NOT NULL, -- microseconds since the Unix epoch
		content BLOB    NOT NULL
	) STRICT;
	CREATE INDEX decision_by_pool ON decision (pool, at);
	CREATE INDEX decision_by_time ON decision (at);
	CREATE TABLE damaged (
		pool    TEXT    NOT NULL,
		day     INTEGER NOT NULL,
		buckets BLOB    NOT NULL,
		found   INTEGER NOT NULL  -- microseconds since the Unix epoch
	) STRICT;`, `
	CREATE TABLE event (
		source  TEXT    NOT NULL, -- name of the calendar
		day     INTEGER NOT NULL, -- on which they begin, since the Unix epoch, UTC
		count   INTEGER NOT NULL,
		events  BLOB    NOT NULL, -- packed
		UNIQUE (source, day)
	) STRICT;
	CREATE TABLE damaged_event (
		source  TEXT    NOT NULL,
		day     INTEGER NOT NULL,
		events  BLOB    NOT NULL,
		found   INTEGER NOT NULL  -- microseconds since the Unix epoch
	) STRICT;`,
}

// oldestRead is the oldest version of the schema that is read as it is. What it has not is missing.
const oldestRead = 1

// Config says which file.
type Config struct {
	Path string
	// ReadOnly opens a file that exists, also while usher writes to it, and changes nothing.
	ReadOnly bool
	// MoveAside lets a file that is damaged, or no database, be moved aside and a new one be begun. Without it that is an
	// error: a path typed by a person may be of something else.
	MoveAside bool
	// Tell is called with what an operator should know and no caller is told by an error. It may be nil.
	Tell func(message string)
}

// Open opens a history, and makes it if there is none. Errors wrap history.ErrCorrupt if the file is damaged.
func Open(ctx context.Context, c Config) (*Store, error) {
	if c.Tell == nil {
		c.Tell = func(string) {}
	}
	s, err := open(ctx, c)
	if !errors.Is(err, history.ErrCorrupt) || !c.MoveAside || c.ReadOnly {
		return s, err
	}
	aside, moveErr := moveAside(c.Path, time.Now())
	if moveErr != nil {
		return nil, errors.Join(err, moveErr)
	}
	c.Tell(fmt.Sprintf("history %s is damaged (%v): it was moved to %s and a new one is begun", c.Path, err, aside))
	return open(ctx, c)
}

func open(ctx context.Context, c Config) (*Store, error) {
	path, err := filepath.Abs(c.Path)
	if err != nil {
		return nil, fmt.Errorf("open history: %w", err)
	}
	parameters := url.Values{"_pragma": {
		fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()), "trusted_schema(0)",
	}, "_txlock": {"immediate"}}
	if c.ReadOnly {
		parameters.Set("mode", "ro")
		parameters.Del("_txlock")
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("open history: %w", err)
		}
	} else {
		parameters["_pragma"] = append(parameters["_pragma"], "journal_mode(WAL)", "synchronous(FULL)")
		if err := create(path); err != nil {
			return nil, fmt.Errorf("create history: %w", err)
		}
	}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path, RawQuery: parameters.Encode()}).String())
	if err != nil {
		return nil, fmt.Errorf("open history: %w", err)
	}
	// One connection: there is one writer, and a year is read in less time than anybody would mind to wait.
	db.SetMaxOpenConns(1)
	s := &Store{db: db, tell: c.Tell, told: map[string]bool{}}
	if err := s.prepare(ctx, c.ReadOnly); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("open history %s: %w", c.Path, mark(ctx, err))
	}
	return s, nil
}

// create makes an empty file of the owner's, which SQLite takes for an empty database. Its log gets the same mode.
func create(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return file.Close()
}

// prepare checks the file and brings it to the current version.
func (s *Store) prepare(ctx context.Context, readOnly bool) error {
	var application, version, tables int
	if err := s.db.QueryRowContext(ctx, "SELECT a.application_id, v.user_version, "+
		"(SELECT count(*) FROM sqlite_schema) FROM pragma_application_id a, pragma_user_version v").
		Scan(&application, &version, &tables); err != nil {
		return err
	}
	switch fresh := application == 0 && version == 0 && tables == 0; {
	case !fresh && application != applicationID:
		return errors.New("expected a history of usher's; the file belongs to another program")
	case fresh && readOnly:
		return errors.New("expected a history of usher's; the file is empty")
	case version > len(migrations):
		return fmt.Errorf("a newer usher has written it: version %d of the schema, expected at most %d", version,
			len(migrations))
	case readOnly && version < oldestRead:
		return fmt.Errorf("an older usher has written it, and it can only be read: version %d of the schema, expected %d",
			version, oldestRead)
	case readOnly:
		s.version = version
		return nil
	}
	var verdict string
	if err := s.db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return fmt.Errorf("%w: %s", history.ErrCorrupt, verdict)
	}
	for ; version < len(migrations); version++ {
		if err := s.migrate(ctx, version); err != nil {
			return fmt.Errorf("bring the schema to version %d: %w", version+1, err)
		}
	}
	s.version = version
	return nil
}

func (s *Store) migrate(ctx context.Context, from int) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		// Another process may have been faster.
		var version int
		if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil || version > from {
			return err
		}
		_, err := tx.ExecContext(ctx, fmt.Sprintf("%s; PRAGMA application_id = %d; PRAGMA user_version = %d",
			migrations[from], applicationID, from+1))
		return err
	})
}

// mark tells damage and the end of a context apart from other errors.
func mark(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if cause := ctx.Err(); cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w: %w", cause, err)
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		if code := e.Code() & resultMask; code == resultCorrupt || code == resultNotADB {
			return fmt.Errorf("%w: %w", history.ErrCorrupt, err)
		}
	}
	return err
}

// moveAside renames a file and its log, under names that are free.
func moveAside(path string, now time.Time) (string, error) {
	stem := path + ".corrupt-" + now.UTC().Format("20060102T150405Z")
	aside := stem
	for i := 2; ; i++ {
		if _, err := os.Lstat(aside); errors.Is(err, os.ErrNotExist) {
			break
		} else if err != nil || i > mostAside {
			return "", fmt.Errorf("move history aside: %s is in the way: %w", aside, err)
		}
		aside = fmt.Sprintf("%s-%d", stem, i)
	}
	for _, suffix := range []string{"-wal", "-shm", ""} {
		if err := os.Rename(path+suffix, aside+suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("move history aside: %w", err)
		}
	}
	return aside, nil
}
