package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/usher-pg/usher/internal/history"
)

// eventsVersion is the first version of the schema that has events.
const eventsVersion = 2

// SaveEvents implements history.Store.
func (s *Store) SaveEvents(ctx context.Context, events []history.Event) error {
	if err := history.CheckEvents(events); err != nil {
		return fmt.Errorf("save events: %w", err)
	}
	if len(events) == 0 {
		return nil
	}
	bySource := map[string][]history.Event{}
	for _, e := range events {
		bySource[e.Source] = append(bySource[e.Source], e)
	}
	if err := s.change(ctx, func(tx *sql.Tx) error {
		for source, fresh := range bySource {
			if err := s.renew(ctx, tx, source, fresh); err != nil {
				return err
			}
		}
		return s.bound(ctx, tx)
	}); err != nil {
		return fmt.Errorf("save events: %w", mark(ctx, err))
	}
	return nil
}

// eventDay is the events of a calendar that begin on a day.
type eventDay struct {
	source string
	day    int64
}

// renew puts events of a calendar in the place of those that are the same, and writes the days that are other then.
func (s *Store) renew(ctx context.Context, tx *sql.Tx, source string, fresh []history.Event) error {
	from, to := history.Near(fresh)
	var stored []history.Event
	var damaged []int64
	if err := s.eventDays(ctx, tx, func(d eventDay, packed []byte) {
		more, err := unpackEvents(stored, source, d.day, packed)
		if err != nil {
			s.tellEvents(d, err)
			damaged = append(damaged, d.day)
			return
		}
		stored = more
	}, "WHERE source = ? AND day BETWEEN ? AND ? ORDER BY day", source, dayOf(from), dayOf(to)); err != nil {
		return err
	}
	gone, come := history.Renew(stored, fresh)
	days := map[int64][]history.Event{}
	for _, list := range [][]history.Event{gone, come} {
		for i := range list {
			days[dayOf(list[i].Start)] = nil
		}
	}
	for _, e := range slices.Concat(history.Apart(stored, fresh), come) {
		day := dayOf(e.Start)
		if _, changed := days[day]; changed {
			days[day] = append(days[day], e)
		}
	}
	for day, events := range days {
		d := eventDay{source, day}
		if slices.Contains(damaged, day) {
			if err := setEventsAside(ctx, tx, d); err != nil {
				return err
			}
		}
		if err := writeEvents(ctx, tx, d, events); err != nil {
			return err
		}
	}
	return nil
}

// setEventsAside copies a row that cannot be read into the table damaged_event, before it is written over.
func setEventsAside(ctx context.Context, tx *sql.Tx, d eventDay) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO damaged_event (source, day, events, found) "+
		"SELECT source, day, events, ? FROM event WHERE source = ? AND day = ?", time.Now().UnixMicro(), d.source, d.day)
	return err
}

func writeEvents(ctx context.Context, tx *sql.Tx, d eventDay, events []history.Event) error {
	if len(events) == 0 {
		_, err := tx.ExecContext(ctx, "DELETE FROM event WHERE source = ? AND day = ?", d.source, d.day)
		return err
	}
	_, err := tx.ExecContext(ctx, "INSERT INTO event (source, day, count, events) VALUES (?, ?, ?, ?) "+
		"ON CONFLICT (source, day) DO UPDATE SET count = excluded.count, events = excluded.events",
		d.source, d.day, len(events), packEvents(d.day, events))
	return err
}

// bound forgets the events that began first while there are too many.
func (s *Store) bound(ctx context.Context, tx *sql.Tx) error {
	var over int
	if err := tx.QueryRowContext(ctx, "SELECT coalesce(sum(count), 0) - ? FROM event", history.MostEvents).
		Scan(&over); err != nil || over <= 0 {
		return err
	}
	var oldest []history.Event
	last := int64(-1) // the day that is not forgotten as a whole
	if err := s.eventDays(ctx, tx, func(d eventDay, packed []byte) {
		if len(oldest) >= over && d.day != last {
			return
		}
		last = d.day
		if more, err := unpackEvents(oldest, d.source, d.day, packed); err == nil {
			oldest = more
		}
	}, "ORDER BY day, source"); err != nil {
		return err
	}
	slices.SortStableFunc(oldest, func(a, b history.Event) int { return a.Start.Compare(b.Start) })
	if _, err := tx.ExecContext(ctx, "DELETE FROM event WHERE day <= ?", last); err != nil {
		return err
	}
	left := map[string][]history.Event{}
	for _, e := range oldest[min(over, len(oldest)):] {
		left[e.Source] = append(left[e.Source], e)
	}
	for source, events := range left {
		if err := writeEvents(ctx, tx, eventDay{source, last}, events); err != nil {
			return err
		}
	}
	return nil
}

// Events implements history.Store. A day that is damaged is left out and told.
func (s *Store) Events(ctx context.Context, from, to time.Time) ([]history.Event, error) {
	if s.version < eventsVersion {
		return nil, nil
	}
	from, to = history.Clamp(from), history.Clamp(to)
	first, last := dayOf(from.Add(-history.LongestEvent)), dayOf(to)
	var count int // to make room at once
	if err := s.db.QueryRowContext(ctx, "SELECT coalesce(sum(count), 0) FROM event WHERE day BETWEEN ? AND ?",
		first, last).Scan(&count); err != nil {
		return nil, fmt.Errorf("read events: %w", mark(ctx, err))
	}
	events := make([]history.Event, 0, min(max(count, 0), history.MostEvents))
	if err := s.eventDays(ctx, s.db, func(d eventDay, packed []byte) {
		more, err := unpackEvents(events, d.source, d.day, packed)
		if err != nil {
			s.tellEvents(d, err)
			return
		}
		events = more
	}, "WHERE day BETWEEN ? AND ? ORDER BY source, day", first, last); err != nil {
		return nil, fmt.Errorf("read events: %w", mark(ctx, err))
	}
	return slices.DeleteFunc(events, func(e history.Event) bool {
		return e.End.Before(from) || !e.Start.Before(to)
	}), nil
}

func (s *Store) tellEvents(d eventDay, why error) {
	s.tellOnce(fmt.Sprintf("events of calendar %s on %s are damaged and left out: %v", d.source,
		dayStart(d.day).Format(time.DateOnly), why))
}

// querier is a transaction or the file.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// eventDays calls with the rows that a condition holds of. What is packed is the callee's.
func (s *Store) eventDays(
	ctx context.Context, q querier, do func(d eventDay, packed []byte), condition string, args ...any,
) error {
	rows, err := q.QueryContext(ctx, "SELECT source, day, events FROM event "+condition, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var d eventDay
		var packed []byte
		if err := rows.Scan(&d.source, &d.day, &packed); err != nil {
			return err
		}
		do(d, packed)
	}
	return rows.Err()
}
