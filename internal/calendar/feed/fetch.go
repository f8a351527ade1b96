package feed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/usher-pg/usher/internal/calendar"
)

// edition is a calendar as it was fetched.
type edition struct {
	Format  calendar.Format `json:"format"`
	Fetched time.Time       `json:"fetched"`
	// ETag and Modified let a server say that nothing has changed.
	ETag     string `json:"etag,omitempty"`
	Modified string `json:"modified,omitempty"`

	data []byte
}

// errSame is that the edition there is is still the newest.
var errSame = errors.New("nothing has changed")

// fetch gets the calendar, or errSame. An error says what is wrong with its source.
func (c Config) fetch(ctx context.Context, known edition) (edition, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	var e edition
	var err error
	switch {
	case c.File != "":
		e, err = c.readFile()
	case c.URL != "":
		e, err = c.get(ctx, known)
	default:
		e, err = c.query(ctx)
	}
	if err != nil && ctx.Err() == context.DeadlineExceeded {
		return edition{}, fmt.Errorf("there is no answer within %v", c.Timeout)
	}
	if err != nil {
		return edition{}, err
	}
	if c.Format != "" {
		e.Format = c.Format
	}
	return e, nil
}

// Read fetches a calendar once and reads it as of now.
func Read(ctx context.Context, c Config, now time.Time) (calendar.Reading, error) {
	if err := c.Check(); err != nil {
		return calendar.Reading{}, err
	}
	c = c.filled()
	e, err := c.fetch(ctx, edition{})
	if err != nil {
		return calendar.Reading{}, fmt.Errorf("%s: %w", c.Place(), err)
	}
	reading, err := calendar.Read(e.Format, e.data, c.options(now))
	if err != nil {
		return calendar.Reading{}, fmt.Errorf("%s %w", c.Place(), err)
	}
	return reading, nil
}

// Once fetches a calendar once, and has the copy kept on disk if that does not work or is not to be believed, as a Feed
// has. It keeps nothing on disk.
func Once(ctx context.Context, c Config, now time.Time) (calendar.Reading, State, error) {
	f, err := New(c)
	if err != nil {
		return calendar.Reading{}, State{}, err
	}
	f.restore(now)
	f.config.Keep = ""
	next, err := f.config.fetch(ctx, f.good)
	if ctx.Err() != nil {
		return calendar.Reading{}, State{}, ctx.Err()
	}
	f.take(next, err, now)
	return f.reading, f.State(), nil
}

// readFile reads a regular file: opening a pipe would wait for a writer.
func (c Config) readFile() (edition, error) {
	info, err := os.Stat(c.File)
	if err != nil {
		return edition{}, fmt.Errorf("read file: %w", unnamed(err))
	}
	if !info.Mode().IsRegular() {
		return edition{}, errors.New("is no regular file")
	}
	file, err := os.Open(c.File)
	if err != nil {
		return edition{}, fmt.Errorf("read file: %w", unnamed(err))
	}
	defer file.Close()
	data, err := readAll(file, c.Limits.Bytes)
	if err != nil {
		return edition{}, err
	}
	return edition{Format: calendar.FormatOf(c.File, data), data: data}, nil
}

// unnamed is the cause of an error without the name of the file, which is said before.
func unnamed(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	return err
}

// readAll reads at most limit bytes.
func readAll(r io.Reader, limit int) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read calendar: %w", unnamed(err))
	case len(data) > limit:
		return nil, errTooLarge(limit)
	}
	return data, nil
}
