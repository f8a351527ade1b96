//go:build integration

package conformance

import (
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/usher-pg/usher/internal/pgtest"
	"github.com/usher-pg/usher/internal/privatepg"
)

// tlsConfig serves TLS to clients in a mode.
func tlsConfig(t *testing.T, mode, auth string) string {
	certificates := pgtest.Certificates(t)
	return fmt.Sprintf("auth: %s\ntls: {sslmode: %s, cert: %s, key: %s, ca: %s}\n"+
		"pools:\n  two: {url: \"{{url}}\", size: {max: 2}}\n",
		auth, mode, certificates.Server.CertFile, certificates.Server.KeyFile, certificates.Authority.CertFile)
}

// TestClientTLSModes crosses usher's sslmodes with libpq's, and the kinds of certificate a client can show.
// The row of PostgreSQL, which behaves as prefer, keeps the table honest.
func TestClientTLSModes(t *testing.T) {
	t.Parallel()
	server := startPostgres(t)
	certificates := pgtest.Certificates(t)
	const plain, encrypted, refused = "plain", "encrypted", "refused"
	rows := map[string]map[string]string{ // mode of the server → mode of the client → outcome
		"postgres": {"disable": plain, "allow": plain, "prefer": encrypted, "require": encrypted,
			"verify-ca": encrypted, "verify-full": encrypted},
		"disable": {"disable": plain, "allow": plain, "prefer": plain, "require": refused,
			"verify-ca": refused, "verify-full": refused},
		"allow": {"disable": plain, "allow": plain, "prefer": encrypted, "require": encrypted,
			"verify-ca": encrypted, "verify-full": encrypted},
		"prefer": {"disable": plain, "allow": plain, "prefer": encrypted, "require": encrypted,
			"verify-ca": encrypted, "verify-full": encrypted},
		"require": {"disable": refused, "allow": encrypted, "prefer": encrypted, "require": encrypted,
			"verify-ca": encrypted, "verify-full": encrypted},
		"verify-full": {"disable": refused, "require": refused, "with certificate": encrypted,
			"with a stranger's": refused},
		"verify-ca": {"disable": refused, "require": refused, "with certificate": encrypted,
			"with a stranger's": refused},
	}
	for mode, outcomes := range rows {
		t.Run(mode, func(t *testing.T) {
			target := directly(server)
			if mode != "postgres" {
				target = through(startUsher(t, server, tlsConfig(t, mode, "{type: trust}")), server, "two")
			} else if !targetNames()["postgres"] {
				t.Skip("USHER_TARGETS does not ask for postgres")
			}
			for client, expected := range outcomes {
				parameters := []string{"sslmode", client, "sslrootcert", certificates.Authority.CertFile}
				switch client {
				case "with certificate":
					parameters = append(parameters, "sslcert", certificates.Client.CertFile, "sslkey",
						certificates.Client.KeyFile)
					parameters[1] = "verify-full"
				case "with a stranger's":
					parameters = append(parameters, "sslcert", certificates.Stranger.CertFile, "sslkey",
						certificates.Stranger.KeyFile)
					parameters[1] = "verify-full"
				}
				if actual := byPgx(t, target, parameters); actual != expected {
					t.Errorf("pgx, %s: %s, expected %s", client, actual, expected)
				}
				if actual := byPsql(t, target, parameters); actual != expected {
					t.Errorf("psql, %s: %s, expected %s", client, actual, expected)
				}
			}
		})
	}
}

func byPgx(t *testing.T, target *target, parameters []string) string {
	conn, err := pgconn.Connect(t.Context(), target.url(parameters...))
	if err != nil {
		return "refused"
	}
	(&session{conn: conn, tb: t}).expect("SELECT 'fine'", "fine")
	defer conn.Close(t.Context())
	if _, is := conn.Conn().(*tls.Conn); is {
		return "encrypted"
	}
	return "plain"
}

func byPsql(t *testing.T, target *target, parameters []string) string {
	done := target.run(t, program{name: "psql", arguments: []string{"-X", target.url(parameters...), "-c",
		`\conninfo`, "-Atc", "SELECT 'fine'"}})
	switch {
	case done.code != 0:
		t.Logf("psql says: %s", done.errors)
		return "refused"
	case !strings.Contains(done.output, "fine"):
		return "silent"
	case strings.Contains(done.output, "SSL connection"):
		return "encrypted"
	}
	return "plain"
}

