// Package pgtest gives tests a real PostgreSQL, a real usher, and servers that misbehave on purpose.
//
// A test binary that uses it has
//
//	func TestMain(m *testing.M) { pgtest.Main(m) }
//
// and then any test may ask for
//
//   - [Start]: a PostgreSQL shared by the tests of the binary, started by the first that asks;
//   - [StartOwn]: one for a test that restarts or kills it, or needs settings of its own;
//   - [StartUsher]: usher itself, built once per test binary, with a config;
//   - [StartFake]: a scripted server, for what a healthy PostgreSQL never does;
//   - [Certificates]: an authority with server and client certificates.
//
// Tests that need PostgreSQL carry the build tag integration; `make test` sets it.
//
// USHER_TEST_PG_BIN names the folder of the PostgreSQL programs to test with, USHER_TEST_BIN an usher that is
// built already.
package pgtest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/privatepg"
)

const (
	// MaxConnections is max_connections of a test's PostgreSQL.
	MaxConnections = 200
	// startPatience is how long a server may take to start; initdb on a busy machine is part of it.
	startPatience = 2 * time.Minute
	// stopPatience is how long a server may take to stop in order.
	stopPatience = 30 * time.Second
)

// Roles of a test's PostgreSQL beside the superuser, which is trusted. Each can log in one way only over TCP.
const (
	UserSCRAM     = "scram_user"     // SCRAM-SHA-256 with Password
	UserMD5       = "md5_user"       // md5 with Password
	UserPlain     = "plain_user"     // the password in clear with Password
	UserCert      = "cert_user"      // TLS with Certificates().Client
	UserTLS       = "tls_user"       // trusted over TLS, rejected without
	UserNoTLS     = "clear_user"     // trusted without TLS, rejected with
	UserTrusted   = "trusted_user"   // trusted; not a superuser
	UserForbidden = "forbidden_user" // rejected
)

// Password of the roles that have one.
const Password = `pa$s w0rd'"ü`

// rules are the lines of pg_hba.conf that make the roles what they are.
var rules = []string{
	"host      all " + UserSCRAM + "     127.0.0.1/32 scram-sha-256",
	"host      all " + UserMD5 + "       127.0.0.1/32 md5",
	"host      all " + UserPlain + "     127.0.0.1/32 password",
	"hostssl   all " + UserCert + "      127.0.0.1/32 cert",
	"host      all " + UserCert + "      127.0.0.1/32 reject",
	"hostssl   all " + UserTLS + "       127.0.0.1/32 trust",
	"host      all " + UserTLS + "       127.0.0.1/32 reject",
	"hostnossl all " + UserNoTLS + "     127.0.0.1/32 trust",
	"host      all " + UserNoTLS + "     127.0.0.1/32 reject",
	"host      all " + UserForbidden + " 127.0.0.1/32 reject",
}

// roles are the statements that create them.
func roles() string {
	password := quoteLiteral(Password)
	return "CREATE ROLE " + UserSCRAM + " LOGIN PASSWORD " + password + ";" +
		"CREATE ROLE " + UserPlain + " LOGIN PASSWORD " + password + ";" +
		"SET password_encryption = md5;" +
		"CREATE ROLE " + UserMD5 + " LOGIN PASSWORD " + password + ";" +
		"CREATE ROLE " + UserCert + " LOGIN;" +
		"CREATE ROLE " + UserTLS + " LOGIN;" +
		"CREATE ROLE " + UserNoTLS + " LOGIN;" +
		"CREATE ROLE " + UserTrusted + " LOGIN;" +
		"CREATE ROLE " + UserForbidden + " LOGIN"
}

// shared is what the tests of a binary share. Each part is made by the first test that asks for it.
var shared struct {
	mu           sync.Mutex // guards the fields, and is held while one is made: others have to wait anyway
	folder       string
	postgres     *privatepg.Server
	certificates *Certs
	usher        string // path of the built binary
	usherError   error
}

// Main runs the tests of a binary and then stops and removes what they shared. It does not return.
func Main(m *testing.M) {
	code := m.Run()
	if err := tearDown(); err != nil {
		fmt.Fprintln(os.Stderr, "pgtest:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func tearDown() error {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.postgres != nil {
		ctx, cancel := context.WithTimeout(context.Background(), stopPatience)
		defer cancel()
		if err := shared.postgres.Stop(ctx); err != nil {
			return err
		}
	}
	if shared.folder != "" {
		return os.RemoveAll(shared.folder)
	}
	return nil
}

// Start returns the PostgreSQL that the tests of this binary share. It has max_connections of
// MaxConnections, no fsync, TLS, and the roles above. Tests that would disturb others use StartOwn.
func Start(t testing.TB) *privatepg.Server {
	t.Helper()
	certificates := Certificates(t)
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.postgres != nil {
		return shared.postgres
	}
	server, err := start(filepath.Join(sharedFolder(t), "postgres"), certificates, nil)
	if err != nil {
		t.Fatal(err)
	}
	shared.postgres = server
	return server
}

// StartOwn starts a PostgreSQL like Start's for one test, with additional settings. It is stopped after
// the test.
func StartOwn(t testing.TB, settings map[string]string) *privatepg.Server {
	t.Helper()
	folder := Folder(t)
	server, err := start(filepath.Join(folder, "postgres"), Certificates(t), settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), stopPatience)
		defer cancel()
		if err := server.Stop(ctx); err != nil {
			t.Errorf("stop the test's PostgreSQL: %v", err)
		}
		if t.Failed() {
			t.Logf("the last lines of PostgreSQL's log:\n%s", server.LogTail())
		}
	})
	return server
}

func start(dir string, certificates *Certs, more map[string]string) (*privatepg.Server, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startPatience)
	defer cancel()
	settings := map[string]string{
		"max_connections":           fmt.Sprint(MaxConnections),
		"max_prepared_transactions": "10",
		"max_wal_senders":           "10",
		"wal_level":                 "logical", // for replication connections
		"fsync":                     "off",
		"synchronous_commit":        "off",
		"full_page_writes":          "off",
		"shared_buffers":            "64MB",
		"ssl":                       "on",
		"ssl_cert_file":             "server.crt",
		"ssl_key_file":              "server.key",
		"ssl_ca_file":               "ca.crt",
	}
	for name, value := range more {
		settings[name] = value
	}
	server, err := privatepg.Start(ctx, privatepg.Config{
		Dir:      dir,
		Bin:      os.Getenv("USHER_TEST_PG_BIN"),
		Settings: settings,
		HBA:      rules,
		Files: map[string][]byte{
			"server.crt": certificates.Server.CertPEM,
			"server.key": certificates.Server.KeyPEM,
			"ca.crt":     certificates.Authority.CertPEM,
		},
	})
	if err != nil {
		return nil, err
	}
	if err := server.Exec(ctx, "postgres", roles()); err != nil {
		return nil, fmt.Errorf("create the roles of the tests: %w", err)
	}
	return server, nil
}

// Folder is a folder for one test that every user can reach (the one of t.TempDir is closed to others, and
// PostgreSQL does not run as root).
func Folder(t testing.TB) string {
	t.Helper()
	dir, err := openFolder()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove the test's folder: %v", err)
		}
	})
	return dir
}

func openFolder() (string, error) {
	dir, err := os.MkdirTemp("", "usher-test-")
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755)
}

// sharedFolder is removed by Main. The caller holds shared.mu.
func sharedFolder(t testing.TB) string {
	t.Helper()
	if shared.folder == "" {
		dir, err := openFolder()
		if err != nil {
			t.Fatal(err)
		}
		shared.folder = dir
	}
	return shared.folder
}
