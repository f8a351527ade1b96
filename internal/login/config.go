package login

import (
	"crypto/x509"
	"fmt"
	"net"
	"time"

	"github.com/usher-pg/usher/internal/auth"
)

// Method is how a client proves who it is.
type Method int

// The methods, with PostgreSQL's names.
const (
	Trust Method = iota
	Password
	MD5
	SCRAM
	Cert
)

var methods = [...]string{"trust", "password", "md5", "scram-sha-256", "cert"}

func (m Method) String() string { return methods[m] }

// ParseMethod reads the name of a method.
func ParseMethod(name string) (Method, error) {
	for i, s := range methods {
		if s == name {
			return Method(i), nil
		}
	}
	return 0, fmt.Errorf("authentication method %q, expected trust, password, md5, scram-sha-256 or cert", name)
}

// Config is what may change while clients come in. A login uses the one that was current when it began.
type Config struct {
	Method Method
	// Choose, if there is one, chooses the method for a client instead of Method.
	Choose  func(Identity) Method
	Users   *auth.Users
	TLS     *TLS          // nil: clients get no TLS
	Timeout time.Duration // of a login; 0 is DefaultTimeout
}

// DefaultTimeout is PgBouncer's client_login_timeout.
const DefaultTimeout = 60 * time.Second

// Identity is who a client says it is, and what is certain about it.
type Identity struct {
	User, Database string
	Remote         net.Addr
	TLS            bool
	Certificate    *x509.Certificate // verified; nil if the client has shown none
}

func (c *Config) method(who Identity) Method {
	if c.Choose != nil {
		return c.Choose(who)
	}
	return c.Method
}

func (c *Config) timeout() time.Duration {
	if c.Timeout <= 0 {
		return DefaultTimeout
	}
	return c.Timeout
}
