//go:build integration

package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/goleak"

	"github.com/usher-pg/usher/internal/config"
	"github.com/usher-pg/usher/internal/pgtest"
)

// patience is how long to wait for what should happen at once, on a slow machine.
const patience = 30 * time.Second

// live is a server that runs in this process, in front of a real PostgreSQL.
type live struct {
	*Server
	t       *testing.T
	path    string // of its configuration
	log     *safeBuffer
	signals chan os.Signal
	ended   chan struct{} // closed when Run has returned
	err     error         // what it returned
	address string
	backend string // host:port of PostgreSQL
}

// safeBuffer is a log that several goroutines write.
type safeBuffer struct {
	// mutex guards buffer.
	mutex  sync.Mutex
	buffer bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.buffer.Write(p)
}

func (b *safeBuffer) String() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.buffer.String()
}

// start runs a server. {{server}} in the configuration stands for PostgreSQL's host and port, {{dir}} for the
// folder of the configuration. At the end of the test it must leave no goroutine behind.
func start(t *testing.T, text string) *live {
	t.Helper()
	return startWith(t, text, func(*Options) {})
}

// startWith is start with other options.
func startWith(t *testing.T, text string, change func(*Options)) *live {
	t.Helper()
	postgres := pgtest.Start(t)
	before := goleak.IgnoreCurrent()
	dir := pgtest.Folder(t)
	l := &live{
		t: t, path: filepath.Join(dir, "usher.yaml"), log: new(safeBuffer),
		signals: make(chan os.Signal), ended: make(chan struct{}), backend: postgres.Address(),
	}
	l.write(strings.NewReplacer("{{server}}", postgres.Address(), "{{dir}}", dir).Replace(text))
	c, err := config.Load(l.path)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Config: c, ConfigPath: l.path, Version: "test", Log: NewLog(l.log, c.Log), Folder: dir}
	change(&o)
	l.Server, err = New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	obeyed := make(chan struct{})
	go func() {
		defer close(l.ended)
		l.err = l.Run(ctx)
	}()
	go func() {
		defer close(obeyed)
		l.Obey(ctx, l.signals)
	}()
	t.Cleanup(func() {
		cancel()
		l.await("the server ends", l.ended)
		<-obeyed
		if l.err != nil {
			t.Errorf("Run: %v", l.err)
		}
		goleak.VerifyNone(t, before)
		if t.Failed() {
			t.Logf("log:\n%s", l.log)
		}
	})
	select {
	case <-l.Ready():
	case <-l.ended:
		t.Fatalf("Run: %v", l.err)
	}
	for _, d := range l.doors {
		if d.address.Network == "tcp" {
			l.address = d.listener.Addr().String()
		}
	}
	return l
}

func (l *live) write(text string) {
	l.t.Helper()
	if err := os.WriteFile(l.path, []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
}

func (l *live) await(what string, done <-chan struct{}) {
	l.t.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		l.t.Errorf("%s: not within %v", what, patience)
	}
}

// eventually looks again and again until something is the case.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, patience)
		}
		<-ticker.C
	}
}

// client is a connection through the server that the test closes.
type client struct {
	*pgconn.PgConn
	t *testing.T
}

func (l *live) try(user, database string, more ...string) (*pgconn.PgConn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	host, port, _ := net.SplitHostPort(l.address)
	text := fmt.Sprintf("host=%s port=%s user=%s database=%s sslmode=disable", host, port, user, database)
	return pgconn.Connect(ctx, strings.Join(append([]string{text}, more...), " "))
}

func (l *live) connect(user, database string, more ...string) *client {
	l.t.Helper()
	conn, err := l.try(user, database, more...)
	if err != nil {
		l.t.Fatal(err)
	}
	c := &client{conn, l.t}
	l.t.Cleanup(c.leave)
	return c
}

func (c *client) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_ = c.Close(ctx)
}

// query returns the first value of a query's last result.
func (c *client) query(sql string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	results, err := c.Exec(ctx, sql).ReadAll()
	if err != nil || len(results) == 0 || len(results[len(results)-1].Rows) == 0 {
		return "", err
	}
	return string(results[len(results)-1].Rows[0][0]), nil
}

func (c *client) expect(sql, want string) {
	c.t.Helper()
	if got, err := c.query(sql); err != nil || got != want {
		c.t.Errorf("%s: %q, %v; want %q", sql, got, err, want)
	}
}

func state(err error) string {
	if refusal, ok := errors.AsType[*pgconn.PgError](err); ok {
		return refusal.Code
	}
	return fmt.Sprint(err)
}

const livePools = `
listen: ["127.0.0.1:0", "unix:{{dir}}/.s.PGSQL.6432"]
http: "127.0.0.1:0"
auth: {type: trust}
pools:
  app:       {url: "postgres://postgres@{{server}}/postgres?sslmode=disable", size: {max: 2}}
  forwarded: {url: "postgres://{{server}}/postgres?sslmode=disable"}
  "*":       {url: "postgres://postgres@{{server}}?sslmode=disable"}
`

// usersFile writes a users file of pairs of names and secrets.
func usersFile(t *testing.T, pairs ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users.txt")
	var text string
	for i := 0; i < len(pairs); i += 2 {
		text += fmt.Sprintf("%q %q\n", pairs[i], pairs[i+1])
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
