//go:build integration

package server

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/usher-pg/usher/internal/pgtest"
	"github.com/usher-pg/usher/internal/status"
)

// TestReloadOpensAndClosesListeners without touching who came in by them.
func TestReloadOpensAndClosesListeners(t *testing.T) {
	l := start(t, livePools)
	client := l.connect("a", "app")
	client.expect("SELECT 1", "1")
	text, err := os.ReadFile(l.path)
	if err != nil {
		t.Fatal(err)
	}
	second := filepath.Join(filepath.Dir(l.path), ".s.PGSQL.7000")
	listen := func(addresses ...string) {
		t.Helper()
		_, rest, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
		l.write(fmt.Sprintf("listen: [%s]\n%s\n", strings.Join(addresses, ", "), rest))
	}
	listen(`"unix:` + second + `"`)
	if err := l.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	client.expect("SELECT 'still here'", "still here")
	eventually(t, "the old address is closed", func() bool {
		conn, err := net.Dial("tcp", l.address)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	l.connect("a", "app", "host="+filepath.Dir(l.path), "port=7000").expect("SELECT 'new'", "new")
	listen(`"unix:`+second+`"`, `"203.0.113.1:1"`) // not an address of this machine
	if err := l.Reload(t.Context()); err == nil {
		t.Error("a reload that cannot listen succeeded")
	}
	l.connect("a", "app", "host="+filepath.Dir(l.path), "port=7000").expect("SELECT 1", "1")
}

// TestReloadRefusesWhatItCannotRead, and nothing has changed then.
func TestReloadRefusesWhatItCannotRead(t *testing.T) {
	l := start(t, livePools)
	before := l.settings.Load()
	for _, text := range []string{
		"nonsense: 1\n",
		"auth: {type: scram-sha-256, users_file: /no/such}\npools:\n  app: {url: \"postgres://x@db/app\"}\n",
	} {
		l.write(text)
		refused, ok := errors.AsType[*status.Refusal](l.Reload(t.Context()))
		if !ok || refused.Cause != status.InvalidConfig {
			t.Errorf("%s: %v", text, refused)
		}
	}
	if l.settings.Load() != before {
		t.Error("something has changed")
	}
	for key, cause := range map[string]status.Cause{
		"no.such": status.NoSuchOption, "loops": status.NotChangeable, "pools.none.size.max": status.NoSuchPool,
		"log.level": status.InvalidValue,
	} {
		refused, ok := errors.AsType[*status.Refusal](l.Set(t.Context(), key, "nonsense"))
		if !ok || refused.Cause != cause {
			t.Errorf("SET %s: %v", key, refused)
		}
	}
	if err := l.Set(t.Context(), "pools.app.size.max", "1"); err != nil {
		t.Error(err)
	}
	if max := l.routes.Of("app")[0].Pool.Stat().Max; max != 1 {
		t.Errorf("max is %d after SET", max)
	}
}

// TestUsersFileIsReadAgainWhenItChanges, without a reload.
func TestUsersFileIsReadAgainWhenItChanges(t *testing.T) {
	users := usersFile(t, "ada", "one")
	l := start(t, strings.Replace(livePools, "{type: trust}", "{type: scram-sha-256, users_file: "+users+"}", 1))
	l.connect("ada", "app", "password=one").expect("SELECT 1", "1")
	if err := os.WriteFile(users, []byte("\"ada\" \"another\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the new password is good", func() bool {
		conn, err := l.try("ada", "app", "password=another")
		if err != nil {
			return false
		}
		_ = conn.Close(t.Context())
		return true
	})
	if _, err := l.try("ada", "app", "password=one"); state(err) != "28P01" {
		t.Errorf("the old password: %v", err)
	}
}

// TestKeysOfALoginOpenServerConnections: SCRAM pass-through, with a users file that has no password.
func TestKeysOfALoginOpenServerConnections(t *testing.T) {
	postgres := pgtest.Start(t)
	conn, err := pgconn.Connect(t.Context(), postgres.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	secret, err := (&client{conn, t}).query(
		"SELECT rolpassword FROM pg_authid WHERE rolname = '" + pgtest.UserSCRAM + "'")
	_ = conn.Close(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	users := usersFile(t, pgtest.UserSCRAM, secret)
	l := start(t, strings.Replace(livePools, "{type: trust}", "{type: scram-sha-256, users_file: "+users+"}", 1))
	l.connect(pgtest.UserSCRAM, "forwarded", "password="+quoted(pgtest.Password)).
		expect("SELECT current_user", pgtest.UserSCRAM)
}

// quoted is a value for a connection string.
func quoted(value string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value) + "'"
}
