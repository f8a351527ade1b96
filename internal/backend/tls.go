package backend

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/usher-pg/usher/internal/carrier"
	"github.com/usher-pg/usher/internal/wire"
)

// alpn is the protocol name PostgreSQL 17 registered with IANA; direct TLS cannot do without.
const alpn = "postgresql"

// TLSFiles are the paths of certificates in PEM. All may be empty.
type TLSFiles struct {
	CA        string // sslrootcert
	Cert, Key string // sslcert, sslkey: to show to the server
}

// LoadTLS reads the files into what Config.TLS returns.
func LoadTLS(files TLSFiles) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if files.CA != "" {
		pem, err := os.ReadFile(files.CA)
		if err != nil {
			return nil, fmt.Errorf("read certificate authority: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read certificate authority: no certificate in %s", files.CA)
		}
	}
	if files.Cert != "" || files.Key != "" {
		pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
		if err != nil {
			return nil, fmt.Errorf("read client certificate: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// tlsConfig is the config of one connection.
func (c *Config) tlsConfig() *tls.Config {
	var base *tls.Config
	if c.TLS != nil {
		base = c.TLS()
	}
	if base == nil {
		base = &tls.Config{}
	}
	config := base.Clone()
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	config.NextProtos = []string{alpn}
	host := c.host()
	if config.ServerName == "" {
		config.ServerName = host
	}
	// crypto/tls can verify all or nothing, and knows no common name: the modes are ours to verify.
	config.InsecureSkipVerify = true
	mode, roots, name := c.SSLMode, config.RootCAs, config.ServerName
	if mode == SSLVerifyFull || mode == SSLVerifyCA || mode == SSLRequire && roots != nil {
		config.VerifyConnection = func(state tls.ConnectionState) error {
			return verify(state.PeerCertificates, roots, name, mode == SSLVerifyFull)
		}
	}
	return config
}

// verify checks a server's certificates: the chain, and the name if full is true. Like libpq it looks at the
// common name when the certificate has no alternative names.
func verify(chain []*x509.Certificate, roots *x509.CertPool, name string, full bool) error {
	if len(chain) == 0 {
		return errors.New("the server has shown no certificate")
	}
	leaf := chain[0]
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	options := x509.VerifyOptions{Roots: roots, Intermediates: between}
	if _, err := leaf.Verify(options); err != nil {
		return err
	}
	if !full {
		return nil
	}
	err := leaf.VerifyHostname(name)
	if err == nil || len(leaf.DNSNames)+len(leaf.IPAddresses)+len(leaf.EmailAddresses)+len(leaf.URIs) > 0 {
		return err
	}
	if common := leaf.Subject.CommonName; common == "" || !strings.EqualFold(common, name) {
		return err
	}
	return nil
}

// secure makes TLS of a connection that was just dialled. refused is true when the server has none.
func (c *Config) secure(under *carrier.Conn) (secured *tls.Conn, refused bool, err error) {
	if !c.DirectTLS {
		yes, err := askTLS(under)
		if err != nil || !yes {
			return nil, !yes && err == nil, err
		}
	}
	secured = tls.Client(under, c.tlsConfig())
	if err := secured.Handshake(); err != nil {
		return nil, false, fmt.Errorf("TLS handshake: %w", err)
	}
	if got := secured.ConnectionState().NegotiatedProtocol; c.DirectTLS && got != alpn {
		return nil, false, fmt.Errorf("TLS handshake: the server does not speak protocol %s", alpn)
	}
	return secured, false, nil
}

// askTLS sends an SSLRequest and reads its answer of one byte.
func askTLS(conn net.Conn) (yes bool, err error) {
	if _, err := conn.Write(wire.AppendRequest(nil, wire.SSLRequestCode)); err != nil {
		return false, fmt.Errorf("ask for TLS: %w", err)
	}
	answer := make([]byte, 64)
	n, err := conn.Read(answer)
	if err != nil {
		return false, fmt.Errorf("ask for TLS: %w", err)
	}
	switch {
	case n > 1 && answer[0] != byte(wire.ErrorResponse):
		// Bytes behind the answer were sent by somebody in the middle, who wants them to be read as encrypted ones
		// (CVE-2021-23222).
		return false, fmt.Errorf("ask for TLS: %w: unencrypted bytes behind the answer", ErrProtocol)
	case answer[0] == 'S':
		return true, nil
	case answer[0] == 'N':
		return false, nil
	}
	// An error here is nobody's word: it is not encrypted yet. Its text is not shown (libpq's CVE-2024-10977).
	return false, fmt.Errorf("ask for TLS: %w: answer %v, expected 'S' or 'N'", ErrProtocol,
		wire.Type(answer[0]))
}

// interrupt ends reads and writes of conn when ctx ends. stop must be called, and tells whether it has.
func interrupt(ctx context.Context, conn net.Conn) (stop func() (interrupted bool)) {
	past := time.Unix(1, 0)
	cancel := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(past) })
	return func() bool { return !cancel() }
}
