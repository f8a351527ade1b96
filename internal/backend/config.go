package backend

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/usher-pg/usher/internal/auth"
	"github.com/usher-pg/usher/internal/wire"
)

// Config says where to connect and as whom. It is not changed once it is in use.
type Config struct {
	Network string // "tcp" or "unix"
	Address string // host:port, or the path of the socket

	Credentials *auth.Credentials
	Database    string
	Params      []wire.Param // of the start-up packet, besides user, database and replication
	Replication string       // the replication parameter; empty for none

	SSLMode SSLMode
	// DirectTLS begins with the TLS handshake instead of asking for it (libpq's sslnegotiation=direct).
	DirectTLS bool
	// TLS gives the certificates to use: RootCAs, and Certificates to show. It is asked at each connection, so
	// that files can be loaded again; nil is an empty config. The result is not changed. See LoadTLS.
	TLS func() *tls.Config

	WarmUp         []string            // statements to execute before the connection is ready
	ConnectTimeout time.Duration       // of the whole login; 0 for none
	KeepAlive      net.KeepAliveConfig // of TCP

	// Protocol is the version to ask for; 0 is 3.0. With 3.2 the server chooses a longer cancel key. Servers
	// that do not know it answer with 3.0, but some other poolers in the way break.
	Protocol uint32

	// Notice, if there is one, is told the NoticeResponse bodies of the login. It must not keep them.
	Notice func(body []byte)
}

func (c *Config) check() error {
	if c.Credentials == nil || c.Credentials.User() == "" {
		return errors.New("no user to log in with")
	}
	if c.DirectTLS && c.SSLMode < SSLRequire {
		return fmt.Errorf("sslnegotiation=direct needs sslmode require or stronger, not %v", c.SSLMode)
	}
	for _, p := range c.startup() {
		if p.Name == "" {
			return errors.New("startup parameter without a name")
		}
		// A NUL byte would end the value early, and what follows would be another parameter.
		if strings.IndexByte(p.Name, 0) >= 0 || strings.IndexByte(p.Value, 0) >= 0 {
			return fmt.Errorf("NUL byte in startup parameter %q", p.Name)
		}
	}
	return nil
}

// startup are the parameters of the start-up packet.
func (c *Config) startup() []wire.Param {
	params := make([]wire.Param, 0, len(c.Params)+3)
	params = append(params, wire.Param{Name: "user", Value: c.Credentials.User()})
	if c.Database != "" {
		params = append(params, wire.Param{Name: "database", Value: c.Database})
	}
	if c.Replication != "" {
		params = append(params, wire.Param{Name: "replication", Value: c.Replication})
	}
	return append(params, c.Params...)
}

func (c *Config) protocol() uint32 {
	if c.Protocol == 0 {
		return wire.Version30
	}
	return c.Protocol
}

func (c *Config) dialer() *net.Dialer {
	d := &net.Dialer{KeepAliveConfig: c.KeepAlive}
	if !c.KeepAlive.Enable {
		d.KeepAlive = -1 // 0 would mean package net's default
	}
	return d
}

// host is the name that a certificate must be for.
func (c *Config) host() string {
	host, _, err := net.SplitHostPort(c.Address)
	if err != nil {
		return c.Address
	}
	return host
}
