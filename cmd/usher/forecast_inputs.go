package main

import (
	"context"
	"fmt"
	"os"
	"time"
	_ "time/tzdata" // zones where the system has none

	"github.com/usher-pg/usher/internal/calendar"
	"github.com/usher-pg/usher/internal/calendar/feed"
	"github.com/usher-pg/usher/internal/history"
	"github.com/usher-pg/usher/internal/history/imports"
)

// readHistory reads demand from a CSV file.
func readHistory(path string, zone *time.Location) ([]history.Bucket, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	buckets, _, err := imports.CSV{Zone: zone}.Read(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(buckets) < 2 {
		return nil, fmt.Errorf("%s has %d rows with demand, expected many", path, len(buckets))
	}
	return buckets, nil
}

// readCalendar reads the events of a file that concern a history.
func readCalendar(
	ctx context.Context, path string, zone *time.Location, past []history.Bucket,
) (calendar.Reading, error) {
	now := time.Now()
	last := past[len(past)-1]
	return feed.Read(ctx, feed.Config{
		File: path, Zone: zone, Past: max(now.Sub(past[0].Start)+24*time.Hour, time.Second),
		Ahead: max(last.End().Sub(now)+24*time.Hour, time.Second),
	}, now)
}
