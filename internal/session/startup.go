package session

import (
	"errors"
	"fmt"
	"strings"

	"github.com/usher-pg/usher/internal/wire"
)

// The ways in which a startup parameter can be refused.
var (
	ErrParameterName  = errors.New("not a valid name of a parameter")
	ErrParameterValue = errors.New("not a valid value of a parameter")
	ErrNotSettable    = errors.New("cannot be set by a client of a shared server connection")
	ErrOptions        = errors.New("only -c name=value and --name=value are understood")
)

// FromStartup makes the set of a client's startup parameters: everything but user, database, replication and
// protocol options (_pq_.…), and what "options" contains. Like PostgreSQL, it lets the named parameters win
// over "options".
func FromStartup(parameters []wire.Param) (*Settings, error) {
	var d draft
	for _, p := range parameters {
		if p.Name != "options" {
			continue
		}
		settings, err := parseOptions(p.Value)
		if err != nil {
			return nil, fmt.Errorf("startup parameter options: %w", err)
		}
		for _, s := range settings {
			if err := d.startup(s); err != nil {
				return nil, err
			}
		}
	}
	for _, p := range parameters {
		switch p.Name {
		case "user", "database", "replication", "options":
			continue
		}
		if strings.HasPrefix(p.Name, "_pq_.") {
			continue
		}
		if err := d.startup(p); err != nil {
			return nil, err
		}
	}
	return intern(d.entries)
}

func (d *draft) startup(p wire.Param) error {
	name, ok := canonicalName(p.Name)
	switch {
	case !ok:
		return fmt.Errorf("startup parameter %.64q: %w", p.Name, ErrParameterName)
	case !replayable(name):
		return fmt.Errorf("startup parameter %s: %w", name, ErrNotSettable)
	case len(p.Value) > MaxValueBytes || strings.IndexByte(p.Value, 0) >= 0:
		return fmt.Errorf("startup parameter %s: %w", name, ErrParameterValue)
	case len(d.entries) >= MaxSettings:
		return fmt.Errorf("startup parameters: %w", ErrTooManySettings)
	}
	d.set(entry{name: name, text: p.Value, form: formValue})
	return nil
}

// parseOptions takes the command-line options of the startup parameter "options" apart, as pg_split_opts and
// the postgres command do: words are separated by white space, a backslash takes the next byte as it is.
func parseOptions(options string) ([]wire.Param, error) {
	var found []wire.Param
	words := splitOptions(options)
	for i := 0; i < len(words); i++ {
		setting := ""
		switch w := words[i]; {
		case w == "-c" && i+1 < len(words):
			i++
			setting = words[i]
		case strings.HasPrefix(w, "--"):
			setting = w[2:]
		case strings.HasPrefix(w, "-c"):
			setting = w[2:]
		}
		name, value, ok := strings.Cut(setting, "=")
		if !ok {
			return nil, ErrOptions
		}
		found = append(found, wire.Param{Name: strings.ReplaceAll(name, "-", "_"), Value: value})
	}
	return found, nil
}

func splitOptions(options string) []string {
	var words []string
	var current []byte
	inWord := false
	for i := 0; i < len(options); i++ {
		c := options[i]
		if classes[c]&space != 0 {
			if inWord {
				words = append(words, string(current))
			}
			current, inWord = current[:0], false
			continue
		}
		if c == '\\' && i+1 < len(options) {
			i++
			c = options[i]
		}
		current, inWord = append(current, c), true
	}
	if inWord {
		words = append(words, string(current))
	}
	return words
}
