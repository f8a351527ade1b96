//go:build integration

package conformance

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/usher-pg/usher/internal/pgtest"
)

// TestLoginMethods: PostgreSQL's own users log in by the method its pg_hba.conf asks for; usher's users by
// each of its methods, with secrets in plain text, as SCRAM secrets made by PostgreSQL, and as md5 hashes.
func TestLoginMethods(t *testing.T) {
	t.Parallel()
	server := startPostgres(t)
	if targetNames()["postgres"] {
		t.Run("postgres", func(t *testing.T) {
			for _, user := range []string{pgtest.UserSCRAM, pgtest.UserMD5, pgtest.UserPlain} {
				checkLogin(t, directly(server), user, pgtest.Password)
			}
		})
	}
	secrets := map[string]string{}
	admin := directly(server).simple(t)
	for _, user := range []string{pgtest.UserSCRAM, pgtest.UserMD5} {
		secrets[user] = admin.run("SELECT rolpassword FROM pg_authid WHERE rolname = '" + user + "'")
	}
	for method, users := range map[string][]string{
		"scram-sha-256": {pgtest.UserSCRAM, "in_clear"},
		"md5":           {pgtest.UserMD5, pgtest.UserSCRAM, "in_clear"},
		"password":      {pgtest.UserMD5, pgtest.UserSCRAM, "in_clear"},
	} {
		t.Run("usher "+method, func(t *testing.T) {
			file := filepath.Join(pgtest.Folder(t), "users.txt")
			text := fmt.Sprintf("\"in_clear\" %s\n", doubleQuoted(pgtest.Password))
			for user, secret := range secrets {
				text += fmt.Sprintf("%q %s\n", user, doubleQuoted(secret))
			}
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			usher := startUsher(t, server, "auth: {type: "+method+", users_file: "+file+"}\npools:\n"+
				"  two: {url: \"{{url}}\", size: {max: 2}}\n")
			for _, user := range users {
				checkLogin(t, through(usher, server, "two"), user, pgtest.Password)
			}
		})
	}
}

// doubleQuoted is how PgBouncer's userlist.txt quotes: a quote is doubled, nothing else is special.
func doubleQuoted(text string) string { return `"` + strings.ReplaceAll(text, `"`, `""`) + `"` }

// checkLogin logs in by pgx and by psql with the right password, and by pgx with wrong ones, which must look
// alike.
func checkLogin(t *testing.T, target *target, user, password string) {
	t.Helper()
	conn, err := pgconn.Connect(t.Context(), target.urlAs(url.UserPassword(user, password)))
	if err != nil {
		t.Errorf("%s: %v", user, err)
		return
	}
	(&session{conn: conn, tb: t}).expect("SELECT 1", "1")
	conn.Close(t.Context())
	output := target.succeed(t, program{
		name: "psql", arguments: []string{"-XAtc", "SELECT 'psql'"},
		more: []string{"PGUSER=" + user, "PGPASSWORD=" + password},
	})
	if output != "psql\n" {
		t.Errorf("%s: psql printed %q", user, output)
	}
	var refusals []string
	for _, wrong := range []struct{ user, password string }{
		{user, "wrong"}, {user, password + " "}, {user, ""}, {"no_such_user_at_all", password},
	} {
		conn, err := pgconn.Connect(t.Context(), target.urlAs(url.UserPassword(wrong.user, wrong.password)))
		if err == nil {
			conn.Close(t.Context())
			t.Errorf("%s was let in with the password %q", wrong.user, wrong.password)
			continue
		}
		if state := sqlState(err); state != invalidPassword && target.isUsher() {
			t.Errorf("%s with the password %q: %v, expected SQLSTATE %s", wrong.user, wrong.password, err,
				invalidPassword)
		}
		var refusal *pgconn.PgError
		if asPgError(err, &refusal) {
			refusals = append(refusals, strings.ReplaceAll(refusal.Message, wrong.user, "USER"))
		}
	}
	for _, refusal := range refusals {
		if refusal != refusals[0] && target.isUsher() {
			t.Errorf("a wrong password and an unknown user look different: %q and %q", refusals[0], refusal)
		}
	}
}

