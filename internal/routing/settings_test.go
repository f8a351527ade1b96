package routing

import (
	"crypto/tls"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/backend"
	"github.com/usher-pg/usher/internal/login"
	"github.com/usher-pg/usher/internal/pgtest"
)

func TestSettingsReadWhatTheConfigurationNames(t *testing.T) {
	t.Parallel()
	certificates := pgtest.Certificates(t)
	c := parse(t, `
tls: {sslmode: verify-full, cert: `+certificates.Server.CertFile+`, key: `+certificates.Server.KeyFile+
		`, ca: `+certificates.Authority.CertFile+`, min_version: "1.3"}
pools:
  app: {url: "postgres://owner@db/app?sslmode=verify-full&sslrootcert=`+certificates.Authority.CertFile+`"}
  system: {url: "postgres://owner@db/app?sslmode=verify-full&sslrootcert=system"}
`)
	c.Auth.UsersFile = usersFile(t, "ada", "secret")
	s, err := Load(c, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := s.Users.Lookup("ada"); !ok || s.Login.Users != s.Users {
		t.Error("the users were not read")
	}
	if l := s.Login.TLS; l.Mode != login.TLSVerifyFull || l.MinVersion != tls.VersionTLS13 ||
		l.ClientCAs == nil || l.Certificate() == nil {
		t.Errorf("TLS for clients: %+v", l)
	}
	if s.serverTLS[backend.TLSFiles{CA: certificates.Authority.CertFile}].RootCAs == nil {
		t.Error("the pool's certificate authority was not read")
	}
	if s.serverTLS[backend.TLSFiles{}].RootCAs != nil {
		t.Error("the system's certificate authorities are not the system's")
	}
	if files := s.files(); len(files) != 4 || slices.Contains(files, "system") {
		t.Errorf("files %q", files)
	}
}

func TestSettingsRefuseWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	certificates := pgtest.Certificates(t)
	const pools = "pools:\n  app: {url: \"postgres://owner@db/app\"}\n"
	pair := "cert: " + certificates.Server.CertFile + ", key: " + certificates.Server.KeyFile
	for text, want := range map[string]string{
		"auth.users_file": "",
		"tls: {sslmode: require, cert: /no/such, key: /no/such}\n" + pools:            "shown to clients",
		"tls: {sslmode: verify-ca, " + pair + ", ca: /no/such}\n" + pools:             "authority of clients",
		"tls: {sslmode: verify-ca, " + pair + ", ca: " + usersFile(t) + "}\n" + pools: "no certificate",
		"pools:\n  app: {url: \"postgres://owner@db/app?sslrootcert=/no/such\"}\n":    "TLS of pool app",
	} {
		c := parse(t, pools)
		if want == "" {
			c.Auth.UsersFile, want = "/no/such", "users file"
		} else {
			c = parse(t, text)
		}
		if _, err := Load(c, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one about %q", text, err, want)
		}
	}
}

func TestChangedFilesAreSeen(t *testing.T) {
	t.Parallel()
	one, two, none := usersFile(t, "a", "b"), usersFile(t, "c", "d"), t.TempDir()+"/later"
	before := stampsOf([]string{one, two, none})
	if files := changed(before); len(files) != 0 {
		t.Errorf("unchanged: %q", files)
	}
	if err := os.WriteFile(none, []byte("now"), 0o600); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Minute)
	if err := os.Chtimes(two, later, later); err != nil {
		t.Fatal(err)
	}
	if files := changed(before); !slices.Equal(files, []string{two, none}) {
		t.Errorf("changed: %q", files)
	}
	if err := os.Remove(one); err != nil {
		t.Fatal(err)
	}
	if files := changed(before); !slices.Equal(files, []string{one, two, none}) {
		t.Errorf("changed: %q", files)
	}
}
