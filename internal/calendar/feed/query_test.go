//go:build integration

package feed

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/calendar"
	"github.com/usher-pg/usher/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func TestQueries(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 6, 19, 12, 0, 0, 0, time.UTC)
	read := func(query string, change func(*Config)) (calendar.Reading, error) {
		c := Config{Name: "db", Kind: "wedding", Zone: berlin, DSN: server.URL(""), Query: query}
		if change != nil {
			change(&c)
		}
		return Read(context.Background(), c, now)
	}
	reading, err := read(`SELECT * FROM (VALUES
		(timestamptz '2026-06-20 16:00+02', timestamptz '2026-06-20 23:00+02', NULL, 120, 'Anna, "A" & Ben'),
		('2026-06-21 14:00+00', '2026-06-21 15:00+00', 'Asia/Tokyo', NULL, E'two\nlines')
		) AS w ("start", "end", timezone, guests, name)`, nil)
	if err != nil || len(reading.Problems) > 0 || len(reading.Events) != 2 {
		t.Fatalf("%+v, %v", reading, err)
	}
	want := []calendar.Event{
		{ID: "20260620T140000Z/Anna, \"A\" & Ben", Source: "db", Kind: "wedding", Name: `Anna, "A" & Ben`, Guests: 120,
			Start: time.Date(2026, 6, 20, 14, 0, 0, 0, time.UTC), End: time.Date(2026, 6, 20, 21, 0, 0, 0, time.UTC)},
		{ID: "20260621T140000Z/two lines", Source: "db", Kind: "wedding", Name: "two lines",
			Start: time.Date(2026, 6, 21, 14, 0, 0, 0, time.UTC), End: time.Date(2026, 6, 21, 15, 0, 0, 0, time.UTC)},
	}
	if !slices.Equal(reading.Events, want) {
		t.Errorf("got %+v, want %+v", reading.Events, want)
	}
	// Times without a zone and days are of the zone in the row, or of the calendar.
	reading, err = read(`SELECT timestamp '2026-06-20 16:00' AS start, timestamp '2026-06-20 23:00:00.5' AS end,
		'America/New_York' AS timezone UNION ALL SELECT '2026-06-22', '2026-06-23', NULL`, nil)
	if err != nil || len(reading.Events) != 2 ||
		!reading.Events[0].Start.Equal(time.Date(2026, 6, 20, 20, 0, 0, 0, time.UTC)) ||
		!reading.Events[1].Start.Equal(time.Date(2026, 6, 21, 22, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v, %v", reading, err)
	}
	reading, err = read(`SELECT date '2026-06-22' AS start, date '2026-06-22' AS end`, nil)
	if err != nil || len(reading.Events) != 1 || reading.Events[0].End.Sub(reading.Events[0].Start) != 24*time.Hour {
		t.Errorf("%+v, %v", reading, err)
	}
	reading, err = read(`SELECT timestamptz 'infinity' AS start, timestamptz '-infinity' AS end,
		'NaN'::float AS guests`, nil)
	if err != nil || len(reading.Events) != 0 || len(reading.Problems) != 1 {
		t.Errorf("%+v, %v", reading, err)
	}
}

func TestQueriesThatMisbehave(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	for want, tt := range map[string]struct {
		query  string
		change func(*Config)
	}{
		"read-only transaction":         {"CREATE TABLE calendar_harm (a int)", nil},
		"cannot insert multiple":        {"SELECT 1 AS start; COMMIT", nil},
		"does not exist":                {"SELECT * FROM no_such_table", nil},
		"no answer within 200ms":        {"SELECT pg_sleep(60)", func(c *Config) { c.Timeout = 200 * time.Millisecond }},
		"too many rows":                 {"SELECT generate_series(1, 100000000) AS start, 1 AS end", nil},
		"is too large":                  {"SELECT repeat('x', 999) AS start, 1 AS end FROM generate_series(1, 20000)", nil},
		"has the columns \"a\"":         {"SELECT 1 AS a", nil},
		"has two columns for start":     {"SELECT 1 AS start, 2 AS start, 3 AS end", nil},
		"has no line with the names of": {"COMMIT", nil},
		"invalid body length":           {"SELECT repeat('x', 100000000) AS start, 'x' AS end", nil},
		`database "no_such"`:            {"SELECT 1", func(c *Config) { c.DSN = server.URL("no_such") }},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			c := Config{DSN: server.URL(""), Query: tt.query}
			if tt.change != nil {
				tt.change(&c)
			}
			began := time.Now()
			_, err := Read(context.Background(), c, time.Now())
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v", err)
			}
			if took := time.Since(began); took > 15*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}
