package imports

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/usher-pg/usher/internal/history"
)

const (
	// mostBytes bounds a file: ten years of minutes at 50 bytes a row.
	mostBytes = 256 << 20
	// mostRows bounds its rows; they take 100 bytes each in memory.
	mostRows = 2_000_000
	// mostColumns bounds how many columns there are.
	mostColumns = 1000
)

// CSV reads a file with a header and a row for each time.
type CSV struct {
	// Zone is of times without an offset. Nil: those are an error. Of an hour that comes twice because clocks were set
	// back, rows tell by their order which one they are of; one that was skipped has no rows.
	Zone *time.Location
	// Width is how long a row speaks for. 0: as far as they are apart most of the time.
	Width time.Duration

	most int64 // bytes; 0: mostBytes
}

// Report is what an import has read.
type Report struct {
	Rows    int
	Missing int           // rows without demand
	Skipped int           // rows of an hour that never was
	Width   time.Duration // of a row
}

// field is what a column can be of.
type field int

const (
	unknown field = iota
	timeField
	meanField
	p95Field
	maxField
	arrivalsField
	serviceField
	samplesField
	cutOffField
	outageField
)

// names are what columns may be called, in lower case. The first is the usual one.
var names = map[field][]string{
	timeField: {
		"time", "start", "timestamp", "ts", "date", "datetime", "date_time", "at", "bucket", "time_bucket",
		"ts_local", "local_time", "start_local",
	},
	meanField:     {"mean", "demand", "count", "value", "avg", "average", "busy", "connections", "load", "users", "y"},
	p95Field:      {"p95", "q95", "percentile95"},
	maxField:      {"max", "maximum", "peak"},
	arrivalsField: {"arrivals", "requests", "transactions", "xacts", "queries"},
	serviceField:  {"service", "service_time", "service_seconds", "duration"},
	samplesField:  {"samples"},
	cutOffField:   {"cut_off", "cutoff", "censored", "saturated"},
	outageField:   {"outage", "down"},
}

// fieldOf is what a column of a name is of. A local time may have its zone's name behind it.
func fieldOf(name string) field {
	name = strings.ToLower(strings.TrimSpace(name))
	if strings.HasPrefix(name, "ts_local_") {
		return timeField
	}
	for f, list := range names {
		if slices.Contains(list, name) {
			return f
		}
	}
	return unknown
}

// Read reads all of a file.
func (c CSV) Read(r io.Reader) ([]history.Bucket, Report, error) {
	table, err := newTable(r, cmp.Or(c.most, mostBytes))
	if err != nil {
		return nil, Report{}, err
	}
	columns, err := columnsOf(table.header)
	if err != nil {
		return nil, Report{}, err
	}
	var report Report
	var values []value
	clock := clock{zone: c.Zone}
	for {
		row, err := table.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, report, err
		}
		report.Rows++
		v, ok, err := valueOf(row, columns, &clock)
		if err != nil {
			return nil, report, fmt.Errorf("line %d: %w", table.line(), err)
		}
		if !ok {
			report.Skipped++
			continue
		}
		if v.missing() {
			report.Missing++
		}
		values = append(values, v)
	}
	if report.Width = c.Width; c.Width == 0 {
		report.Width = spacing(values)
	}
	buckets, err := gather(values, report.Width)
	return buckets, report, err
}

// columnsOf is what the columns are of.
func columnsOf(header []string) ([]field, error) {
	columns := make([]field, len(header))
	for i, name := range header {
		f := fieldOf(name)
		if j := slices.Index(columns[:i], f); f != unknown && j >= 0 {
			return nil, fmt.Errorf("columns %q and %q are of the same: leave one of them", header[j], name)
		}
		columns[i] = f
	}
	if !slices.Contains(columns, timeField) {
		return nil, fmt.Errorf("expected a column called %s; there are %.200q", strings.Join(names[timeField], ", "), header)
	}
	if !slices.ContainsFunc(columns, func(f field) bool { return f == meanField || f == p95Field || f == maxField }) {
		return nil, fmt.Errorf("expected a column called %s or %s; there are %.200q",
			strings.Join(names[meanField], ", "), names[p95Field][0]+" or "+names[maxField][0], header)
	}
	return columns, nil
}