// TestTLSCarriesEverything: large messages both ways, COPY, pipelines and cancel over TLS.
func TestTLSCarriesEverything(t *testing.T) {
	t.Parallel()
	server := startPostgres(t)
	check := func(t *testing.T, target *target) {
		client := target.simple(t, "sslmode", "require")
		client.expect("SELECT length('"+strings.Repeat("x", 3<<20)+"')", fmt.Sprint(3<<20))
		if length := len(client.run("SELECT repeat('y', 5 << 20)")); length != 5<<20 {
			t.Errorf("a row of %d bytes", length)
		}
		for i := range 200 {
			client.expect(fmt.Sprint("SELECT ", i), fmt.Sprint(i))
		}
		if rows := strings.Count(client.run("SELECT n, repeat('z', 100) FROM generate_series(1, 20000) AS n"),
			"\n"); rows != 19999 {
			t.Errorf("%d rows", rows+1)
		}
		if err := client.conn.CancelRequest(t.Context()); err != nil {
			t.Errorf("cancel: %v", err)
		}
		client.expect("SELECT 'still here'", "still here")
		pgbench(t, target.withTLS(), 4, 10, "--protocol=prepared",
			"--file="+sqlFile(t, "SELECT 1;\nSELECT repeat('x', 20000);\n"))
	}
	if targetNames()["postgres"] {
		t.Run("postgres", func(t *testing.T) { check(t, directly(server)) })
	}
	t.Run("usher", func(t *testing.T) {
		check(t, through(startUsher(t, server, tlsConfig(t, "require", "{type: trust}")), server, "two"))
	})
}

// withTLS makes programs ask for TLS.
func (t *target) withTLS() *target {
	moved := *t
	moved.sslmode = "require"
	return &moved
}

func sqlFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "script.sql")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestChannelBinding: SCRAM-SHA-256-PLUS ties the password exchange to the certificate of whoever ends TLS.
func TestChannelBinding(t *testing.T) {
	t.Parallel()
	server := startPostgres(t)
	check := func(t *testing.T, target *target) {
		for _, binding := range []string{"disable", "prefer", "require"} {
			address := target.urlAs(url.UserPassword(pgtest.UserSCRAM, pgtest.Password), "sslmode", "require",
				"channel_binding", binding)
			output := target.succeed(t, program{name: "psql", arguments: []string{"-X", address, "-Atc", "SELECT 1"}})
			if output != "1\n" {
				t.Errorf("channel_binding=%s: psql printed %q", binding, output)
			}
		}
		address := target.urlAs(url.UserPassword(pgtest.UserSCRAM, pgtest.Password), "channel_binding", "require")
		if done := target.run(t, program{name: "psql", arguments: []string{"-X", address, "-Atc",
			"SELECT 1"}}); done.code == 0 {
			t.Error("channel binding without TLS")
		}
	}
	if targetNames()["postgres"] {
		t.Run("postgres", func(t *testing.T) { check(t, directly(server)) })
	}
	t.Run("usher", func(t *testing.T) {
		users := filepath.Join(pgtest.Folder(t), "users.txt")
		if err := os.WriteFile(users, fmt.Appendf(nil, "%q %s\n", pgtest.UserSCRAM, doubleQuoted(pgtest.Password)),
			0o600); err != nil {
			t.Fatal(err)
		}
		usher := startUsher(t, server, tlsConfig(t, "prefer", "{type: scram-sha-256, users_file: "+users+"}"))
		check(t, through(usher, server, "two"))
	})
}

// TestCertificateLogin: the user's name comes from the client's certificate.
func TestCertificateLogin(t *testing.T) {
	t.Parallel()
	server := startPostgres(t)
	certificates := pgtest.Certificates(t)
	check := func(t *testing.T, target *target) {
		with := func(user string, certificate *pgtest.Certificate) error {
			conn, err := pgconn.Connect(t.Context(), target.urlAs(url.User(user), "sslmode", "verify-full",
				"sslrootcert", certificates.Authority.CertFile,
				"sslcert", certificate.CertFile, "sslkey", certificate.KeyFile))
			if err == nil {
				conn.Close(t.Context())
			}
			return err
		}
		if err := with(pgtest.UserCert, certificates.Client); err != nil {
			t.Errorf("the right certificate: %v", err)
		}
		if err := with(pgtest.UserCert, certificates.Stranger); err == nil {
			t.Error("a stranger's certificate was accepted")
		}
		if err := with(pgtest.UserCert, certificates.Server); err == nil {
			t.Error("the server's certificate was accepted")
		}
		if target.isUsher() {
			if err := with(pgtest.UserTrusted, certificates.Client); err == nil {
				t.Error("a certificate was accepted for another user")
			}
		}
	}
	if targetNames()["postgres"] {
		t.Run("postgres", func(t *testing.T) { check(t, directly(server)) })
	}
	t.Run("usher", func(t *testing.T) {
		check(t, through(startUsher(t, server, tlsConfig(t, "verify-full", "{type: cert}")), server, "two"))
	})
}

