package login

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/usher-pg/usher/internal/pgtest"
	"github.com/usher-pg/usher/internal/wire"
)

// saved writes a certificate to files, for pgx.
func saved(t *testing.T, c *pgtest.Certificate) *pgtest.Certificate {
	t.Helper()
	copied := *c
	if err := copied.Save(t.TempDir(), "c"); err != nil {
		t.Fatal(err)
	}
	return &copied
}

func TestModesOfTLS(t *testing.T) {
	t.Parallel()
	root := saved(t, authority()).CertFile
	mine := saved(t, issue(t, pgtest.Request{Name: "alice"}))
	foreign, err := pgtest.NewAuthority("another authority")
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := foreign.Issue(pgtest.Request{Name: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	stranger = saved(t, stranger)
	expired := saved(t, issue(t, pgtest.Request{Name: "alice", Expired: true}))
	with := func(c *pgtest.Certificate) string { return " sslcert=" + c.CertFile + " sslkey=" + c.KeyFile }
	plain, secured := "sslmode=disable", "sslmode=verify-full sslrootcert="+root
	const refused = "refused"
	for _, c := range []struct {
		mode     TLSMode
		settings string
		want     string // "plain", "TLS", "TLS with certificate", an SQLSTATE, or refused by TLS
	}{
		{TLSDisable, plain, "plain"},
		{TLSDisable, "sslmode=prefer", "plain"},
		{TLSDisable, secured, refused},
		{TLSAllow, plain, "plain"},
		{TLSAllow, secured, "TLS"},
		{TLSPrefer, plain, "plain"},
		{TLSPrefer, secured, "TLS"},
		{TLSPrefer, secured + with(stranger), "TLS"}, // not asked for one
		{TLSRequire, plain, "28000"},
		{TLSRequire, secured, "TLS"},
		{TLSRequire, secured + " sslnegotiation=direct", "TLS"},
		{TLSVerifyCA, plain, "28000"},
		{TLSVerifyCA, secured, refused},
		{TLSVerifyCA, secured + with(mine), "TLS with certificate"},
		{TLSVerifyCA, secured + with(stranger), refused},
		{TLSVerifyCA, secured + with(expired), refused},
		{TLSVerifyFull, secured + with(mine), "TLS with certificate"},
		{TLSVerifyFull, secured, refused},
	} {
		h := open(t, &Config{TLS: offer(t, c.mode)}, nil)
		_, err := h.connect(t, "user=alice "+c.settings)
		got := refused
		if err == nil {
			switch client := h.next(t); {
			case client.TLS == nil:
				got = "plain"
			case client.Certificate != nil:
				got = "TLS with certificate"
			default:
				got = "TLS"
			}
		} else if code := sqlState(err); code != "" {
			got = code
		}
		if got != c.want {
			t.Errorf("%v, client %.60s: %s (%v), expected %s", c.mode, c.settings, got, err, c.want)
		}
	}
}

func TestSCRAMBindsToTheChannel(t *testing.T) {
	t.Parallel()
	h := open(t, &Config{Method: SCRAM, Users: users(t), TLS: offer(t, TLSPrefer)}, nil)
	bound := " password=pencil channel_binding=require sslmode=verify-full sslrootcert=" +
		saved(t, authority()).CertFile
	for _, user := range []string{"plain", "scram"} {
		_, err := h.connect(t, "user="+user+bound)
		if err != nil {
			t.Errorf("user %s: %v", user, err)
		}
	}
	_, err := h.connect(t, "user=nobody"+bound)
	if sqlState(err) != "28P01" {
		t.Errorf("unknown user: %v", err)
	}
	if _, err := h.connect(t, "user=plain password=pencil"); err != nil {
		t.Errorf("without TLS: %v", err)
	}
}

func TestCertificatesAreAuthentication(t *testing.T) {
	t.Parallel()
	h := open(t, &Config{Method: Cert, TLS: offer(t, TLSVerifyFull)}, nil)
	without := open(t, &Config{Method: Cert, TLS: offer(t, TLSPrefer)}, nil)
	mine := saved(t, issue(t, pgtest.Request{Name: "alice"}))
	secured := "sslmode=require sslcert=" + mine.CertFile + " sslkey=" + mine.KeyFile
	if _, err := h.connect(t, "user=alice "+secured); err != nil {
		t.Error(err)
	}
	if _, err := h.connect(t, "user=bob "+secured); sqlState(err) != "28000" ||
		!strings.Contains(err.Error(), `certificate authentication failed for user "bob"`) {
		t.Errorf("with the certificate of somebody else: %v", err)
	}
	for _, settings := range []string{secured, "sslmode=disable"} {
		if _, err := without.connect(t, "user=alice "+settings); sqlState(err) != "28000" ||
			!strings.Contains(err.Error(), "requires a valid client certificate") {
			t.Errorf("without a certificate that was verified: %v", err)
		}
	}
	for _, c := range []struct {
		certificate *x509.Certificate
		user        string
		want        bool
	}{
		{&x509.Certificate{Subject: pkix.Name{CommonName: "alice"}}, "alice", true},
		{&x509.Certificate{Subject: pkix.Name{CommonName: "alice"}}, "Alice", false},
		{&x509.Certificate{DNSNames: []string{"x", "alice"}}, "alice", true},
		{&x509.Certificate{EmailAddresses: []string{"alice@example.org"}}, "alice@example.org", true},
		{&x509.Certificate{}, "", false},
		{nil, "alice", false},
	} {
		if got := certifies(c.certificate, c.user); got != c.want {
			t.Errorf("certifies(%v, %q) = %v", c.certificate, c.user, got)
		}
	}
}

func TestCertificatesAreLoadedAgain(t *testing.T) {
	t.Parallel()
	first := issue(t, pgtest.Request{Name: "first", Hosts: pgtest.Loopback()}).TLS()
	second := issue(t, pgtest.Request{Name: "second", Hosts: pgtest.Loopback()}).TLS()
	var current atomic.Pointer[tls.Certificate]
	current.Store(&first)
	h := open(t, &Config{TLS: &TLS{Mode: TLSRequire, Certificate: current.Load}}, nil)
	shown := func() string {
		conn := tls.Client(dial(t, "tcp", h.tcp), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{alpn}})
		if err := conn.Handshake(); err != nil {
			t.Fatal(err)
		}
		return conn.ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	if got := shown(); got != "first" {
		t.Errorf("shown %q", got)
	}
	kept := h.config.Load().TLS.made.Load()
	shown()
	if h.config.Load().TLS.made.Load() != kept {
		t.Error("the config of TLS is made for each connection")
	}
	current.Store(&second)
	if got := shown(); got != "second" {
		t.Errorf("after a change %q is shown", got)
	}
	current.Store(nil)
	p := dial(t, "tcp", h.tcp)
	p.send(askTLS)
	p.answer()
	p.expectEnd()
	if !strings.Contains(h.log.String(), errNoCertificate.Error()) {
		t.Errorf("the log:\n%s", h.log)
	}
}

func TestDirectTLSNeedsItsProtocol(t *testing.T) {
	t.Parallel()
	h := open(t, &Config{TLS: offer(t, TLSPrefer)}, nil)
	for _, protocols := range [][]string{nil, {"http/1.1"}} {
		conn := tls.Client(dial(t, "tcp", h.tcp), &tls.Config{InsecureSkipVerify: true, NextProtos: protocols})
		err := conn.Handshake()
		if err == nil {
			_, err = conn.Read(make([]byte, 1))
		}
		if err == nil {
			t.Errorf("direct TLS with protocols %v is let in", protocols)
		}
	}
	off := open(t, &Config{TLS: offer(t, TLSDisable)}, nil)
	client := tls.Client(dial(t, "tcp", off.tcp), &tls.Config{InsecureSkipVerify: true})
	if err := client.Handshake(); err == nil {
		t.Error("direct TLS where TLS is disabled")
	}
}

func TestOldVersionsOfTLSAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		least, spoken uint16
		ok            bool
	}{
		{0, tls.VersionTLS11, false},
		{tls.VersionTLS10, tls.VersionTLS11, false},
		{0, tls.VersionTLS12, true},
		{0, tls.VersionTLS13, true},
		{tls.VersionTLS13, tls.VersionTLS12, false},
		{tls.VersionTLS13, tls.VersionTLS13, true},
	} {
		o := offer(t, TLSPrefer)
		o.MinVersion = c.least
		h := open(t, &Config{TLS: o}, nil)
		err := tls.Client(dial(t, "tcp", h.tcp), &tls.Config{
			InsecureSkipVerify: true, NextProtos: []string{alpn}, MinVersion: c.spoken, MaxVersion: c.spoken,
		}).Handshake()
		if (err == nil) != c.ok {
			t.Errorf("at least %x, spoken %x: %v", c.least, c.spoken, err)
		}
	}
}

