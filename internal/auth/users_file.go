package auth

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

const (
	// MaxUsersFileLen bounds a users file: a hundred thousand users with SCRAM verifiers fit.
	MaxUsersFileLen = 32 << 20

	// MaxUserNameLen and MaxSecretLen bound the fields: MAX_USERNAME and MAX_PASSWORD of PgBouncer's bouncer.h.
	MaxUserNameLen = 128
	MaxSecretLen   = 2048
)

// ReadUsersFile reads a users file in PgBouncer's format; see ParseUsers.
func ReadUsersFile(path string) (*Users, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read users file: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxUsersFileLen+1))
	if err != nil {
		return nil, fmt.Errorf("read users file: %w", err)
	}
	users, err := ParseUsers(text)
	if err != nil {
		return nil, fmt.Errorf("read users file %s: %w", path, err)
	}
	return users, nil
}

// ParseUsers reads lines of a user name and a secret, each in double quotes, a double quote in them written
// twice:
//
//	"name" "password, md5… or SCRAM-SHA-256$…"
//
// What stands behind the two is ignored, as PgBouncer does. Empty lines and lines that begin with ; or # are
// skipped. An error names the line and what was expected there, and quotes nothing of it.
func ParseUsers(text []byte) (*Users, error) {
	if len(text) > MaxUsersFileLen {
		return nil, fmt.Errorf("more than %d bytes", MaxUsersFileLen)
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	var users []*User
	lines := map[string]int{}
	number := 0
	for line := range bytes.Lines(text) {
		number++
		line = bytes.Trim(line, " \t\r\n")
		if len(line) == 0 || line[0] == ';' || line[0] == '#' {
			continue
		}
		user, err := parseUser(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		if first, ok := lines[user.Name]; ok {
			return nil, fmt.Errorf("line %d: the user of line %d again", number, first)
		}
		lines[user.Name] = number
		users = append(users, user)
	}
	return NewUsers(users...), nil
}

func parseUser(line []byte) (*User, error) {
	name, rest, err := cutQuoted(line, MaxUserNameLen)
	if err != nil {
		return nil, fmt.Errorf("user name: %w", err)
	}
	if name == "" {
		return nil, errors.New("user name: empty")
	}
	trimmed := bytes.TrimLeft(rest, " \t")
	if len(trimmed) == len(rest) {
		return nil, errors.New("expected a space and the password in double quotes behind the user name")
	}
	text, rest, err := cutQuoted(trimmed, MaxSecretLen)
	if err != nil {
		return nil, fmt.Errorf("password: %w", err)
	}
	if len(rest) > 0 && rest[0] != ' ' && rest[0] != '\t' {
		return nil, errors.New("expected a space or the end of the line behind the password")
	}
	secret, err := ParseSecret(text)
	if err != nil {
		return nil, err
	}
	return NewUser(name, secret), nil
}

// cutQuoted splits b behind its first field.
func cutQuoted(b []byte, limit int) (field string, rest []byte, err error) {
	if len(b) == 0 || b[0] != '"' {
		return "", nil, errors.New("expected a double quote")
	}
	var out strings.Builder
	for i := 1; i < len(b); i++ {
		switch {
		case b[i] == 0:
			return "", nil, errors.New("NUL byte")
		case b[i] != '"':
			out.WriteByte(b[i])
		case i+1 < len(b) && b[i+1] == '"':
			out.WriteByte('"')
			i++
		default:
			if out.Len() > limit {
				return "", nil, fmt.Errorf("%d bytes, expected at most %d", out.Len(), limit)
			}
			return out.String(), b[i+1:], nil
		}
	}
	return "", nil, errors.New("expected a closing double quote on the same line")
}

// AppendUser appends a user's line to a users file.
func AppendUser(dst []byte, name, secret string) []byte {
	return append(appendQuoted(append(appendQuoted(dst, name), ' '), secret), '\n')
}

func appendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	dst = append(dst, strings.ReplaceAll(s, `"`, `""`)...)
	return append(dst, '"')
}
