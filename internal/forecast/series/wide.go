package series

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// The limits of a row. They bound the memory that a file can take, however long it is.
const (
	MaxValues = 200_000 // 22 years of hours
	maxCell   = 256     // bytes
)

// Row is a series as it stands in a wide file.
type Row struct {
	ID     string
	Values []float64 // NaN is a value that is missing
	Number int       // of the row in the file, from 1
}

// WideReader reads series from comma separated text, one a row: id, values…
//
// Cells may be quoted. Empty cells at the end of a row do not count, for series need not be equally long; elsewhere an
// empty cell, NA, NaN or null is a value that is missing. The first row is a header if its first cell is "id" or none
// of its values is a number. Empty rows are skipped.
type WideReader struct {
	from *bufio.Reader
	row  int
	cell []byte
}

// NewWideReader returns a reader of r, which it reads ahead of.
func NewWideReader(r io.Reader) *WideReader {
	return &WideReader{from: bufio.NewReaderSize(r, 64<<10), cell: make([]byte, 0, maxCell)}
}

// Next returns the next series, or io.EOF. Its errors name row and column, both from 1; after one, the reader is of no
// further use.
func (r *WideReader) Next() (Row, error) {
	for {
		r.row++
		row, kind, err := r.next()
		if err != nil {
			return Row{}, err
		}
		if kind == dataRow {
			return row, nil
		}
	}
}

type rowKind int

const (
	dataRow rowKind = iota
	emptyRow
	headerRow
)

// An ending is what came after a cell.
type ending int

const (
	cellEnd ending = iota
	rowEnd
	fileEnd
)

func (r *WideReader) next() (Row, rowKind, error) {
	row := Row{Number: r.row}
	end, err := r.read(1)
	if err != nil {
		return row, 0, err
	}
	if r.row == 1 {
		r.cell = []byte(strings.TrimPrefix(string(r.cell), "\ufeff"))
	}
	row.ID = strings.TrimSpace(string(r.cell))
	if end == fileEnd && row.ID == "" {
		return row, 0, io.EOF
	}
	if end != cellEnd && row.ID == "" {
		return row, emptyRow, nil
	}
	numbers, empty := 0, 0
	var wrong error // kept for the first row, which may prove to be a header
	for column := 2; end == cellEnd; column++ {
		if end, err = r.read(column); err != nil {
			return row, 0, err
		}
		v, is, err := value(strings.TrimSpace(string(r.cell)))
		switch {
		case err != nil && r.row > 1:
			return row, 0, r.wrong(column, err)
		case err != nil:
			if wrong == nil {
				wrong = r.wrong(column, err)
			}
			continue
		case is == nothing:
			empty++
			continue
		case is == number:
			numbers++
		}
		if len(row.Values)+empty >= MaxValues {
			return row, 0, r.wrong(column, fmt.Errorf("expected at most %d values", MaxValues))
		}
		for ; empty > 0; empty-- {
			row.Values = append(row.Values, math.NaN())
		}
		row.Values = append(row.Values, v)
	}
	if r.row == 1 && (strings.EqualFold(row.ID, "id") || (wrong != nil && numbers == 0)) {
		return row, headerRow, nil
	}
	return row, dataRow, wrong
}

func (r *WideReader) wrong(column int, err error) error {
	return fmt.Errorf("row %d, column %d: %w", r.row, column, err)
}

// A content is what a cell says.
type content int

const (
	number content = iota
	missing
	nothing
)

func value(cell string) (float64, content, error) {
	switch strings.ToLower(cell) {
	case "":
		return 0, nothing, nil
	case "na", "nan", "null":
		return math.NaN(), missing, nil
	}
	v, err := strconv.ParseFloat(cell, 64)
	switch {
	case err != nil && !errors.Is(err, strconv.ErrRange):
		return 0, number, fmt.Errorf("%q is not a number", cell)
	case v < 0:
		return 0, number, fmt.Errorf("%s is negative: expected 0 to %g", cell, MaxValue)
	case v > MaxValue:
		return 0, number, fmt.Errorf("%s is too large: expected 0 to %g", cell, MaxValue)
	}
	return v + 0, number, nil // -0 becomes 0
}

// read reads a cell into r.cell.
func (r *WideReader) read(column int) (ending, error) {
	r.cell = r.cell[:0]
	quoted, closed := false, false
	for {
		b, err := r.from.ReadByte()
		if err == io.EOF {
			if quoted && !closed {
				return 0, r.wrong(column, errors.New("the quote is never closed"))
			}
			return fileEnd, nil
		}
		if err != nil {
			return 0, fmt.Errorf("read row %d: %w", r.row, err)
		}
		open := quoted && !closed
		switch {
		case b == '"' && open:
			closed = true
		case b == '"' && closed: // a doubled one is one
			closed = false
			r.cell = append(r.cell, b)
		case b == '"' && len(strings.TrimSpace(string(r.cell))) == 0:
			quoted, r.cell = true, r.cell[:0]
		case b == ',' && !open:
			return cellEnd, nil
		case b == '\n' && !open:
			return rowEnd, nil
		case closed && (b == ' ' || b == '\t' || b == '\r'):
		case closed:
			return 0, r.wrong(column, errors.New("expected a comma after the quote"))
		default:
			r.cell = append(r.cell, b)
		}
		if len(r.cell) > maxCell {
			return 0, r.wrong(column, fmt.Errorf("expected at most %d bytes in a cell", maxCell))
		}
	}
}
