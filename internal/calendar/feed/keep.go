package feed

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// The kept copy is a line of JSON and then the text of the calendar. Somebody may have changed either, so neither is
// believed without the sums; and a copy of another source is not used.

// kept is the line before the text.
type kept struct {
	Version int    `json:"usher_calendar"`
	Source  string `json:"source"` // the sum of where it is from; a URL is a secret
	Sum     string `json:"sum"`    // of the text
	edition
}

const (
	keptVersion = 1
	maxKeptLine = 8 << 10
)

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

// source is the sum of where the calendar is from.
func (c Config) source() string {
	return sum(fmt.Appendf(nil, "%q %q %q %q", c.File, c.URL, c.DSN, c.Query))
}

// save keeps an edition, or leaves what is kept as it is.
func (c Config) save(e edition) error {
	line, err := json.Marshal(kept{Version: keptVersion, Source: c.source(), Sum: sum(e.data), edition: e})
	if err != nil {
		return fmt.Errorf("keep calendar: %w", err)
	}
	// CreateTemp's mode lets nobody else read it.
	file, err := os.CreateTemp(filepath.Dir(c.Keep), filepath.Base(c.Keep)+".*")
	if err != nil {
		return fmt.Errorf("keep calendar: %w", err)
	}
	_, err = file.Write(append(append(line, '\n'), e.data...))
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), c.Keep)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("keep calendar: %w", err), os.Remove(file.Name()))
	}
	return nil
}

// load gives what is kept. There may be nothing, which is fs.ErrNotExist.
func (c Config) load(now time.Time) (edition, error) {
	info, err := os.Stat(c.Keep)
	if err != nil {
		return edition{}, fmt.Errorf("read kept calendar: %w", err)
	}
	if !info.Mode().IsRegular() {
		return edition{}, errors.New("the kept calendar is no regular file")
	}
	file, err := os.Open(c.Keep)
	if err != nil {
		return edition{}, fmt.Errorf("read kept calendar: %w", err)
	}
	defer file.Close()
	data, err := readAll(file, c.Limits.Bytes+maxKeptLine)
	if err != nil {
		return edition{}, fmt.Errorf("the kept calendar: %w", err)
	}
	line, text, _ := bytes.Cut(data, []byte("\n"))
	var k kept
	if err := json.Unmarshal(line, &k); err != nil || k.Version != keptVersion || k.Sum != sum(text) {
		return edition{}, errors.New("the kept calendar is damaged")
	}
	if k.Source != c.source() {
		return edition{}, errors.New("the kept calendar is from another source")
	}
	k.Fetched = earlier(k.Fetched, now) // a clock that has jumped
	k.data = text
	return k.edition, nil
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
