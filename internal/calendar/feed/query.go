package feed

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/usher-pg/usher/internal/calendar"
)

// closePatience is how long the end of a connection may take.
const closePatience = time.Second

// query runs the statement in a transaction that can only read, and gives what it gives as a CSV. The extended protocol
// takes one statement, so that no second one can leave the transaction.
func (c Config) query(ctx context.Context) (edition, error) {
	config, err := pgconn.ParseConfig(c.DSN)
	if err != nil {
		return edition{}, errors.New("the DSN of its database cannot be read") // the library's error quotes it
	}
	config.RuntimeParams["application_name"] = "usher calendar"
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return edition{}, fmt.Errorf("connect: %w", err)
	}
	defer func() {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), closePatience)
		defer cancel()
		conn.Close(ending) // which rolls back; there is nothing to lose
	}()
	conn.Frontend().SetMaxBodyLen(c.Limits.Bytes)
	// Times are to be read back: in UTC and ISO, whatever the database's settings.
	begin := fmt.Sprintf("BEGIN READ ONLY; SET LOCAL statement_timeout = %d; SET LOCAL TimeZone = 'UTC'; "+
		"SET LOCAL DateStyle = 'ISO'", max(c.Timeout.Milliseconds(), 1))
	if err := conn.Exec(ctx, begin).Close(); err != nil {
		return edition{}, fmt.Errorf("begin: %w", err)
	}
	data, err := c.table(conn.ExecParams(ctx, c.Query, nil, nil, nil, nil))
	if err != nil {
		return edition{}, err
	}
	return edition{Format: calendar.CSV, data: data}, nil
}

// table writes rows as a CSV. When it gives up, rows are still coming, and only the end of the connection ends them.
func (c Config) table(rows *pgconn.ResultReader) ([]byte, error) {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	record := make([]string, len(rows.FieldDescriptions()))
	for i, field := range rows.FieldDescriptions() {
		record[i] = field.Name
	}
	if len(record) > 0 {
		w.Write(record) // a buffer takes all
	}
	for n := 0; rows.NextRow(); n++ {
		if n == c.Limits.Events {
			return nil, fmt.Errorf("gives too many rows; expected at most %d", c.Limits.Events)
		}
		for i, value := range rows.Values() {
			record[i] = string(value)
		}
		w.Write(record)
		if w.Flush(); out.Len() > c.Limits.Bytes {
			return nil, errTooLarge(c.Limits.Bytes)
		}
	}
	w.Flush()
	if _, err := rows.Close(); err != nil {
		return nil, fmt.Errorf("query: %w", err)
	}
	return out.Bytes(), nil
}