// valueOf is what a row says. It is not ok if its time never was.
func valueOf(row []string, columns []field, clock *clock) (v value, ok bool, err error) {
	v, ok = nothing(time.Time{}), true
	for i, text := range row {
		text = strings.TrimSpace(text)
		switch columns[i] {
		case timeField:
			v.at, ok, err = clock.read(text)
		case meanField:
			v.mean, err = number(text)
		case p95Field:
			v.p95, err = number(text)
		case maxField:
			v.largest, err = number(text)
		case arrivalsField:
			v.arrivals, err = number(text)
		case samplesField:
			v.samples, err = number(text)
		case serviceField:
			v.service, err = seconds(text)
		case cutOffField:
			v.cutOff, err = truth(text)
		case outageField:
			v.outage, err = truth(text)
		}
		if err != nil {
			return v, false, err
		}
	}
	return v, ok, nil
}

// isMissing are the ways in which files say that they do not know.
func isMissing(text string) bool {
	switch strings.ToLower(text) {
	case "", "nan", "null", "na", "n/a", "none", "-", `\n`:
		return true
	}
	return false
}

// mostNumber bounds what is a demand or a count; more is a mistake.
const mostNumber = 1e12

func number(text string) (float64, error) {
	if isMissing(text) {
		return math.NaN(), nil
	}
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || !(x >= 0 && x <= mostNumber) {
		return 0, fmt.Errorf("%.40q: expected a number from 0 to %g, or nothing where it is missing", text, mostNumber)
	}
	return x, nil
}

// seconds is a number of them, or a duration as Go writes it.
func seconds(text string) (float64, error) {
	if d, err := time.ParseDuration(text); err == nil && d >= 0 && !isMissing(text) {
		return d.Seconds(), nil
	}
	x, err := number(text)
	if err != nil || x > math.MaxInt64/4e9 {
		return 0, fmt.Errorf("%.40q: expected seconds, or a duration such as 20ms", text)
	}
	return x, nil
}

func truth(text string) (bool, error) {
	if isMissing(text) {
		return false, nil
	}
	yes, err := strconv.ParseBool(strings.ToLower(text))
	if err != nil {
		return false, fmt.Errorf("%.40q: expected true or false", text)
	}
	return yes, nil
}

// table is a CSV file within bounds.
type table struct {
	header []string
	reader *csv.Reader
	limit  *io.LimitedReader
	rows   int
}

// newTable reads the header. Columns are separated by what it has most of: commas, semicolons or tabs.
func newTable(r io.Reader, most int64) (*table, error) {
	limit := &io.LimitedReader{R: r, N: most + 1}
	buffered := bufio.NewReaderSize(limit, 64<<10)
	if mark, _ := buffered.Peek(3); string(mark) == "\ufeff" {
		_, _ = buffered.Discard(3)
	}
	begin, err := buffered.Peek(4096)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read csv: %w", err)
	}
	line, _, _ := strings.Cut(string(begin), "\n")
	t := &table{reader: csv.NewReader(buffered), limit: limit}
	for _, separator := range ";\t" {
		if strings.Count(line, string(separator)) > strings.Count(line, string(t.reader.Comma)) {
			t.reader.Comma = separator
		}
	}
	t.reader.ReuseRecord = true
	header, err := t.reader.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("read csv: expected a line with the names of the columns; there is nothing")
	}
	if err != nil {
		return nil, fmt.Errorf("read csv: %w", err)
	}
	if len(header) > mostColumns {
		return nil, fmt.Errorf("read csv: %d columns: expected at most %d", len(header), mostColumns)
	}
	t.header = slices.Clone(header)
	return t, nil
}

// next is the next row, until io.EOF. It is valid until the next call.
func (t *table) next() ([]string, error) {
	row, err := t.reader.Read()
	switch {
	case t.limit.N <= 0:
		return nil, errors.New("read csv: the file is too long: import it in parts")
	case errors.Is(err, io.EOF):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("read csv: %w", err)
	}
	if t.rows++; t.rows > mostRows {
		return nil, fmt.Errorf("read csv: more than %d rows: import it in parts", mostRows)
	}
	return row, nil
}

func (t *table) line() int {
	line, _ := t.reader.FieldPos(0)
	return line
}
