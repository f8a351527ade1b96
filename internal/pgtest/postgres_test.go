//go:build integration

package pgtest

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestRolesCanLogInInTheirOneWay(t *testing.T) {
	t.Parallel()
	server := Start(t)
	certs := Certificates(t)
	for _, c := range []struct {
		user, password, tls string
		good                bool
	}{
		{UserSCRAM, Password, "", true},
		{UserSCRAM, "wrong", "", false},
		{UserMD5, Password, "", true},
		{UserPlain, Password, "", true},
		{UserPlain, "", "", false},
		{UserCert, "", "client", true},
		{UserCert, "", "require", false},
		{UserCert, "", "", false},
		{UserTLS, "", "require", true},
		{UserTLS, "", "", false},
		{UserNoTLS, "", "", true},
		{UserNoTLS, "", "require", false},
		{UserTrusted, "", "", true},
		{UserForbidden, "", "", false},
	} {
		t.Run(fmt.Sprintf("%s %q %s", c.user, c.password, c.tls), func(t *testing.T) {
			t.Parallel()
			address := fmt.Sprintf("host=%s port=%d dbname=postgres user=%s", server.Host(), server.Port(), c.user)
			switch c.tls {
			case "":
				address += " sslmode=disable"
			case "require":
				address += " sslmode=require"
			case "client":
				address += fmt.Sprintf(" sslmode=verify-full sslrootcert=%s sslcert=%s sslkey=%s",
					certs.Authority.CertFile, certs.Client.CertFile, certs.Client.KeyFile)
			}
			config, err := pgx.ParseConfig(address)
			if err != nil {
				t.Fatal(err)
			}
			config.Password = c.password
			conn, err := pgx.ConnectConfig(t.Context(), config)
			if (err == nil) != c.good {
				t.Errorf("error = %v, want success: %v", err, c.good)
			}
			if err == nil {
				conn.Close(t.Context())
			}
		})
	}
}

func TestAnOwnPostgreSQLHasItsSettingsAndRestarts(t *testing.T) {
	t.Parallel()
	server := StartOwn(t, map[string]string{"max_connections": "17"})
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), server.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var got string
	if err := conn.QueryRow(t.Context(), "SHOW max_connections").Scan(&got); err != nil || got != "17" {
		t.Errorf("max_connections = %q, %v", got, err)
	}
}
