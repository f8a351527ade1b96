package feed

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/usher-pg/usher/internal/calendar"
)

// Config is where a calendar comes from and how it is kept. Fields that are 0 are those of Defaults.
type Config struct {
	// Name becomes Event.Source. Kind and Zone are of events that name none.
	Name, Kind string
	Zone       *time.Location
	// Format is told from the text and the name when it is "".
	Format calendar.Format

	// One of File, URL and Query is where the calendar is. A URL is http, https or webcal, which is https. A query is one
	// statement that gives the columns of a CSV, and DSN the database for it.
	File, URL, Query string
	DSN              string

	Every   time.Duration // how often it is fetched, give or take a tenth
	Timeout time.Duration // of one time
	// Past and Ahead are how far back and ahead events are of interest.
	Past, Ahead time.Duration

	// A copy with less than the share Shrunk of the future events of the one before is not believed until it has stayed
	// that way for Believe. Shrunk below 0: any copy is believed.
	Shrunk  float64
	Believe time.Duration
	// Stale is after how long without a fetch that worked the feed is in alarm.
	Stale time.Duration
	// Keep is the file in which the last good copy survives a restart; "": none.
	Keep string

	Limits calendar.Limits
	// Transport fetches URLs; nil: over the network.
	Transport http.RoundTripper
}

// leastEvery keeps a mistake from being an attack on the calendar's server.
const leastEvery = time.Second

// Defaults are for a calendar in which people plan days ahead.
func Defaults() Config {
	return Config{
		Every:   5 * time.Minute,
		Timeout: 30 * time.Second,
		Past:    24 * time.Hour,
		Ahead:   15 * 24 * time.Hour, // the forecast's 14 days, and one that begins in them and ends later
		Shrunk:  0.5,
		Believe: 6 * time.Hour,
		Stale:   time.Hour,
		Limits:  calendar.DefaultLimits(),
	}
}

// filled has the defaults where nothing is said.
func (c Config) filled() Config {
	d := Defaults()
	c.Every, c.Timeout = cmp.Or(c.Every, d.Every), cmp.Or(c.Timeout, d.Timeout)
	c.Past, c.Ahead = cmp.Or(c.Past, d.Past), cmp.Or(c.Ahead, d.Ahead)
	c.Shrunk, c.Believe = cmp.Or(c.Shrunk, d.Shrunk), cmp.Or(c.Believe, d.Believe)
	c.Stale = cmp.Or(c.Stale, max(d.Stale, 3*c.Every))
	c.Limits.Bytes = cmp.Or(c.Limits.Bytes, d.Limits.Bytes)
	c.Limits.Events = cmp.Or(c.Limits.Events, d.Limits.Events)
	return c
}

// Check says what is wrong with a configuration, without its secrets.
func (c Config) Check() error {
	given := 0
	for _, source := range []string{c.File, c.URL, c.Query} {
		if source != "" {
			given++
		}
	}
	switch {
	case given != 1:
		return errors.New("a calendar comes from one of a file, a URL and a query")
	case (c.Query == "") != (c.DSN == ""):
		return errors.New("a query needs a database, and a database a query")
	case c.Every < 0 || c.Timeout < 0 || c.Past < 0 || c.Ahead < 0 || c.Believe < 0 || c.Stale < 0 || c.Shrunk > 1:
		return errors.New("a time of a calendar is negative, or its share is above 1")
	case c.Every > 0 && c.Every < leastEvery:
		return fmt.Errorf("a calendar is fetched each %v; expected at least %v", c.Every, leastEvery)
	case c.URL != "":
		_, err := parseURL(c.URL)
		return err
	}
	return nil
}

// Place is where the calendar is, fit to be shown.
func (c Config) Place() string {
	switch {
	case c.File != "":
		return c.File
	case c.Query != "":
		return "a query"
	}
	u, err := parseURL(c.URL)
	if err != nil {
		return "a URL"
	}
	return redacted(u)
}

// parseURL reads a URL. Its errors repeat nothing of it.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("is no URL")
	}
	switch u.Scheme {
	case "http", "https":
	case "webcal", "webcals":
		u.Scheme = "https"
	default:
		return nil, errors.New("is no URL of a calendar; expected https://, http:// or webcal://")
	}
	if u.Hostname() == "" {
		return nil, errors.New("is a URL without a host")
	}
	return u, nil
}

// redacted is a URL without what may be secret: all but its scheme and host.
func redacted(u *url.URL) string {
	text := u.Scheme + "://" + u.Host
	if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		text += "/…"
	}
	return text
}

// options are those to read a copy with at a time.
func (c Config) options(now time.Time) calendar.Options {
	return calendar.Options{
		Source: c.Name, Kind: c.Kind, Zone: c.Zone, From: now.Add(-c.Past), To: now.Add(c.Ahead), Limits: c.Limits,
	}
}

// errTooLarge is that a calendar has more bytes than it may.
func errTooLarge(limit int) error {
	return fmt.Errorf("is too large; expected at most %d bytes", limit)
}
