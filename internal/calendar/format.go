package calendar

import (
	"bytes"
	"fmt"
	"path"
	"strings"
)

// Format is how a calendar is written.
type Format string

// The formats.
const (
	ICalendar Format = "icalendar"
	CSV       Format = "csv"
	YAML      Format = "yaml"
)

// FormatOf tells the format of a text from what it begins with, and else from a name that may end in .csv, .yaml or
// .yml. It is an iCalendar in case of doubt.
func FormatOf(name string, data []byte) Format {
	start := bytes.TrimLeft(bytes.TrimPrefix(data[:min(len(data), 200)], []byte("\xef\xbb\xbf")), " \t\r\n")
	if bytes.HasPrefix(bytes.ToUpper(start), []byte("BEGIN:VCALENDAR")) {
		return ICalendar
	}
	switch strings.ToLower(path.Ext(name)) {
	case ".csv", ".tsv":
		return CSV
	case ".yaml", ".yml":
		return YAML
	}
	return ICalendar
}

// Read reads a text of a format.
func Read(f Format, data []byte, o Options) (Reading, error) {
	switch f {
	case ICalendar:
		return ReadICalendar(data, o)
	case CSV:
		return ReadCSV(data, o)
	case YAML:
		return ReadYAML(data, o)
	}
	return Reading{}, fmt.Errorf("the format %q is unknown; expected %s, %s or %s", string(f), ICalendar, CSV, YAML)
}
