package auth

import (
	"crypto/tls"
	"crypto/x509"

	"github.com/xdg-go/scram"
)

// Mechanisms of SASL that usher speaks.
const (
	mechanism     = "SCRAM-SHA-256"
	mechanismPlus = "SCRAM-SHA-256-PLUS"
)

// Binding says on what kind of connection an authentication happens.
type Binding struct {
	TLS bool
	// EndPoint is the hash of the server's certificate (tls-server-end-point, RFC 5929), by which SCRAM notices
	// a man in the middle. It is nil without TLS, and when the certificate's signature algorithm defines no hash
	// (Ed25519).
	EndPoint []byte
}

// BindTo is the Binding of a TLS connection whose server has shown the certificate.
func BindTo(certificate *x509.Certificate) Binding {
	if certificate == nil {
		return Binding{TLS: true}
	}
	state := tls.ConnectionState{PeerCertificates: []*x509.Certificate{certificate}}
	b, err := scram.NewTLSServerEndpointBinding(&state)
	if err != nil {
		return Binding{TLS: true} // no hash is defined for it: PostgreSQL cannot bind to it either
	}
	return Binding{TLS: true, EndPoint: b.Data}
}

func (b Binding) channel() scram.ChannelBinding {
	if len(b.EndPoint) == 0 {
		return scram.ChannelBinding{}
	}
	return scram.ChannelBinding{Type: scram.ChannelBindingTLSServerEndpoint, Data: b.EndPoint}
}
