package calendar

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ReadCSV reads the events of a table whose first line has the names of its columns: start and end, and if there are
// such timezone, guests, name, kind and id, in any order and among others. An error says that the text is no such
// table.
func ReadCSV(data []byte, o Options) (Reading, error) {
	r := newReader(o)
	if err := r.checkSize(data); err != nil {
		return Reading{}, err
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	table := csv.NewReader(bytes.NewReader(data))
	table.Comma, table.FieldsPerRecord = delimiter(data), -1
	table.TrimLeadingSpace, table.ReuseRecord = true, true
	header, err := table.Read()
	if err != nil {
		return Reading{}, errors.New("has no line with the names of columns; expected " + columnsExpected)
	}
	names, err := columnsOf(header)
	if err != nil {
		return Reading{}, err
	}
	for {
		record, err := table.Read()
		if err == io.EOF {
			return r.done(), nil
		}
		if parse, ok := errors.AsType[*csv.ParseError](err); ok {
			r.problem(Problem{Line: parse.StartLine, Message: "is no line of a table, and is left out",
				Expected: `quotes only around a whole text, and "" for one in it`})
			continue
		}
		if err != nil {
			return Reading{}, fmt.Errorf("read table: %w", err)
		}
		line, _ := table.FieldPos(0)
		w := row{line: line, texts: map[string]string{}}
		for i, text := range record[:min(len(record), len(names))] {
			if names[i] != "" {
				w.texts[names[i]] = text
			}
		}
		r.addRow(w)
	}
}

// columnsOf are the columns of a header; what is none of ours is nothing.
func columnsOf(header []string) ([]string, error) {
	names := make([]string, len(header))
	seen := map[string]bool{}
	for i, text := range header {
		column := columnOf(text)
		if column != "" && seen[column] {
			return nil, fmt.Errorf("has two columns for %s; expected one", column)
		}
		names[i] = column
		seen[column] = true
	}
	if !seen["start"] || !seen["end"] {
		return nil, fmt.Errorf("has the columns %s; expected %s", quote(strings.Join(header, ", ")), columnsExpected)
	}
	return names, nil
}

// delimiter is what stands between the columns: of comma, semicolon and tab, what the first line has most of.
func delimiter(data []byte) rune {
	first, _, _ := bytes.Cut(data, []byte("\n"))
	best := ','
	for _, candidate := range ";\t" {
		if bytes.Count(first, []byte(string(candidate))) > bytes.Count(first, []byte(string(best))) {
			best = candidate
		}
	}
	return best
}