// TestDirectTLS: TLS from the first byte, with ALPN, as PostgreSQL 17 speaks it.
func TestDirectTLS(t *testing.T) {
	t.Parallel()
	server := startPostgres(t)
	target := through(startUsher(t, server, tlsConfig(t, "require", "{type: trust}")), server, "two")
	trusted := &tls.Config{RootCAs: pgtest.Certificates(t).Authority.Pool(), ServerName: "localhost"}
	withALPN := trusted.Clone()
	withALPN.NextProtos = []string{"postgresql"}
	conn, err := tls.Dial("tcp", target.address(), withALPN)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if protocol := conn.ConnectionState().NegotiatedProtocol; protocol != "postgresql" {
		t.Errorf("the protocol is %q", protocol)
	}
	conn.SetDeadline(time.Now().Add(patience))
	frontend := pgproto3.NewFrontend(conn, conn)
	frontend.Send(&pgproto3.StartupMessage{
		ProtocolVersion: pgproto3.ProtocolVersion30,
		Parameters:      map[string]string{"user": target.user, "database": target.database},
	})
	frontend.Send(&pgproto3.Query{String: "SELECT 'direct'"})
	if err := frontend.Flush(); err != nil {
		t.Fatal(err)
	}
	for {
		message, err := frontend.Receive()
		if err != nil {
			t.Fatal(err)
		}
		if row, is := message.(*pgproto3.DataRow); is {
			if string(row.Values[0]) != "direct" {
				t.Errorf("answered %q", row.Values[0])
			}
			break
		}
	}
	// Without ALPN, direct TLS might be another protocol's message to us, or ours to another server: refused.
	if conn, err := tls.Dial("tcp", target.address(), trusted); err == nil {
		conn.SetDeadline(time.Now().Add(patience))
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			t.Error("direct TLS without ALPN was answered")
		}
		conn.Close()
	}
}

// TestPlaintextBehindTheTLSRequestIsRefused: CVE-2021-3935 and its like. What a man in the middle puts behind
// the SSLRequest must not be taken for what comes from inside TLS.
func TestPlaintextBehindTheTLSRequestIsRefused(t *testing.T) {
	t.Parallel()
	server := startPostgres(t)
	check := func(t *testing.T, target *target) {
		conn, err := net.Dial("tcp", target.address())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(patience))
		request := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 8), 80877103)
		startup, err := (&pgproto3.StartupMessage{
			ProtocolVersion: pgproto3.ProtocolVersion30,
			Parameters:      map[string]string{"user": target.user, "database": target.database},
		}).Encode(nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(append(request, startup...)); err != nil {
			t.Fatal(err)
		}
		conn.(*net.TCPConn).CloseWrite()
		answer, _ := io.ReadAll(conn)
		if strings.Contains(string(answer), "server_version") {
			t.Error("the plaintext was taken for a login")
		}
	}
	if targetNames()["postgres"] {
		t.Run("postgres", func(t *testing.T) { check(t, directly(server)) })
	}
	t.Run("usher", func(t *testing.T) {
		check(t, through(startUsher(t, server, tlsConfig(t, "prefer", "{type: trust}")), server, "two"))
	})
}