func TestAfterTLSNoMoreEncryptionIsNegotiated(t *testing.T) {
	t.Parallel()
	h := open(t, &Config{TLS: offer(t, TLSPrefer)}, nil)
	p := dial(t, "tcp", h.tcp)
	p.send(askTLS)
	if b := p.answer(); b != 'S' {
		t.Fatalf("answer %q", b)
	}
	conn := tls.Client(p, &tls.Config{InsecureSkipVerify: true})
	inside := newPeer(t, conn)
	inside.send(askTLS)
	inside.expectError("08P01", "encryption was requested before")
}

func TestWhatComesBehindTheStartupPacketStaysInTLS(t *testing.T) {
	t.Parallel()
	h := open(t, &Config{TLS: offer(t, TLSPrefer)}, nil)
	config := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{alpn}}
	conn := newPeer(t, tls.Client(dial(t, "tcp", h.tcp), config))
	query := wire.AppendQuery(nil, "select 1")
	conn.send(alice, query)
	conn.expectWelcome()
	c := h.next(t)
	got := make([]byte, len(query))
	if _, err := io.ReadFull(c.TLS, got); err != nil || string(got) != string(query) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestModesAndMethodsHaveNames(t *testing.T) {
	t.Parallel()
	for i, name := range tlsModes {
		if m, err := ParseTLSMode(name); err != nil || m != TLSMode(i) || m.String() != name {
			t.Errorf("%s: %v, %v", name, m, err)
		}
	}
	for i, name := range methods {
		if m, err := ParseMethod(name); err != nil || m != Method(i) || m.String() != name {
			t.Errorf("%s: %v, %v", name, m, err)
		}
	}
	for _, parse := range []func(string) error{
		func(s string) error { _, err := ParseTLSMode(s); return err },
		func(s string) error { _, err := ParseMethod(s); return err },
	} {
		if err := parse("peer"); err == nil || !strings.Contains(err.Error(), "expected") {
			t.Errorf("%v", err)
		}
	}
}
