package config

import (
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// A value is a place in a Config that an option reads and writes. It is made by the accessor of the option's
// row, so it lives as long as one decode, print or comparison.
type value interface {
	// kind is the type as the documentation names it, with its range.
	kind() string

	// set parses a scalar, as the file or the console's SET writes it. Its error says what is wrong with the
	// text and does not repeat it: it may be a secret.
	set(text string) error

	// text is the value as the file would write it. Secrets are masked.
	text() string

	// bouncer is the value as PgBouncer's SHOW CONFIG would write it.
	bouncer() string

	// place is the pointer the value stands for; it identifies the field.
	place() any
}

// A listValue takes a YAML list instead of a scalar. Its set takes a text with commas, but SET does not offer
// it.
type listValue interface {
	value

	// setList returns an error for every item it does not take; with any, the list stays as it was.
	setList(items []string) []itemError
}

// maxText bounds a text option; nothing that is a name, a path or a statement of ours comes near it.
const maxText = 1024

type number struct {
	at       *int
	min, max int
}

func (v number) kind() string    { return "integer, " + rangeText(int64(v.min), int64(v.max), plain) }
func (v number) text() string    { return strconv.Itoa(*v.at) }
func (v number) bouncer() string { return v.text() }
func (v number) place() any      { return v.at }
func (v number) set(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil {
		return errorf("is not an integer")
	}
	if n < v.min || n > v.max {
		return errorf("is out of range")
	}
	*v.at = n
	return nil
}

type percent struct {
	at       *int
	min, max int
}

func (v percent) kind() string {
	return "percentage, " + strconv.Itoa(v.min) + "% to " + strconv.Itoa(v.max) + "%"
}
func (v percent) text() string    { return strconv.Itoa(*v.at) + "%" }
func (v percent) bouncer() string { return strconv.Itoa(*v.at) }
func (v percent) place() any      { return v.at }
func (v percent) set(text string) error {
	digits, ok := strings.CutSuffix(text, "%")
	n, err := strconv.Atoi(digits)
	if !ok || err != nil {
		return errorf("is not a percentage such as 20%%")
	}
	if n < v.min || n > v.max {
		return errorf("is out of range")
	}
	*v.at = n
	return nil
}

type span struct {
	at       *time.Duration
	min, max time.Duration
	off      bool // zero is allowed and means: never
}

func (v span) kind() string {
	k := "duration, " + durationText(v.min) + " to " + durationText(v.max)
	if v.off {
		k += ", or 0 for never"
	}
	return k
}
func (v span) text() string { return durationText(*v.at) }
func (v span) place() any   { return v.at }
func (v span) bouncer() string {
	return strconv.FormatFloat(v.at.Seconds(), 'f', -1, 64)
}
func (v span) set(text string) error {
	d, err := parseDuration(text)
	if err != nil {
		return err
	}
	if (d < v.min || d > v.max) && (d != 0 || !v.off) {
		return errorf("is out of range")
	}
	*v.at = d
	return nil
}

type size struct {
	at       *int64
	min, max int64
}

func (v size) kind() string    { return "size, " + rangeText(v.min, v.max, sizeText) }
func (v size) text() string    { return sizeText(*v.at) }
func (v size) bouncer() string { return strconv.FormatInt(*v.at, 10) }
func (v size) place() any      { return v.at }
func (v size) set(text string) error {
	n, err := parseSize(text)
	if err != nil {
		return err
	}
	if n < v.min || n > v.max {
		return errorf("is out of range")
	}
	*v.at = n
	return nil
}

type choice[T ~string] struct {
	at      *T
	allowed []T
}

func (v choice[T]) kind() string {
	names := make([]string, len(v.allowed))
	for i, a := range v.allowed {
		names[i] = string(a)
	}
	return "one of " + strings.Join(names, ", ")
}
func (v choice[T]) text() string    { return string(*v.at) }
func (v choice[T]) bouncer() string { return string(*v.at) }
func (v choice[T]) place() any      { return v.at }
func (v choice[T]) set(text string) error {
	if !slices.Contains(v.allowed, T(text)) {
		return errorf("is not known")
	}
	*v.at = T(text)
	return nil
}

type text struct {
	at    *string
	what  string // "text", "path", …
	check func(string) error
}

func (v text) kind() string    { return v.what }
func (v text) text() string    { return *v.at }
func (v text) bouncer() string { return *v.at }
func (v text) place() any      { return v.at }
func (v text) set(s string) error {
	if err := checkText(s); err != nil {
		return err
	}
	if v.check != nil && s != "" {
		if err := v.check(s); err != nil {
			return err
		}
	}
	*v.at = s
	return nil
}

// checkText refuses what could end a startup parameter early (NUL) or forge a line of the log.
func checkText(s string) error {
	if len(s) > maxText {
		return errorf("is longer than %d bytes", maxText)
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return errorf("has a control character")
	}
	return nil
}

type secret struct {
	at *Secret
}

func (v secret) kind() string    { return "secret text" }
func (v secret) text() string    { return v.at.String() }
func (v secret) bouncer() string { return v.at.String() }
func (v secret) place() any      { return v.at }
func (v secret) set(text string) error {
	if err := checkText(text); err != nil {
		return err
	}
	*v.at = Secret(text)
	return nil
}

func textOf(at *string) text { return text{at: at, what: "text"} }
func pathOf(at *string) text { return text{at: at, what: "path"} }

type names struct {
	at   *[]string
	what string
}

func (v names) kind() string          { return "list of " + v.what }
func (v names) text() string          { return "[" + strings.Join(*v.at, ", ") + "]" }
func (v names) bouncer() string       { return strings.Join(*v.at, ", ") }
func (v names) place() any            { return v.at }
func (v names) set(text string) error { return firstOf(v.setList(splitList(text))) }
func (v names) setList(items []string) []itemError {
	var bad []itemError
	for i, s := range items {
		switch err := checkText(s); {
		case s == "":
			bad = append(bad, itemError{i, errorf("is empty")})
		case err != nil:
			bad = append(bad, itemError{i, err})
		case slices.Contains(items[:i], s):
			bad = append(bad, itemError{i, errorf("is listed twice")})
		}
	}
	if bad == nil {
		*v.at = items
	}
	return bad
}

type addresses struct {
	at *[]Address
}

func (v addresses) kind() string          { return "list of host:port or unix:/path" }
func (v addresses) bouncer() string       { return strings.Trim(v.text(), "[]") }
func (v addresses) place() any            { return v.at }
func (v addresses) set(text string) error { return firstOf(v.setList(splitList(text))) }
func (v addresses) text() string {
	quoted := make([]string, len(*v.at))
	for i, a := range *v.at {
		quoted[i] = strconv.Quote(a.String())
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
func (v addresses) setList(items []string) []itemError {
	var list []Address
	var bad []itemError
	for i, s := range items {
		a, err := parseAddress(s)
		switch {
		case err != nil:
			bad = append(bad, itemError{i, err})
		case slices.Contains(list, a) && !strings.HasSuffix(a.Address, ":0"):
			bad = append(bad, itemError{i, errorf("is listed twice")})
		}
		list = append(list, a)
	}
	if bad == nil {
		*v.at = list
	}
	return bad
}

type fileMode struct {
	at *fs.FileMode
}

func (v fileMode) kind() string    { return "octal file mode, 0000 to 0777" }
func (v fileMode) text() string    { return "0" + strconv.FormatUint(uint64(*v.at), 8) }
func (v fileMode) bouncer() string { return v.text() }
func (v fileMode) place() any      { return v.at }
func (v fileMode) set(text string) error {
	n, err := strconv.ParseUint(text, 8, 32)
	if err != nil || n > 0o777 || !strings.HasPrefix(text, "0") {
		return errorf("is not an octal file mode such as 0770")
	}
	*v.at = fs.FileMode(n)
	return nil
}

// An itemError is about one item of a list.
type itemError struct {
	index int
	err   error
}

func firstOf(bad []itemError) error {
	if len(bad) == 0 {
		return nil
	}
	return bad[0].err
}

func splitList(text string) []string {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	items := strings.Split(text, ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	return items
}
