package source

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxErrors is how many errors of one file are shown; more do not help anybody to begin.
const maxErrors = 20

// Error is one thing that is wrong in a configuration, with where it stands.
type Error struct {
	File   string
	Line   int // from 1; 0 when the error has no place in the file
	Column int // from 1, in characters

	// Path is the option it is about, as keys with dots. Empty for an error of the syntax.
	Path string

	// Message says what is wrong, Expected what would be right.
	Message  string
	Expected string

	// Source is the line of the file, with secrets masked, and Width how many characters of it are meant.
	Source string
	Width  int
}

// Error writes the error with its source, as a compiler does.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", e.Line, e.Column)
	}
	b.WriteString(": ")
	if e.Path != "" {
		b.WriteString(e.Path + ": ")
	}
	b.WriteString(e.Message)
	if e.Source != "" {
		e.writeExcerpt(&b)
	}
	if e.Expected != "" {
		fmt.Fprintf(&b, "\n       = expected %s", e.Expected)
	}
	return b.String()
}

// maxExcerpt is how much of a long line is shown, around the place that is meant.
const maxExcerpt = 100

func (e *Error) writeExcerpt(b *strings.Builder) {
	line, column := []rune(e.Source), min(max(e.Column-1, 0), utf8.RuneCountInString(e.Source))
	if start := column - maxExcerpt/2; start > 0 && len(line) > maxExcerpt {
		line, column = line[start:], column-start
	}
	line = line[:min(len(line), maxExcerpt)]
	width := min(max(e.Width, 1), max(len(line)-column, 1))
	fmt.Fprintf(b, "\n%6d | %s", e.Line, string(line))
	fmt.Fprintf(b, "\n       | %s%s", strings.Repeat(" ", column), strings.Repeat("^", width))
}

// Errors is everything wrong that was found in one go.
type Errors []*Error

// Error writes the errors one below the other.
func (es Errors) Error() string {
	texts := make([]string, 0, len(es))
	for _, e := range es[:min(len(es), maxErrors)] {
		texts = append(texts, e.Error())
	}
	if more := len(es) - maxErrors; more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more errors", more))
	}
	return strings.Join(texts, "\n")
}

// Unwrap lets errors.As find a single Error.
func (es Errors) Unwrap() []error {
	list := make([]error, len(es))
	for i, e := range es {
		list[i] = e
	}
	return list
}

// Printable replaces what could confuse a terminal; the file may come from anywhere.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case r == utf8.RuneError || !unicode.IsPrint(r):
			return '?'
		}
		return r
	}, s)
}
