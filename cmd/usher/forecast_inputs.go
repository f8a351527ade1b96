package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // zones where the system has none

	"github.com/usher-pg/usher/internal/calendar"
	"github.com/usher-pg/usher/internal/history"
)

// The names that columns may have, by what they are. A column of times may also begin with ts.
var (
	timeColumns   = []string{"time", "start", "start_local", "date_time", "datetime", "timestamp"}
	demandColumns = []string{"demand", "mean", "value", "count", "users"}
	endColumns    = []string{"end", "end_local"}
	zoneColumns   = []string{"timezone", "zone"}
	guestColumns  = []string{"guests", "attendance"}
	kindColumns   = []string{"kind"}
	nameColumns   = []string{"name", "summary"}
)

// mostRows bounds a file: ten years in steps of five minutes.
const mostRows = 1 << 20

// readHistory reads demand from a CSV file.
func readHistory(path string, zone *time.Location) ([]history.Bucket, error) {
	var buckets []history.Bucket
	err := readTable(path, func(t *table) error {
		at, err := t.time(timeColumns, zone)
		if err != nil {
			return err
		}
		text := t.text(demandColumns)
		if text == "" {
			return nil // not known
		}
		v, err := strconv.ParseFloat(text, 64)
		if err != nil || !(v >= 0) {
			return fmt.Errorf("demand is %q, expected a number from 0 up, or nothing", text)
		}
		buckets = append(buckets, history.Bucket{Start: at.UTC(), Mean: v, P95: v, Max: v})
		return nil
	}, timeColumns, demandColumns)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(buckets, func(a, b history.Bucket) int { return a.Start.Compare(b.Start) })
	buckets = slices.CompactFunc(buckets, func(a, b history.Bucket) bool { return a.Start.Equal(b.Start) })
	if len(buckets) < 2 {
		return nil, fmt.Errorf("%s has %d rows with demand, expected many", path, len(buckets))
	}
	width := 24 * time.Hour
	for i := range buckets[1:] {
		width = min(width, buckets[i+1].Start.Sub(buckets[i].Start))
	}
	for i := range buckets {
		buckets[i].Width = width
	}
	return buckets, nil
}

// readCalendar reads events from a CSV file.
func readCalendar(path string, zone *time.Location) ([]calendar.Event, error) {
	if strings.EqualFold(filepath.Ext(path), ".ics") {
		return nil, errors.New("iCalendar files are not read yet: expected .csv")
	}
	var events []calendar.Event
	err := readTable(path, func(t *table) error {
		own := zone
		if name := t.text(zoneColumns); name != "" {
			var err error
			if own, err = time.LoadLocation(name); err != nil {
				return err
			}
		}
		e := calendar.Event{Kind: t.text(kindColumns), Name: t.text(nameColumns), Source: filepath.Base(path)}
		var err error
		if e.Start, err = t.time(timeColumns, own); err != nil {
			return err
		}
		if e.End, err = t.time(endColumns, own); err != nil {
			return err
		}
		if e.End.Before(e.Start) {
			return errors.New("it ends before it starts")
		}
		if text := t.text(guestColumns); text != "" {
			if e.Guests, err = strconv.ParseFloat(text, 64); err != nil || !(e.Guests >= 0) {
				return fmt.Errorf("guests are %q, expected a number from 0 up", text)
			}
		}
		e.ID = fmt.Sprintf("%s#%d", e.Start.UTC().Format(time.RFC3339), t.line)
		events = append(events, e)
		return nil
	}, timeColumns, endColumns)
	return events, err
}

// table is a CSV file at one of its rows.
type table struct {
	header map[string]int
	row    []string
	line   int
}

// readTable calls with each row of a file whose header has one of each of the names needed.
func readTable(path string, each func(*table) error, needed ...[]string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	r := csv.NewReader(file)
	r.ReuseRecord = true
	header, err := r.Read()
	if err != nil {
		return fmt.Errorf("%s: header: %w", path, err)
	}
	t := &table{header: map[string]int{}}
	for i, name := range header {
		name = strings.ToLower(strings.TrimSpace(strings.TrimPrefix(name, "\ufeff")))
		if strings.HasPrefix(name, "ts") {
			name = timeColumns[0]
		}
		t.header[name] = i
	}
	for _, names := range needed {
		if !slices.ContainsFunc(names, func(name string) bool { _, ok := t.header[name]; return ok }) {
			return fmt.Errorf("%s: no column %s", path, strings.Join(names, " or "))
		}
	}
	for n := range mostRows {
		if t.row, err = r.Read(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		t.line = n + 2
		if err := each(t); err != nil {
			return fmt.Errorf("%s: line %d: %w", path, t.line, err)
		}
	}
	return fmt.Errorf("%s has more than %d rows", path, mostRows)
}

func (t *table) text(names []string) string {
	for _, name := range names {
		if i, ok := t.header[name]; ok {
			return strings.TrimSpace(t.row[i])
		}
	}
	return ""
}

func (t *table) time(names []string, zone *time.Location) (time.Time, error) {
	text := t.text(names)
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04"} {
		if at, err := time.ParseInLocation(layout, text, zone); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("%s is %q, expected a time as 2006-01-02T15:04:05", names[0], text)
}
