package console

import (
	"strconv"
	"time"

	"github.com/usher-pg/usher/internal/status"
	"github.com/usher-pg/usher/internal/wire"
)

// Types of columns, with the OIDs of PostgreSQL's pg_type.dat. PgBouncer sends timestamps as text.
var (
	typeText    = columnType{oid: 25, size: -1}
	typeInt4    = columnType{oid: 23, size: 4}
	typeInt8    = columnType{oid: 20, size: 8}
	typeNumeric = columnType{oid: 1700, size: -1}
	typeBytea   = columnType{oid: 17, size: -1}
)

type columnType struct {
	oid  uint32
	size int16
}

// column is a name, a type, and how to append the value of a T as text; ok is false for NULL.
type column[T any] struct {
	name   string
	typ    columnType
	append func(dst []byte, item *T) (out []byte, ok bool)
}

// table is a list of columns and where its rows come from.
type table[T any] struct {
	columns []column[T]
	items   func(s *status.Snapshot) []T
}

// result is a table of any T.
type result interface {
	describe() []wire.Column
	// render appends every row to dst and calls flush with it now and then; flush returns what to append to next.
	render(dst []byte, s *status.Snapshot, flush flusher) ([]byte, error)
}

type flusher func(dst []byte) ([]byte, error)

func (t table[T]) describe() []wire.Column {
	columns := make([]wire.Column, len(t.columns))
	for i, c := range t.columns {
		columns[i] = wire.Column{Name: c.name, OID: c.typ.oid, Size: c.typ.size}
	}
	return columns
}

func (t table[T]) render(dst []byte, s *status.Snapshot, flush flusher) ([]byte, error) {
	values := make([][]byte, len(t.columns))
	scratch := make([]byte, 0, 512)
	items := t.items(s)
	for i := range items {
		scratch = scratch[:0]
		for j, c := range t.columns {
			begin := len(scratch)
			out, ok := c.append(scratch, &items[i])
			scratch, values[j] = out, nil
			if ok {
				values[j] = out[begin:len(out):len(out)]
			}
		}
		var err error
		if dst, err = flush(wire.AppendRow(dst, values)); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

func textColumn[T any](name string, value func(*T) string) column[T] {
	return column[T]{name, typeText, func(dst []byte, item *T) ([]byte, bool) {
		return append(dst, clean(value(item))...), true
	}}
}

// optionalColumn is a text that is NULL when it is empty.
func optionalColumn[T any](name string, value func(*T) string) column[T] {
	return column[T]{name, typeText, func(dst []byte, item *T) ([]byte, bool) {
		v := clean(value(item))
		return append(dst, v...), v != ""
	}}
}

func intColumn[T any](name string, value func(*T) int) column[T] {
	return column[T]{name, typeInt4, func(dst []byte, item *T) ([]byte, bool) {
		return strconv.AppendInt(dst, int64(fitInt4(value(item))), 10), true
	}}
}

func boolColumn[T any](name string, value func(*T) bool) column[T] {
	return intColumn(name, func(item *T) int {
		if value(item) {
			return 1
		}
		return 0
	})
}

func bigintColumn[T any](name string, value func(*T) int64) column[T] {
	return column[T]{name, typeInt8, func(dst []byte, item *T) ([]byte, bool) {
		return strconv.AppendInt(dst, value(item), 10), true
	}}
}

func numericColumn[T any](name string, value func(*T) uint64) column[T] {
	return column[T]{name, typeNumeric, func(dst []byte, item *T) ([]byte, bool) {
		return strconv.AppendUint(dst, value(item), 10), true
	}}
}

// timeColumn is a time as PgBouncer prints it: local, to the second, with the zone's abbreviation.
func timeColumn[T any](name string, value func(*T) time.Time) column[T] {
	return column[T]{name, typeText, func(dst []byte, item *T) ([]byte, bool) {
		v := value(item)
		if v.IsZero() {
			return dst, false
		}
		return v.Local().AppendFormat(dst, "2006-01-02 15:04:05 MST"), true
	}}
}

// millisecondsColumn is a duration in milliseconds with three digits, for columns of our own.
func millisecondsColumn[T any](name string, value func(*T) time.Duration) column[T] {
	return column[T]{name, typeNumeric, func(dst []byte, item *T) ([]byte, bool) {
		return strconv.AppendFloat(dst, float64(value(item))/float64(time.Millisecond), 'f', 3, 64), true
	}}
}

// nullColumn is always NULL: PgBouncer has something here that usher has not, or does not tell.
func nullColumn[T any](name string, typ columnType) column[T] {
	return column[T]{name, typ, func(dst []byte, _ *T) ([]byte, bool) { return dst, false }}
}

// idColumn is an ID. PgBouncer declares int4 and so do we, but a larger ID is sent whole: KILL_CLIENT needs it.
func idColumn[T any](name string, value func(*T) uint64) column[T] {
	return column[T]{name, typeInt4, func(dst []byte, item *T) ([]byte, bool) {
		return strconv.AppendUint(dst, value(item), 10), true
	}}
}

// fitInt4 keeps a number within its column's type; a client would fail to read a larger one.
func fitInt4(v int) int32 {
	return int32(min(max(v, -1<<31), 1<<31-1))
}
