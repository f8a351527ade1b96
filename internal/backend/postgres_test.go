//go:build integration

package backend

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"testing"

	"github.com/usher-pg/usher/internal/auth"
	"github.com/usher-pg/usher/internal/carrier"
	"github.com/usher-pg/usher/internal/pgtest"
	"github.com/usher-pg/usher/internal/wire"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// real is a Config for the tests' PostgreSQL.
func real(t *testing.T, user, password string) *Config {
	t.Helper()
	certificates := pgtest.Certificates(t)
	loaded, err := LoadTLS(TLSFiles{
		CA: certificates.Authority.CertFile, Cert: certificates.Client.CertFile, Key: certificates.Client.KeyFile,
	})
	if err != nil {
		t.Fatal(err)
	}
	return &Config{
		Network: "tcp", Address: pgtest.Start(t).Address(), Database: "postgres", SSLMode: SSLDisable,
		Credentials: auth.NewCredentials(user, auth.PlainSecret(password), nil),
		TLS:         func() *tls.Config { return loaded },
	}
}

func TestPostgreSQLLetsUsIn(t *testing.T) {
	for _, c := range []struct {
		user string
		mode SSLMode
		tls  bool
		code string
	}{
		{pgtest.UserSCRAM, SSLDisable, false, ""},
		{pgtest.UserSCRAM, SSLVerifyFull, true, ""}, // with channel binding
		{pgtest.UserMD5, SSLDisable, false, ""},
		{pgtest.UserPlain, SSLPrefer, true, ""},
		{pgtest.UserTrusted, SSLAllow, false, ""},
		{pgtest.UserCert, SSLVerifyCA, true, ""},
		{pgtest.UserCert, SSLDisable, false, "28000"},
		{pgtest.UserTLS, SSLAllow, true, ""},
		{pgtest.UserTLS, SSLDisable, false, "28000"},
		{pgtest.UserNoTLS, SSLPrefer, false, ""},
		{pgtest.UserNoTLS, SSLRequire, false, "28000"},
		{pgtest.UserForbidden, SSLPrefer, false, "28000"},
		{"nobody_at_all", SSLDisable, false, "28000"},
	} {
		config := real(t, c.user, pgtest.Password)
		config.SSLMode = c.mode
		conn, err := dial(t, config)
		if c.code != "" {
			if e, ok := errors.AsType[*ServerError](err); !ok || e.Code() != c.code {
				t.Errorf("%s, %v: %v, expected SQLSTATE %s", c.user, c.mode, err, c.code)
			}
			continue
		}
		if err != nil || (conn.TLS != nil) != c.tls {
			t.Errorf("%s, %v: %v", c.user, c.mode, err)
			continue
		}
		if len(conn.Params) < 10 || conn.ProcessID == 0 || len(conn.SecretKey) == 0 {
			t.Errorf("%s, %v: %+v", c.user, c.mode, conn)
		}
	}
}

func TestPostgreSQLRefusesAWrongPassword(t *testing.T) {
	for _, user := range []string{pgtest.UserSCRAM, pgtest.UserMD5, pgtest.UserPlain} {
		_, err := dial(t, real(t, user, "wrong"))
		if e, ok := errors.AsType[*ServerError](err); !ok || e.Code() != "28P01" {
			t.Errorf("%s: %v", user, err)
		}
	}
}

// exec sends a query over a connection that is not detached and returns the first column of its rows.
func exec(t *testing.T, c *Conn, query string) (values []string, code string) {
	t.Helper()
	if _, err := c.stream().Write(wire.AppendQuery(nil, query)); err != nil {
		t.Fatal(err)
	}
	reader := carrier.NewReader(c.stream(), true)
	for {
		kind, body, err := reader.Message(1 << 20)
		if err != nil {
			t.Fatal(err)
		}
		switch kind {
		case wire.DataRow:
			columns, err := wire.RowColumns(nil, body)
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, string(columns[0]))
		case wire.ErrorResponse:
			code = newServerError(body).Code()
		case wire.ReadyForQuery:
			return values, code
		}
	}
}