// TestServerLogins: pools log in to PostgreSQL by each method, with the password of the pool or of the users
// file.
func TestServerLogins(t *testing.T) {
	t.Parallel()
	server := startPostgres(t)
	users := filepath.Join(pgtest.Folder(t), "users.txt")
	text := fmt.Sprintf("%q %s\n", pgtest.UserSCRAM, doubleQuoted(pgtest.Password))
	if err := os.WriteFile(users, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	config := "auth: {type: trust, users_file: " + users + "}\npools:\n"
	for _, user := range []string{pgtest.UserSCRAM, pgtest.UserMD5, pgtest.UserPlain} {
		config += fmt.Sprintf("  %s: {url: %q, size: {max: 2}}\n", user,
			serverURL(server.Address(), user, pgtest.Password))
		config += fmt.Sprintf("  wrong_%s: {url: %q, size: {max: 2}}\n", user,
			serverURL(server.Address(), user, "wrong"))
	}
	config += fmt.Sprintf("  from_file: {url: %q, size: {max: 2}}\n",
		serverURL(server.Address(), pgtest.UserSCRAM, ""))
	config += fmt.Sprintf("  forwarded: {url: \"postgres://%s/%s?sslmode=disable\", size: {max: 2}}\n",
		server.Address(), database)
	config += fmt.Sprintf("  rejected: {url: %q, size: {max: 2}}\n",
		serverURL(server.Address(), pgtest.UserForbidden, ""))
	usher := startUsher(t, server, config)
	for pool, user := range map[string]string{
		pgtest.UserSCRAM: pgtest.UserSCRAM, pgtest.UserMD5: pgtest.UserMD5, pgtest.UserPlain: pgtest.UserPlain,
		"from_file": pgtest.UserSCRAM,
	} {
		through(usher, server, pool).simple(t).expect("SELECT current_user", user)
	}
	forwarded := through(usher, server, "forwarded")
	forwarded.user = pgtest.UserTrusted
	forwarded.simple(t).expect("SELECT current_user", pgtest.UserTrusted)
	for _, pool := range []string{"wrong_" + pgtest.UserSCRAM, "wrong_" + pgtest.UserMD5,
		"wrong_" + pgtest.UserPlain, "rejected"} {
		unreachable(t, through(usher, server, pool), pool)
	}
}

// unreachable requires that a pool whose server refuses says so, at login or at the first query, with
// SQLSTATE and without the password.
func unreachable(t *testing.T, target *target, pool string) {
	t.Helper()
	conn, err := pgconn.Connect(t.Context(), target.url())
	if err == nil {
		_, err = conn.Exec(t.Context(), "SELECT 1").ReadAll()
		conn.Close(t.Context())
	}
	if err == nil || sqlState(err) == "" {
		t.Errorf("pool %s: got %v, expected an error with SQLSTATE", pool, err)
		return
	}
	if strings.Contains(err.Error(), "wrong") && !strings.Contains(pool, "wrong") ||
		strings.Contains(err.Error(), pgtest.Password) {
		t.Errorf("pool %s: the error tells a password: %v", pool, err)
	}
}

func serverURL(address, user, password string) string {
	who := url.UserPassword(user, password)
	if password == "" {
		who = url.User(user)
	}
	server := url.URL{Scheme: "postgres", User: who, Host: address, Path: "/" + database,
		RawQuery: "sslmode=disable"}
	return server.String()
}

// TestUnknownDatabasesAreRefused as PostgreSQL does it.
func TestUnknownDatabasesAreRefused(t *testing.T) {
	t.Parallel()
	server := startPostgres(t)
	check := func(t *testing.T, target *target) {
		conn, err := pgconn.Connect(t.Context(), target.in("no_such_database").url())
		if err == nil {
			conn.Close(t.Context())
			t.Fatal("a client was let in to a database that does not exist")
		}
		if state := sqlState(err); state != noSuchDatabase {
			t.Errorf("got %v, expected SQLSTATE %s", err, noSuchDatabase)
		}
	}
	if targetNames()["postgres"] {
		t.Run("postgres", func(t *testing.T) { check(t, directly(server)) })
	}
	t.Run("usher without a fallback pool", func(t *testing.T) {
		usher := startUsher(t, server, "auth: {type: trust}\npools:\n  two: {url: \"{{url}}\"}\n")
		check(t, through(usher, server, "two"))
	})
	t.Run("usher with a fallback pool", func(t *testing.T) {
		check(t, through(startUsher(t, server, standardConfig), server, "two"))
	})
}

// TestClientsAreRefusedBeyondTheLimit and let in again when others have gone.
func TestClientsAreRefusedBeyondTheLimit(t *testing.T) {
	t.Parallel()
	server := startPostgres(t)
	usher := startUsher(t, server,
		"auth: {type: trust}\nlimits: {max_clients: 3}\npools:\n  two: {url: \"{{url}}\", size: {max: 2}}\n")
	target := through(usher, server, "two")
	clients := []*session{target.simple(t), target.simple(t), target.simple(t)}
	conn, err := pgconn.Connect(t.Context(), target.url())
	if err == nil {
		conn.Close(t.Context())
		t.Fatal("a fourth client was let in")
	}
	if state := sqlState(err); state != "53300" {
		t.Errorf("the fourth client: %v, expected SQLSTATE 53300", err)
	}
	for _, client := range clients {
		client.expect("SELECT 1", "1")
	}
	clients[0].conn.Close(t.Context())
	eventually(t, patience, "another client is let in", func() bool {
		conn, err := pgconn.Connect(t.Context(), target.url())
		if err != nil {
			return false
		}
		conn.Close(t.Context())
		return true
	})
}
