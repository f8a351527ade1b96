package backend

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/usher-pg/usher/internal/pgtest"
	"github.com/usher-pg/usher/internal/wire"
)

// attempts is what the connections of a dial were: 'p' plain, 'T' TLS, 'r' TLS asked for and refused.
type attempts struct {
	mutex sync.Mutex // guards text
	text  string
}

func (a *attempts) add(kind string) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.text += kind
}

// server is a scripted server with and without TLS; hba says which kind it lets in, as pg_hba.conf would.
func (a *attempts) server(t *testing.T, hasTLS bool, hba string, config *tls.Config) script {
	return func(s *speaker, _ int) {
		packet := s.startup()
		kind := "p"
		if packet != nil && wire.StartupCode(packet) == wire.SSLRequestCode {
			if hasTLS {
				a.add("T")
				s.send([]byte{'S'})
				if s = s.shake(config); s == nil {
					return
				}
				kind = "T"
			} else {
				a.add("r")
				s.send([]byte{'N'})
			}
			s.startup()
		} else {
			a.add("p")
		}
		if !strings.Contains(hba, kind) {
			s.send(refusal("28000", "no pg_hba.conf entry"))
			return
		}
		s.send(welcome())
		s.drain()
	}
}

func TestModesOfSSL(t *testing.T) {
	t.Parallel()
	stranger, err := pgtest.NewAuthority("another authority")
	if err != nil {
		t.Fatal(err)
	}
	other, err := authority().Issue(pgtest.Request{Name: "elsewhere", Hosts: []string{"elsewhere.example.org"}})
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := &tls.Config{Certificates: []tls.Certificate{other.TLS()}}
	broken := &tls.Config{
		Certificates: []tls.Certificate{certificate()}, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10,
	}
	ours, theirs := authority().Pool(), stranger.Pool()
	for _, c := range []struct {
		name   string
		mode   SSLMode
		hasTLS bool
		hba    string // what the server lets in: p, T
		config *tls.Config
		roots  *x509.CertPool
		tried  string
		want   string // p, T, or an error's text
	}{
		{"disable", SSLDisable, true, "pT", nil, nil, "p", "p"},
		{"disable, hostssl", SSLDisable, true, "T", nil, nil, "p", "no pg_hba.conf entry"},
		{"allow", SSLAllow, true, "pT", nil, nil, "p", "p"},
		{"allow, hostssl", SSLAllow, true, "T", nil, nil, "pT", "T"},
		{"allow, nothing", SSLAllow, true, "", nil, nil, "pT", "no pg_hba.conf entry"},
		{"allow, no TLS there", SSLAllow, false, "", nil, nil, "pr", "the server has no TLS"},
		{"prefer", SSLPrefer, true, "pT", nil, nil, "T", "T"},
		{"prefer, hostnossl", SSLPrefer, true, "p", nil, nil, "Tp", "p"},
		{"prefer, no TLS there", SSLPrefer, false, "p", nil, nil, "r", "p"},
		{"prefer, no TLS there, refused", SSLPrefer, false, "", nil, nil, "r", "no pg_hba.conf entry"},
		{"prefer, TLS fails", SSLPrefer, true, "p", broken, nil, "Tp", "p"},
		{"prefer, another authority", SSLPrefer, true, "pT", nil, theirs, "T", "T"},
		{"require", SSLRequire, true, "pT", nil, nil, "T", "T"},
		{"require, no TLS there", SSLRequire, false, "p", nil, nil, "r", "the server has no TLS"},
		{"require, hostnossl", SSLRequire, true, "p", nil, nil, "T", "no pg_hba.conf entry"},
		{"require, authority", SSLRequire, true, "T", elsewhere, ours, "T", "T"},
		{"require, another authority", SSLRequire, true, "T", nil, theirs, "T", "unknown authority"},
		{"verify-ca", SSLVerifyCA, true, "T", elsewhere, ours, "T", "T"},
		{"verify-ca, another authority", SSLVerifyCA, true, "T", nil, theirs, "T", "unknown authority"},
		{"verify-ca, the system's authorities", SSLVerifyCA, true, "T", nil, nil, "T", "unknown authority"},
		{"verify-full", SSLVerifyFull, true, "T", nil, ours, "T", "T"},
		{"verify-full, another authority", SSLVerifyFull, true, "T", nil, theirs, "T", "unknown authority"},
		{"verify-full, another name", SSLVerifyFull, true, "T", elsewhere, ours, "T", "127.0.0.1"},
	} {
		var tried attempts
		config := serve(t, "tcp", tried.server(t, c.hasTLS, c.hba, c.config))
		config.SSLMode = c.mode
		config.TLS = trusting(c.roots)
		conn, err := dial(t, config)
		got := "p"
		if err != nil {
			got = err.Error()
		} else if conn.TLS != nil {
			got = "T"
		}
		if !strings.Contains(got, c.want) || tried.text != c.tried {
			t.Errorf("%s: %s after %s, expected %s after %s", c.name, got, tried.text, c.want, c.tried)
		}
	}
}

func TestPlaintextBehindTheAnswerIsAnAttack(t *testing.T) {
	t.Parallel()
	for _, sent := range [][]byte{
		append([]byte{'S'}, welcome()...), append([]byte{'N'}, authOK...), []byte("H"), refusal("28000", "psst"),
	} {
		var connections atomic.Int32
		config := serve(t, "tcp", func(s *speaker, n int) {
			connections.Store(int32(n + 1))
			s.startup()
			s.send(sent)
			s.drain()
		})
		config.SSLMode = SSLPrefer
		_, err := dial(t, config)
		if !errors.Is(err, ErrProtocol) || connections.Load() != 1 {
			t.Errorf("%.10q: %v after %d connections", sent, err, connections.Load())
		}
		if err != nil && strings.Contains(err.Error(), "psst") {
			t.Errorf("an error before TLS is shown: %v", err)
		}
	}
}