func TestMD5AndSCRAMSecretsOfPostgreSQLAreRead(t *testing.T) {
	config := real(t, "postgres", "")
	config.Network, config.Address = "unix", pgtest.Start(t).SocketDir()+"/.s.PGSQL."+portOf(t)
	c, err := dial(t, config)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]auth.Kind{pgtest.UserMD5: auth.KindMD5, pgtest.UserSCRAM: auth.KindSCRAM}
	for user, kind := range kinds {
		stored, _ := exec(t, c, "select rolpassword from pg_authid where rolname = '"+user+"'")
		if len(stored) != 1 {
			t.Fatalf("%s: %v", user, stored)
		}
		secret, err := auth.ParseSecret(stored[0])
		if err != nil || secret.Kind() != kind {
			t.Fatalf("%s: %v, %v", user, secret, err)
		}
		// Users here with PostgreSQL's own secret accept the same password.
		users := auth.NewUsers(auth.NewUser(user, secret))
		exchange := users.Begin(auth.Password, user, auth.Binding{})
		if _, done, err := exchange.Next([]byte(pgtest.Password + "\x00")); !done {
			t.Errorf("%s: %v", user, err)
		}
		if kind == auth.KindMD5 { // the hash is enough to log in with
			config := real(t, user, "")
			config.Credentials = auth.NewCredentials(user, secret, nil)
			if _, err := dial(t, config); err != nil {
				t.Errorf("%s: %v", user, err)
			}
		}
	}
}

func portOf(t *testing.T) string {
	t.Helper()
	address := pgtest.Start(t).Address()
	return address[len("127.0.0.1:"):]
}

func TestSCRAMPassesThroughToPostgreSQL(t *testing.T) {
	config := real(t, "postgres", "")
	config.Network, config.Address = "unix", pgtest.Start(t).SocketDir()+"/.s.PGSQL."+portOf(t)
	c, err := dial(t, config)
	if err != nil {
		t.Fatal(err)
	}
	stored, _ := exec(t, c, "select rolpassword from pg_authid where rolname = '"+pgtest.UserSCRAM+"'")
	secret, err := auth.ParseSecret(stored[0])
	if err != nil {
		t.Fatal(err)
	}
	// A client that knows the password logs in here; usher, which holds PostgreSQL's verifier, logs in there.
	users := auth.NewUsers(auth.NewUser(pgtest.UserSCRAM, secret))
	exchange := users.Begin(auth.SCRAM, pgtest.UserSCRAM, auth.Binding{})
	client := auth.NewCredentials(pgtest.UserSCRAM, auth.PlainSecret(pgtest.Password), nil).Begin(auth.Binding{})
	message := exchange.Start()
	for done := false; !done; {
		reply, _, err := client.Answer(message[wire.HeaderLen:])
		if err != nil {
			t.Fatal(err)
		}
		if message, done, err = exchange.Next(reply[wire.HeaderLen:]); err != nil {
			t.Fatal(err)
		}
	}
	through := real(t, pgtest.UserSCRAM, "")
	through.Credentials = auth.NewCredentials(pgtest.UserSCRAM, secret, exchange.Keys())
	for _, mode := range []SSLMode{SSLDisable, SSLVerifyFull} {
		through.SSLMode = mode
		if _, err := dial(t, through); err != nil {
			t.Errorf("%v: %v", mode, err)
		}
	}
}

func TestPostgreSQLCancels(t *testing.T) {
	for _, mode := range []SSLMode{SSLDisable, SSLVerifyFull} {
		config := real(t, pgtest.UserSCRAM, pgtest.Password)
		config.SSLMode = mode
		config.Protocol = wire.Version32
		c, err := dial(t, config)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Cancel(t.Context()); err != nil { // hits nothing
			t.Fatal(err)
		}
		if values, code := exec(t, c, "select 'still here'"); code != "" || len(values) != 1 {
			t.Errorf("%v: an idle connection after a cancel: %v, %s", mode, values, code)
		}
		cancelled := make(chan error, 1)
		watcher, err := dial(t, config)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for { // until the statement is under way
				active, _ := exec(t, watcher, "select 1 from pg_stat_activity "+
					"where query = 'select pg_sleep(600)' and state = 'active'")
				if len(active) > 0 {
					break
				}
			}
			cancelled <- c.Cancel(context.Background())
		}()
		if _, code := exec(t, c, "select pg_sleep(600)"); code != "57014" {
			t.Errorf("%v: SQLSTATE %s", mode, code)
		}
		if err := <-cancelled; err != nil {
			t.Errorf("%v: %v", mode, err)
		}
	}
}

func TestPostgreSQLStreamsReplication(t *testing.T) {
	config := real(t, "postgres", "")
	config.Network, config.Address = "unix", pgtest.Start(t).SocketDir()+"/.s.PGSQL."+portOf(t)
	config.Replication = "database"
	c, err := dial(t, config)
	if err != nil {
		t.Fatal(err)
	}
	if values, code := exec(t, c, "IDENTIFY_SYSTEM"); code != "" || len(values) != 1 {
		t.Errorf("%v, %s", values, code)
	}
	_ = c.Close()
	if _, err := c.Carrier.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Errorf("read after Close: %v", err)
	}
}