// TestEncryptionRequestsWithoutTLS are answered with N, in any order, and the login goes on in clear.
func TestEncryptionRequestsWithoutTLS(t *testing.T) {
	t.Parallel()
	server := startPostgres(t)
	target := through(startUsher(t, server, standardConfig), server, "two")
	for _, codes := range [][]uint32{{80877103}, {80877104}, {80877104, 80877103}, {80877103, 80877104}} {
		conn, err := net.Dial("tcp", target.address())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(patience))
		for _, code := range codes {
			conn.Write(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 8), code))
			var answer [1]byte
			if _, err := io.ReadFull(conn, answer[:]); err != nil || answer[0] != 'N' {
				t.Fatalf("requests %d: answered %q, %v", codes, answer, err)
			}
		}
		frontend := pgproto3.NewFrontend(conn, conn)
		frontend.Send(&pgproto3.StartupMessage{
			ProtocolVersion: pgproto3.ProtocolVersion30,
			Parameters:      map[string]string{"user": target.user, "database": target.database},
		})
		if err := frontend.Flush(); err != nil {
			t.Fatal(err)
		}
		if message, err := frontend.Receive(); err != nil {
			t.Errorf("requests %d: %v", codes, err)
		} else if _, ok := message.(*pgproto3.AuthenticationOk); !ok {
			t.Errorf("requests %d: then answered %T", codes, message)
		}
	}
}

// TestServerTLSModes: pools with each sslmode log in as users whom PostgreSQL lets in only with TLS, only
// without, or only with a certificate.
func TestServerTLSModes(t *testing.T) {
	t.Parallel()
	server := startPostgres(t)
	certificates := pgtest.Certificates(t)
	rows := []struct {
		user, mode, more string
		works            bool
	}{
		{pgtest.UserTLS, "disable", "", false},
		{pgtest.UserTLS, "allow", "", true},
		{pgtest.UserTLS, "prefer", "", true},
		{pgtest.UserTLS, "require", "", true},
		{pgtest.UserTLS, "verify-ca", "&sslrootcert=" + certificates.Authority.CertFile, true},
		{pgtest.UserTLS, "verify-full", "&sslrootcert=" + certificates.Authority.CertFile, true},
		{pgtest.UserTLS, "verify-full", "&sslrootcert=" + certificates.Stranger.CertFile, false},
		{pgtest.UserNoTLS, "disable", "", true},
		{pgtest.UserNoTLS, "allow", "", true},
		{pgtest.UserNoTLS, "prefer", "", true},
		{pgtest.UserNoTLS, "require", "", false},
		{pgtest.UserCert, "require", "", false},
		{pgtest.UserCert, "require", "&sslcert=" + certificates.Client.CertFile + "&sslkey=" +
			certificates.Client.KeyFile, true},
		{pgtest.UserCert, "require", "&sslcert=" + certificates.Stranger.CertFile + "&sslkey=" +
			certificates.Stranger.KeyFile, false},
	}
	config := "auth: {type: trust}\npools:\n"
	for i, row := range rows {
		config += fmt.Sprintf("  pool%d: {url: \"postgres://%s@%s/%s?sslmode=%s%s\", size: {max: 2}}\n",
			i, row.user, server.Address(), database, row.mode, row.more)
	}
	usher := startUsher(t, server, config)
	for i, row := range rows {
		t.Run(fmt.Sprint(row.user, " ", row.mode, " ", row.works), func(t *testing.T) {
			target := through(usher, server, fmt.Sprint("pool", i))
			if !row.works {
				unreachable(t, target, fmt.Sprint("pool", i))
				return
			}
			client := target.simple(t)
			encrypted := row.user != pgtest.UserNoTLS
			client.expect("SELECT current_user, ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
				fmt.Sprintf("%s|%s", row.user, map[bool]string{true: "t", false: "f"}[encrypted]))
			client.expect("SELECT length(repeat('x', 1000000))", "1000000")
			if encrypted {
				cancelsOver(t, target, server, client)
			}
		})
	}
}

// cancelsOver: a cancel for a server that insists on TLS is sent with TLS.
func cancelsOver(t *testing.T, target *target, server *privatepg.Server, client *session) {
	t.Helper()
	mark := unique("tls_sleeper")
	ended := make(chan error, 1)
	go func() {
		_, err := client.try("SELECT pg_sleep(15) /* " + mark + " */")
		ended <- err
	}()
	admin := directly(server).simple(t)
	eventually(t, patience, "the sleep begins", func() bool { return admin.sleeping(mark) })
	if err := client.conn.CancelRequest(t.Context()); err != nil {
		t.Errorf("cancel: %v", err)
	}
	if err := <-ended; sqlState(err) != queryCanceled {
		t.Errorf("the cancelled statement: %v", err)
	}
}