func TestDirectTLS(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		protocols []string
		ok        bool
	}{
		{"spoken", []string{alpn}, true},
		{"another protocol", []string{"http/1.1"}, false},
		{"no protocol", nil, false},
	} {
		config := serve(t, "tcp", func(s *speaker, _ int) {
			s.shake(&tls.Config{Certificates: []tls.Certificate{certificate()}, NextProtos: c.protocols}).logsIn()
		})
		config.SSLMode, config.DirectTLS, config.TLS = SSLVerifyFull, true, trusting(authority().Pool())
		if conn, err := dial(t, config); (err == nil) != c.ok || err == nil && conn.TLS == nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestOldVersionsOfTLSAreRefused(t *testing.T) {
	t.Parallel()
	versions := map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true}
	for version, ok := range versions {
		config := serve(t, "tcp", func(s *speaker, _ int) {
			s.secure(&tls.Config{
				Certificates: []tls.Certificate{certificate()}, MinVersion: tls.VersionTLS10, MaxVersion: version,
			}).logsIn()
		})
		config.SSLMode = SSLRequire
		config.TLS = func() *tls.Config { return &tls.Config{MinVersion: tls.VersionTLS10} }
		if _, err := dial(t, config); (err == nil) != ok {
			t.Errorf("version %x: %v", version, err)
		}
	}
}

func TestCommonNamesCountWithoutAlternativeNames(t *testing.T) {
	t.Parallel()
	// The authority is a certificate without alternative names, and can be used as a server's.
	chain := authority().TLS().Leaf
	roots := authority().Pool()
	for _, c := range []struct {
		leaf *x509.Certificate
		name string
		want bool
	}{
		{certificate().Leaf, "localhost", true},
		{certificate().Leaf, "127.0.0.1", true},
		{certificate().Leaf, "LOCALHOST", true},
		{certificate().Leaf, "db.example.org", false},
		{chain, "USHER TEST authority", true},
		{chain, "usher", false},
		{chain, "", false},
	} {
		err := verify([]*x509.Certificate{c.leaf}, roots, c.name, true)
		if (err == nil) != c.want {
			t.Errorf("%v for %q: %v", c.leaf.Subject, c.name, err)
		}
	}
	if err := verify(nil, roots, "x", false); err == nil {
		t.Error("no certificate at all is verified")
	}
	forged := &x509.Certificate{Subject: pkix.Name{CommonName: "localhost"}}
	if err := verify([]*x509.Certificate{forged}, roots, "localhost", true); err == nil {
		t.Error("an unsigned certificate is verified")
	}
}

func TestTLSFilesAreLoaded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	client, err := authority().Issue(pgtest.Request{Name: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	empty := os.WriteFile(filepath.Join(dir, "empty"), nil, 0o600)
	if err := errors.Join(client.Save(dir, "client"), empty); err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, authority().CertPEM, 0o600); err != nil {
		t.Fatal(err)
	}
	loaded, err := LoadTLS(TLSFiles{CA: ca, Cert: client.CertFile, Key: client.KeyFile})
	if err != nil {
		t.Fatal(err)
	}
	shown := make(chan string, 1)
	config := serve(t, "tcp", func(s *speaker, _ int) {
		s = s.secure(&tls.Config{
			Certificates: []tls.Certificate{certificate()},
			ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: authority().Pool(),
		})
		if s != nil {
			shown <- s.Conn.(*tls.Conn).ConnectionState().PeerCertificates[0].Subject.CommonName
		}
		s.logsIn()
	})
	config.SSLMode, config.TLS = SSLVerifyFull, func() *tls.Config { return loaded }
	if _, err := dial(t, config); err != nil || <-shown != "alice" {
		t.Error(err)
	}
	for name, files := range map[string]TLSFiles{
		"no authority file": {CA: filepath.Join(dir, "absent")},
		"empty authority":   {CA: filepath.Join(dir, "empty")},
		"no key":            {Cert: client.CertFile},
		"no certificate":    {Key: client.KeyFile},
		"another key":       {Cert: ca, Key: client.KeyFile},
	} {
		if _, err := LoadTLS(files); err == nil {
			t.Errorf("%s: loaded", name)
		}
	}
	if empty, err := LoadTLS(TLSFiles{}); err != nil || empty.RootCAs != nil || len(empty.Certificates) > 0 {
		t.Errorf("no files: %v", err)
	}
}

func TestModesHaveNames(t *testing.T) {
	t.Parallel()
	for i, name := range sslModes {
		if m, err := ParseSSLMode(name); err != nil || m != SSLMode(i) || m.String() != name {
			t.Errorf("%s: %v, %v", name, m, err)
		}
	}
	if _, err := ParseSSLMode("maybe"); err == nil || !strings.Contains(err.Error(), "expected disable") {
		t.Errorf("%v", err)
	}
	if got := SSLVerifyFull.attempts("unix"); !slices.Equal(got, []bool{false}) {
		t.Errorf("attempts over a unix socket: %v", got)
	}
	if got := (&Config{Address: "[::1]:5432"}).host(); got != "::1" || net.ParseIP(got) == nil {
		t.Errorf("host %q", got)
	}
}
