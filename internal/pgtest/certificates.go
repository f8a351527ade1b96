package pgtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Certificate is a certificate and its key, in PEM and as files.
type Certificate struct {
	CertPEM, KeyPEM   []byte
	CertFile, KeyFile string // "" until Save

	certificate *x509.Certificate
	key         crypto.Signer
}

// Certs are what the tests of a binary share: an authority, a server certificate for 127.0.0.1, ::1 and
// localhost, a client certificate for UserCert, and a client certificate of an authority nobody trusts.
type Certs struct {
	Authority, Server, Client, Stranger *Certificate
}

// Certificates returns the certificates that the tests of this binary share, saved as files.
func Certificates(t testing.TB) *Certs {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.certificates != nil {
		return shared.certificates
	}
	certs, err := newCerts(filepath.Join(sharedFolder(t), "certificates"))
	if err != nil {
		t.Fatal(err)
	}
	shared.certificates = certs
	return certs
}

func newCerts(dir string) (*Certs, error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	authority, err := NewAuthority("usher test authority")
	if err != nil {
		return nil, err
	}
	foreign, err := NewAuthority("an authority nobody trusts")
	if err != nil {
		return nil, err
	}
	certs := &Certs{Authority: authority}
	if certs.Server, err = authority.Issue(Request{Name: "localhost", Hosts: Loopback()}); err != nil {
		return nil, err
	}
	if certs.Client, err = authority.Issue(Request{Name: UserCert}); err != nil {
		return nil, err
	}
	if certs.Stranger, err = foreign.Issue(Request{Name: UserCert}); err != nil {
		return nil, err
	}
	named := map[string]*Certificate{
		"ca": certs.Authority, "server": certs.Server, "client": certs.Client, "stranger": certs.Stranger,
	}
	for name, certificate := range named {
		if err := certificate.Save(dir, name); err != nil {
			return nil, err
		}
	}
	return certs, nil
}

// Loopback lists the names a server on this machine goes by.
func Loopback() []string { return []string{"localhost", "127.0.0.1", "::1"} }

// Request says what a certificate is for.
type Request struct {
	Name    string        // the common name; for clients, the user
	Hosts   []string      // names and addresses of a server; none for a client
	Expired bool          // no longer valid
	RSA     bool          // a 2048-bit RSA key; otherwise one on the curve P-256
	Life    time.Duration // 0: a day
}

// NewAuthority makes a certificate authority.
func NewAuthority(name string) (*Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the authority's key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	return sign(template, key, template, key)
}

// Issue makes a certificate signed by the authority.
func (c *Certificate) Issue(request Request) (*Certificate, error) {
	key, err := newKey(request.RSA)
	if err != nil {
		return nil, fmt.Errorf("make the key of %s: %w", request.Name, err)
	}
	life := request.Life
	if life == 0 {
		life = 24 * time.Hour
	}
	template := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{CommonName: request.Name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(life),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if request.Expired {
		template.NotBefore, template.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	}
	for _, host := range request.Hosts {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	return sign(template, key, c.certificate, c.key)
}

func newKey(useRSA bool) (crypto.Signer, error) {
	if useRSA {
		return rsa.GenerateKey(rand.Reader, 2048)
	}
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

func sign(template *x509.Certificate, key crypto.Signer, parent *x509.Certificate, parentKey crypto.Signer) (
	*Certificate, error,
) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		return nil, fmt.Errorf("sign the certificate of %s: %w", template.Subject.CommonName, err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("parse the certificate of %s: %w", template.Subject.CommonName, err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode the key of %s: %w", template.Subject.CommonName, err)
	}
	return &Certificate{
		CertPEM:     pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		KeyPEM:      pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
		certificate: certificate,
		key:         key,
	}, nil
}

func serial() *big.Int {
	number, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		panic(fmt.Sprintf("bug: read random bytes: %v", err)) // crypto/rand never fails
	}
	return number
}

// Save writes NAME.crt and NAME.key into a folder.
func (c *Certificate) Save(dir, name string) error {
	c.CertFile, c.KeyFile = filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
	if err := os.WriteFile(c.CertFile, c.CertPEM, 0o644); err != nil {
		return fmt.Errorf("save the certificate of %s: %w", name, err)
	}
	if err := os.WriteFile(c.KeyFile, c.KeyPEM, 0o600); err != nil {
		return fmt.Errorf("save the key of %s: %w", name, err)
	}
	return nil
}

// TLS is the certificate as crypto/tls takes it.
func (c *Certificate) TLS() tls.Certificate {
	return tls.Certificate{Certificate: [][]byte{c.certificate.Raw}, PrivateKey: c.key, Leaf: c.certificate}
}

// Pool trusts this certificate as an authority.
func (c *Certificate) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(c.certificate)
	return pool
}
