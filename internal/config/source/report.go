package source

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// A Report collects what is wrong with one file.
type Report struct {
	file  string
	lines []string
	errs  Errors
}

// NewReport makes the report of a file, or of what has no file: then data is nil and errors have no place.
func NewReport(file string, data []byte) *Report {
	return &Report{file: file, lines: strings.Split(string(data), "\n")}
}

// Len is how many errors were reported.
func (l *Report) Len() int { return len(l.errs) }

// Err returns the errors by their place, or nil.
func (l *Report) Err() error {
	if len(l.errs) == 0 {
		return nil
	}
	slices.SortStableFunc(l.errs, func(a, b *Error) int {
		return cmp.Or(a.Line-b.Line, a.Column-b.Column)
	})
	return l.errs
}

// whole reports something about the file as a whole.
func (l *Report) whole(message string) {
	l.errs = append(l.errs, &Error{File: l.file, Message: message})
}

// At reports something about a place in the file. n may be nil or have no place.
func (l *Report) At(n *Node, path, message, expected string) {
	e := &Error{File: l.file, Path: path, Message: message, Expected: expected}
	if n != nil && n.Line > 0 {
		e.Line, e.Column, e.Width = n.Line, max(n.Column, 1), n.Width
	}
	if e.Line > 0 && e.Line <= len(l.lines) {
		e.Source = Printable(strings.TrimRight(redactLine(l.lines, e.Line-1), "\r "))
	}
	l.errs = append(l.errs, e)
}

// Has reports whether the same was already reported about a place.
func (l *Report) Has(n *Node, message string) bool {
	return slices.ContainsFunc(l.errs, func(e *Error) bool {
		return e.Line == n.Line && e.Column == n.Column && e.Message == message
	})
}

// syntax reports an error of the YAML library without its own excerpt, which would show secrets.
func (l *Report) syntax(err error) {
	var y yaml.Error
	if !errors.As(err, &y) {
		l.whole("is not YAML that can be read")
		return
	}
	// The fallback pool's name is the mistake everybody makes once, and the library reports it a line late.
	if i := slices.IndexFunc(l.lines, isBareStar); i >= 0 {
		at := &Node{Line: i + 1, Column: strings.IndexByte(l.lines[i], '*') + 1, Width: 1}
		l.At(at, "", "a star alone begins an alias in YAML", `quotes around it: "*":`)
		return
	}
	l.At(placeOf(y.GetToken()), "", "is not correct YAML: "+Printable(Redact(y.GetMessage())), "")
}

func isBareStar(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), "*:") }
