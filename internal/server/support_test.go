package server

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/usher-pg/usher/internal/config"
	"github.com/usher-pg/usher/internal/relay"
)

// parse makes a configuration from its pools, and more options behind them.
func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	c, err := config.Parse("test.yaml", []byte("auth: {type: trust}\n"+text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// load makes settings from it.
func load(t *testing.T, text string) *settings {
	t.Helper()
	s, err := loadSettings(parse(t, text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// newTestRoutes are routes on a relay that does not run: pools exist, and nothing is opened.
func newTestRoutes(t *testing.T, text string) *routes {
	t.Helper()
	log := NewLog(io.Discard, config.Log{Level: config.LogError})
	r, err := relay.New(relay.Config{Loops: 1, Limits: relay.Limits{Message: 1 << 20, Clients: 10}, Log: log.Logger})
	if err != nil {
		t.Fatal(err)
	}
	return newRoutes(r, newOrders(), load(t, text))
}

// usersFile writes a users file of pairs of names and secrets.
func usersFile(t *testing.T, pairs ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users.txt")
	var text string
	for i := 0; i < len(pairs); i += 2 {
		text += fmt.Sprintf("%q %q\n", pairs[i], pairs[i+1])
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
