package routing

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/usher-pg/usher/internal/config"
	"github.com/usher-pg/usher/internal/relay"
	"github.com/usher-pg/usher/internal/wire"
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
func load(t *testing.T, text string) *Settings {
	t.Helper()
	s, err := Load(parse(t, text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// newTestTable is a table on a relay that does not run: pools exist, and nothing is opened.
func newTestTable(t *testing.T, text string) *Table {
	t.Helper()
	r, err := relay.New(relay.Config{
		Loops: 1, Limits: relay.Limits{Message: 1 << 20, Clients: 10}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return New(r, func(string) bool { return false }, load(t, text))
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

func params(pairs ...string) []wire.Param {
	var list []wire.Param
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, wire.Param{Name: pairs[i], Value: pairs[i+1]})
	}
	return list
}
