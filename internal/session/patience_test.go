package session

import (
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/wire"
)

func TestStatementTimeout(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"SET statement_timeout = 5000":           5 * time.Second,
		"SET statement_timeout TO '5s'":          5 * time.Second,
		"SET statement_timeout = ' 1.5 min '":    90 * time.Second,
		"set SESSION Statement_Timeout to '250'": 250 * time.Millisecond,
		"SET statement_timeout = '1h'":           time.Hour,
		"SET statement_timeout = '2d'":           48 * time.Hour,
		"SET statement_timeout = '1600us'":       2 * time.Millisecond, // PostgreSQL counts whole ones
		"SET statement_timeout = '400us'":        0,                    // which makes this none
		"SET statement_timeout = 0":              0,
		"SET statement_timeout = '0s'":           0,
		"SET statement_timeout = DEFAULT":        0,
		"SET statement_timeout = '5 lightyears'": 0,
		"SET statement_timeout = 'inf'":          0,
		"SET statement_timeout = 'nan'":          0,
		"SET statement_timeout = '-1'":           0,
		"SET statement_timeout = '1e300d'":       0,
		"SET lock_timeout = '5s'":                0,
		"SET statement_timeout = 99999999999999": 0, // PostgreSQL would not have taken it
		"SET statement_timeout = '1e3'":          time.Second,
		"SET statement_timeout = 2147483647":     2147483647 * time.Millisecond,
		"SET my.statement_timeout = '5s'":        0,
		"SET statement_timeout = '5s', '6s'":     0,
		"SET statement_timeout = E'5s'":          0,
		"SET LOCAL statement_timeout = '5s'":     0,
		"RESET statement_timeout":                0,
		"SET statement_timeout = \"7s\"":         7 * time.Second,
	} {
		change, ok := ParseChange([]byte(text))
		if !ok {
			if want != 0 {
				t.Errorf("%s is not understood", text)
			}
			continue
		}
		s, err := (*Settings)(nil).With(change)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.StatementTimeout(); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
	s, err := FromStartup([]wire.Param{{Name: "options", Value: "-c statement_timeout=5s"}})
	if err != nil || s.StatementTimeout() != 5*time.Second {
		t.Errorf("at startup: %v, %v", s.StatementTimeout(), err)
	}
}
