package config

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/usher-pg/usher/internal/config/source"
)

const defaultPort = 5432 // PostgreSQL's DEF_PGPORT

// target is the value of a pool's url. It writes several fields of the pool.
type target struct {
	pool *Pool
}

func (v target) kind() string          { return "postgres://user:password@host:port/database" }
func (v target) bouncer() string       { return v.text() }
func (v target) place() any            { return &v.pool.Target }
func (v target) set(text string) error { return v.pool.applyURL(text) }

// text is the URL's place without its identity, which is in user and password.
func (v target) text() string {
	t := v.pool.Target
	if t.Host == "" {
		return ""
	}
	u := url.URL{Scheme: "postgres", Path: "/" + t.Database}
	if strings.HasPrefix(t.Host, "/") {
		u.RawQuery = url.Values{"host": {t.Host}, "port": {strconv.Itoa(t.Port)}}.Encode()
	} else {
		u.Host = t.Server()
	}
	return u.String()
}

// urlParameters are the parameters of libpq we know, with the place each goes to. A path among a pool's
// options, or one of the parts of the target.
var urlParameters = map[string]func(p *Pool, text string) error{
	"host":             func(p *Pool, s string) error { return p.setHost(s) },
	"port":             func(p *Pool, s string) error { return p.setPort(s) },
	"dbname":           func(p *Pool, s string) error { return once(&p.Target.Database, s) },
	"user":             func(p *Pool, s string) error { return p.byURL("user", s) },
	"password":         func(p *Pool, s string) error { return p.byURL("password", s) },
	"sslmode":          func(p *Pool, s string) error { return p.byURL("tls.sslmode", s) },
	"sslnegotiation":   func(p *Pool, s string) error { return p.byURL("tls.negotiation", s) },
	"sslrootcert":      func(p *Pool, s string) error { return p.byURL("tls.ca", s) },
	"sslcert":          func(p *Pool, s string) error { return p.byURL("tls.cert", s) },
	"sslkey":           func(p *Pool, s string) error { return p.byURL("tls.key", s) },
	"application_name": func(p *Pool, s string) error { return p.byURL("application_name", s) },
	"options":          func(p *Pool, s string) error { return p.byURL("server_options", s) },
	"connect_timeout":  func(p *Pool, s string) error { return p.setConnectTimeout(s) },
}

// applyURL reads a connection URL into the pool. Its errors never repeat any part of the URL but a
// parameter's name: a part of a misspelt URL may be the password.
func (p *Pool) applyURL(text string) error {
	if err := checkText(text); err != nil {
		return err
	}
	if !strings.HasPrefix(text, "postgres://") && !strings.HasPrefix(text, "postgresql://") {
		return errorf("does not begin with postgres://")
	}
	u, err := url.Parse(text)
	if err != nil {
		return errorf("is not a URL; in a password / is written %%2F, @ %%40, : %%3A, # %%23, ? %%3F and %% %%25")
	}
	if u.Fragment != "" || strings.Contains(text, "#") {
		return errorf("has a #; in a password it is written %%23")
	}
	p.Target = Target{}
	if err := p.applyAuthority(u); err != nil {
		return err
	}
	if err := p.applyParameters(u.RawQuery); err != nil {
		return err
	}
	if p.Target.Host == "" {
		return errorf("names no host; a Unix socket's directory is given as ?host=/directory")
	}
	if p.Target.Port == 0 {
		p.Target.Port = defaultPort
	}
	return nil
}

// applyAuthority reads what stands before the parameters.
func (p *Pool) applyAuthority(u *url.URL) error {
	if strings.Contains(u.Host, ",") {
		return errorf("names several hosts")
	}
	if host := u.Hostname(); host != "" {
		if err := p.setHost(host); err != nil {
			return err
		}
	}
	if port := u.Port(); port != "" {
		if err := p.setPort(port); err != nil {
			return err
		}
	}
	if u.User.Username() != "" {
		if err := p.byURL("user", u.User.Username()); err != nil {
			return err
		}
	}
	if password, ok := u.User.Password(); ok {
		if err := p.byURL("password", password); err != nil {
			return err
		}
	}
	database := strings.TrimPrefix(u.Path, "/")
	if strings.Contains(database, "/") && !strings.Contains(strings.ToUpper(u.RawPath), "%2F") {
		return errorf("has a / in its database name; it is written %%2F")
	}
	return once(&p.Target.Database, database)
}

func (p *Pool) applyParameters(query string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return errorf("has parameters that cannot be read")
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		set, ok := urlParameters[name]
		if !ok {
			known := strings.Join(slices.Sorted(maps.Keys(urlParameters)), ", ")
			return errorf("has an unknown parameter %q; known are %s", source.Printable(source.Redact(name)), known)
		}
		if len(values[name]) > 1 {
			return errorf("has the parameter %s twice", name)
		}
		if err := checkText(values[name][0]); err != nil {
			return errorf("parameter %s %w", name, err)
		}
		if err := set(p, values[name][0]); err != nil {
			return errorf("parameter %s %w", name, err)
		}
	}
	return nil
}

// byURL sets an option of the pool as if the pool had it as a key.
func (p *Pool) byURL(path, text string) error {
	for _, r := range poolRows {
		if r.Path == path {
			p.explicit[path] = true
			return r.at(p).set(text)
		}
	}
	panic("bug: a URL parameter leads to no option of a pool: " + path)
}

func (p *Pool) setHost(host string) error {
	if strings.ContainsAny(host, " ,@") {
		return errorf("is not one host")
	}
	return once(&p.Target.Host, host)
}

func (p *Pool) setPort(text string) error {
	port, err := parsePort(text)
	if err != nil {
		return err
	}
	if p.Target.Port != 0 {
		return errorf("is given twice")
	}
	p.Target.Port = port
	return nil
}

// setConnectTimeout reads libpq's connect_timeout: whole seconds, 0 for ever.
func (p *Pool) setConnectTimeout(text string) error {
	seconds, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return errorf("is not a number of seconds")
	}
	return p.byURL("timeouts.server_connect", durationText(time.Duration(seconds)*time.Second))
}

// once sets a part of the URL that may be given before the parameters or among them, but not twice.
func once(at *string, text string) error {
	if text == "" {
		return nil
	}
	if err := checkText(text); err != nil {
		return err
	}
	if *at != "" {
		return errorf("is given twice")
	}
	*at = text
	return nil
}
