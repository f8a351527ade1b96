package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/usher-pg/usher/internal/history"
)

// eventLock is what writers of events take turns by, as if it were a pool.
const eventLock = "\x01events"

const (
	eventKey     = "source, begins, ends, name, twin"
	eventColumns = eventKey + ", id, kind, guests"
	eventArrays  = "$1::text[], $2::timestamptz[], $3::timestamptz[], $4::text[], $5::int[]"
)

// SaveEvents implements history.Store.
func (s *Store) SaveEvents(ctx context.Context, events []history.Event) error {
	if err := history.CheckEvents(events); err != nil {
		return fmt.Errorf("save events: %w", err)
	}
	if len(events) == 0 {
		return nil
	}
	if err := s.change(ctx, func(tx pgx.Tx) error { return s.renew(ctx, tx, events) }); err != nil {
		return fmt.Errorf("save events: %w", err)
	}
	return nil
}

// renew puts events in the place of those that are the same.
func (s *Store) renew(ctx context.Context, tx pgx.Tx, events []history.Event) error {
	if err := lock(ctx, tx, eventLock); err != nil {
		return err
	}
	from, to := history.Near(events)
	stored, err := s.events(ctx, tx, "WHERE begins BETWEEN $1 AND $2", from, to)
	if err != nil {
		return err
	}
	gone, come := history.Renew(stored, events)
	if len(gone) > 0 {
		if _, err := tx.Exec(ctx, "DELETE FROM usher_event WHERE ("+eventKey+") IN (SELECT * FROM unnest("+eventArrays+"))",
			columnsOf(gone)[:5]...); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(ctx, "INSERT INTO usher_event ("+eventColumns+") SELECT * FROM unnest("+eventArrays+
		", $6::text[], $7::text[], $8::float8[]) ON CONFLICT ("+eventKey+") DO UPDATE SET (id, kind, guests) = "+
		"(excluded.id, excluded.kind, excluded.guests)", columnsOf(come)...); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "DELETE FROM usher_event WHERE (SELECT count(*) FROM usher_event) > $1 AND ("+eventKey+") IN "+
		"(SELECT "+eventKey+" FROM usher_event ORDER BY begins DESC, ends, source, name, twin OFFSET $1)",
		history.MostEvents)
	return err
}

// columnsOf are the columns of events, in the order of eventColumns.
func columnsOf(events []history.Event) []any {
	n := len(events)
	source, name, id, kind := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	begins, ends := make([]time.Time, n), make([]time.Time, n)
	twin, guests := make([]int32, n), make([]float64, n)
	for i, e := range events {
		source[i], name[i], id[i], kind[i] = e.Source, e.Name, e.ID, e.Kind
		begins[i], ends[i] = e.Start.Truncate(time.Microsecond), e.End.Truncate(time.Microsecond)
		twin[i], guests[i] = int32(e.Twin), e.Guests
	}
	return []any{source, begins, ends, name, twin, id, kind, guests}
}

// Events implements history.Store.
func (s *Store) Events(ctx context.Context, from, to time.Time) ([]history.Event, error) {
	events, err := s.events(ctx, s.pool, "WHERE ends >= $1 AND begins < $2",
		history.Clamp(from).Truncate(time.Microsecond), history.Clamp(to).Truncate(time.Microsecond))
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	return events, nil
}

// events reads those that a condition holds of. One that cannot be is left out and told: anybody can write to a table.
func (s *Store) events(ctx context.Context, q querier, where string, args ...any) ([]history.Event, error) {
	rows, err := q.Query(ctx, "SELECT "+eventColumns+" FROM usher_event "+where+
		" ORDER BY source COLLATE \"C\", begins, ends, name COLLATE \"C\", twin", args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var events []history.Event
	for rows.Next() {
		var e history.Event
		if err := rows.Scan(&e.Source, &e.Start, &e.End, &e.Name, &e.Twin, &e.ID, &e.Kind, &e.Guests); err != nil {
			return nil, err
		}
		e.Start, e.End = e.Start.UTC(), e.End.UTC()
		if err := e.Check(); err != nil {
			s.tell("an event of the history is left out: " + err.Error())
			continue
		}
		events = append(events, e)
	}
	return events, rows.Err()
}
