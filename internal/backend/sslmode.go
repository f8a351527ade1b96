package backend

import "fmt"

// SSLMode is libpq's sslmode.
type SSLMode int

// The modes, weakest first.
const (
	SSLDisable SSLMode = iota
	SSLAllow
	SSLPrefer
	SSLRequire
	SSLVerifyCA
	SSLVerifyFull
)

var sslModes = [...]string{"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}

func (m SSLMode) String() string { return sslModes[m] }

// ParseSSLMode reads the name of a mode.
func ParseSSLMode(name string) (SSLMode, error) {
	for i, s := range sslModes {
		if s == name {
			return SSLMode(i), nil
		}
	}
	return 0, fmt.Errorf("sslmode %q, expected disable, allow, prefer, require, verify-ca or verify-full", name)
}

// attempts are the ways to try, in order: with TLS or without.
func (m SSLMode) attempts(network string) []bool {
	switch {
	case network == "unix" || m == SSLDisable:
		return []bool{false}
	case m == SSLAllow:
		return []bool{false, true}
	case m == SSLPrefer:
		return []bool{true, false}
	}
	return []bool{true}
}
