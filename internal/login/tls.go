package login

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync/atomic"

	"github.com/usher-pg/usher/internal/auth"
	"github.com/usher-pg/usher/internal/carrier"
)

// alpn is the protocol name PostgreSQL 17 registered with IANA; direct TLS cannot do without.
const alpn = "postgresql"

// TLSMode is PgBouncer's client_tls_sslmode. Unix sockets have no TLS and are exempt from what a mode
// demands.
type TLSMode int

// The modes, weakest first.
const (
	TLSDisable    TLSMode = iota
	TLSAllow              // offered
	TLSPrefer             // the same as TLSAllow
	TLSRequire            // clients without TLS are refused
	TLSVerifyCA           // and clients without a certificate that one of ClientCAs has signed
	TLSVerifyFull         // the same as TLSVerifyCA
)

var tlsModes = [...]string{"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}

func (m TLSMode) String() string { return tlsModes[m] }

// ParseTLSMode reads the name of a mode.
func ParseTLSMode(name string) (TLSMode, error) {
	if i := slices.Index(tlsModes[:], name); i >= 0 {
		return TLSMode(i), nil
	}
	return 0, fmt.Errorf("TLS mode %q, expected disable, allow, prefer, require, verify-ca or verify-full", name)
}

// TLS is how clients get TLS.
type TLS struct {
	Mode TLSMode
	// Certificate is asked at each connection, so that the files can be loaded again.
	Certificate func() *tls.Certificate
	ClientCAs   *x509.CertPool // for TLSVerifyCA and TLSVerifyFull
	MinVersion  uint16         // 0 is TLS 1.2; nothing older is spoken

	made atomic.Pointer[made]
}

// made is what was made for a certificate, kept as long as the certificate is the same.
type made struct {
	from    *tls.Certificate
	config  *tls.Config
	binding auth.Binding
}

func (t *TLS) offered() bool { return t != nil && t.Mode != TLSDisable }

// demanded reports whether a client from this address must use TLS.
func (t *TLS) demanded(remote net.Addr) bool {
	return t != nil && t.Mode >= TLSRequire && remote.Network() != "unix"
}

func (t *TLS) verifies() bool { return t.Mode >= TLSVerifyCA }

var errNoCertificate = errors.New("there is no certificate to show to clients")

// make gives the config for the certificate of now.
func (t *TLS) make() (*made, error) {
	certificate := t.Certificate()
	if certificate == nil || len(certificate.Certificate) == 0 {
		return nil, errNoCertificate
	}
	if m := t.made.Load(); m != nil && m.from == certificate {
		return m, nil
	}
	leaf := certificate.Leaf
	if leaf == nil {
		var err error
		if leaf, err = x509.ParseCertificate(certificate.Certificate[0]); err != nil {
			return nil, fmt.Errorf("certificate to show to clients: %w", err)
		}
	}
	m := &made{from: certificate, binding: auth.BindTo(leaf), config: &tls.Config{
		Certificates: []tls.Certificate{*certificate},
		MinVersion:   max(t.MinVersion, tls.VersionTLS12),
		NextProtos:   []string{alpn},
		// As PostgreSQL: its clients do not resume sessions, and each ticket would cost them and usher.
		SessionTicketsDisabled: true,
	}}
	if t.verifies() {
		m.config.ClientAuth, m.config.ClientCAs = tls.RequireAndVerifyClientCert, t.ClientCAs
	}
	t.made.Store(m)
	return m, nil
}

// shake makes TLS of a connection whose ClientHello comes next.
func (t *TLS) shake(under *carrier.Conn, direct bool) (*tls.Conn, auth.Binding, error) {
	m, err := t.make()
	if err != nil {
		return nil, auth.Binding{}, err
	}
	secured := tls.Server(under, m.config)
	if err := secured.Handshake(); err != nil {
		return nil, auth.Binding{}, fmt.Errorf("TLS handshake: %w", err)
	}
	if got := secured.ConnectionState().NegotiatedProtocol; direct && got != alpn {
		return nil, auth.Binding{}, fmt.Errorf("TLS handshake: direct TLS without protocol %s", alpn)
	}
	return secured, m.binding, nil
}

// certifies reports whether a certificate is the user's: by its common name, or by an alternative name.
func certifies(certificate *x509.Certificate, user string) bool {
	if certificate == nil || user == "" {
		return false
	}
	return certificate.Subject.CommonName == user || slices.Contains(certificate.DNSNames, user) ||
		slices.Contains(certificate.EmailAddresses, user)
}
