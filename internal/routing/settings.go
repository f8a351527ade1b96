package routing

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/usher-pg/usher/internal/auth"
	"github.com/usher-pg/usher/internal/backend"
	"github.com/usher-pg/usher/internal/config"
	"github.com/usher-pg/usher/internal/lanes"
	"github.com/usher-pg/usher/internal/login"
)

// Settings are a configuration and everything that was read from the files it names. They do not change once
// they are in use: a reload, or a change of one of the files, makes new ones.
type Settings struct {
	Config *config.Config
	Users  *auth.Users
	Login  *login.Config
	Lanes  *lanes.Rules

	serverTLS map[backend.TLSFiles]*tls.Config
	stamps    []stamp // of the files, from before they were read
}

// Load reads what a configuration names. old, which may be nil, are the settings in force.
func Load(c *config.Config, old *Settings) (*Settings, error) {
	s := &Settings{
		Config: c, Users: auth.NewUsers(), Lanes: lanesOf(&c.Lanes), serverTLS: map[backend.TLSFiles]*tls.Config{},
	}
	s.stamps = stampsOf(s.files())
	if c.Auth.UsersFile != "" {
		users, err := auth.ReadUsersFile(c.Auth.UsersFile)
		if err != nil {
			return nil, fmt.Errorf("read users file: %w", err)
		}
		s.Users = users
	}
	if old != nil {
		s.Users.Inherit(old.Users)
	}
	for _, name := range c.PoolNames() {
		files := tlsFiles(c.Pools[name])
		if s.serverTLS[files] != nil {
			continue
		}
		loaded, err := backend.LoadTLS(files)
		if err != nil {
			return nil, fmt.Errorf("load TLS of pool %s: %w", name, err)
		}
		s.serverTLS[files] = loaded
	}
	return s, s.makeLogin()
}

// Changed lists the files that are not any more as they were read.
func (s *Settings) Changed() []string { return changed(s.stamps) }

// Resigned are the same settings for one who has seen that its files have changed and cannot be used: they
// count as unchanged until they change again.
func (s *Settings) Resigned() *Settings {
	again := *s
	again.stamps = stampsOf(s.files())
	return &again
}

// files are the paths of everything that is read.
func (s *Settings) files() []string {
	c := s.Config
	paths := []string{c.Auth.UsersFile, c.TLS.Cert, c.TLS.Key, c.TLS.CA}
	for _, p := range c.Pools {
		files := tlsFiles(p)
		paths = append(paths, files.CA, files.Cert, files.Key)
	}
	slices.Sort(paths)
	paths = slices.Compact(paths)
	return slices.DeleteFunc(paths, func(path string) bool { return path == "" })
}

var methods = map[config.AuthType]login.Method{
	config.AuthTrust:    login.Trust,
	config.AuthPassword: login.Password,
	config.AuthMD5:      login.MD5,
	config.AuthSCRAM:    login.SCRAM,
	config.AuthCert:     login.Cert,
}

// makeLogin says how clients log in.
func (s *Settings) makeLogin() error {
	c := s.Config
	s.Login = &login.Config{Method: methods[c.Auth.Type], Users: s.Users, Timeout: c.Timeouts.ClientLogin}
	if c.TLS.SSLMode == config.SSLDisable {
		return nil
	}
	mode, err := login.ParseTLSMode(string(c.TLS.SSLMode))
	if err != nil {
		return err
	}
	certificate, err := tls.LoadX509KeyPair(c.TLS.Cert, c.TLS.Key)
	if err != nil {
		return fmt.Errorf("load certificate shown to clients: %w", err)
	}
	s.Login.TLS = &login.TLS{
		Mode:        mode,
		Certificate: func() *tls.Certificate { return &certificate },
		MinVersion:  tlsVersions[c.TLS.MinVersion],
	}
	if c.TLS.CA != "" {
		if s.Login.TLS.ClientCAs, err = readRoots(c.TLS.CA); err != nil {
			return fmt.Errorf("load certificate authority of clients: %w", err)
		}
	}
	return nil
}

var tlsVersions = map[config.TLSVersion]uint16{config.TLS12: tls.VersionTLS12, config.TLS13: tls.VersionTLS13}

var errNoRoots = errors.New("the file holds no certificate")

func readRoots(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: %w", path, errNoRoots)
	}
	return roots, nil
}
