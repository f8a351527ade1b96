package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"

	"github.com/usher-pg/usher/internal/config"
	"github.com/usher-pg/usher/internal/privatepg"
	"github.com/usher-pg/usher/internal/server"
)

// The embedded default: what usher serves when it is not told.
const (
	embeddedDir    = ".usher"
	elsewhereDir   = "/var/lib/usher" // where PostgreSQL's user can go when it cannot enter the present folder
	embeddedHost   = "127.0.0.1"
	embeddedPort   = "6432"
	embeddedListen = embeddedHost + ":" + embeddedPort
	embeddedHTTP   = "127.0.0.1:8432"
)

// serveEmbedded starts a private PostgreSQL and serves it.
func serveEmbedded(ctx context.Context, out, errs io.Writer) (err error) {
	if ctx == nil {
		ctx = context.Background()
	}
	for _, address := range []string{embeddedListen, embeddedHTTP} {
		if err := isFree(address); err != nil { // before a PostgreSQL is made for nothing
			return explain(err)
		}
	}
	dir, err := filepath.Abs(embeddedDir)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "usher: no --config, so a private PostgreSQL is started in %s\n", dir)
	postgres, err := privatepg.Start(ctx, privatepg.Config{Dir: dir, Elsewhere: elsewhereDir})
	if err != nil {
		return fmt.Errorf("start a private PostgreSQL: %w", err)
	}
	defer func() {
		if stopError := postgres.Stop(context.WithoutCancel(ctx)); err == nil && stopError != nil {
			err = fmt.Errorf("stop the private PostgreSQL: %w", stopError)
		}
	}()
	c, err := embeddedConfig(postgres)
	if err != nil {
		return err
	}
	s, err := makeServer(server.Options{
		Config: c, Version: version(), Log: server.NewLog(errs, c.Log), DrainLimit: embeddedDrain,
		Folder: dir,
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-s.Ready():
			greet(out, postgres)
		case <-ctx.Done():
		}
	}()
	go func() {
		select {
		case <-postgres.Exited():
			cancel(errPostgresEnded)
		case <-ctx.Done():
		}
	}()
	err = run(ctx, s)
	if cause := context.Cause(ctx); err == nil && errors.Is(cause, errPostgresEnded) {
		err = fmt.Errorf("%w; its log ends with:\n%s", cause, postgres.LogTail())
	}
	return err
}

var errPostgresEnded = errors.New("the private PostgreSQL has ended")

func isFree(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	return l.Close()
}

// embeddedConfig serves every database of the private PostgreSQL, as its superuser.
func embeddedConfig(postgres *privatepg.Server) (*config.Config, error) {
	c := config.Default()
	c.Listen = []config.Address{{Network: "tcp", Address: embeddedListen}}
	c.HTTP = embeddedHTTP
	c.Auth.Type = config.AuthTrust
	c.AdminUsers = []string{privatepg.Superuser}
	url := "postgres://" + privatepg.Superuser + "@" + postgres.Address()
	for name, database := range map[string]string{"postgres": "/postgres", config.Fallback: ""} {
		if err := c.AddPool(name, url+database+"?sslmode=disable"); err != nil {
			return nil, fmt.Errorf("make the configuration: %w", err)
		}
	}
	return c, c.Validate()
}

// greet tells what to try.
func greet(out io.Writer, postgres *privatepg.Server) {
	fmt.Fprintf(out, `
usher serves PostgreSQL %d. Try:

    psql -h %s -p %s -U %s postgres
    psql -h %s -p %s -U %s pgbouncer -c 'SHOW POOLS'
    curl http://%s/metrics

Ctrl-C ends usher and its PostgreSQL.

`, postgres.Major(), embeddedHost, embeddedPort, privatepg.Superuser,
		embeddedHost, embeddedPort, privatepg.Superuser, embeddedHTTP)
}
