package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/usher-pg/usher/internal/privatepg"
)

const (
	// poolerPatience is how long a pooler may take to let the first client in.
	poolerPatience = 20 * time.Second
	// stopPatience is how long it may take to end.
	stopPatience = 10 * time.Second
	// maxClients both poolers are told to allow.
	maxClients = 12000
)

// pooler is a running pooler.
type pooler struct {
	process
	port   int
	work   work
	log    string // its file
	cmd    *exec.Cmd
	exited chan struct{} // closed when it has ended
}

// startPooler starts one with the settings the work needs and returns when a client has been let in.
func (w *world) startPooler(ctx context.Context, name string, load work) (*pooler, error) {
	dir, err := os.MkdirTemp(w.folder, name+"-")
	if err != nil {
		return nil, err
	}
	ports, err := privatepg.FreePorts(1)
	if err != nil {
		return nil, err
	}
	port := ports[0]
	p := &pooler{port: port, work: load, log: filepath.Join(dir, "log"), exited: make(chan struct{})}
	switch name {
	case "usher":
		p.cmd, err = w.usherCommand(w.usher, dir, port, load)
	case "base":
		p.cmd, err = w.usherCommand(w.base, dir, port, load)
	case "pgbouncer":
		p.cmd, err = w.pgbouncerCommand(dir, port, load)
	}
	if err != nil {
		return nil, fmt.Errorf("configure %s: %w", name, err)
	}
	if err := p.start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	if err := p.awaitLogin(ctx); err != nil {
		p.stop()
		return nil, fmt.Errorf("start %s: %w; its log:\n%s", name, err, p.lastLog())
	}
	return p, nil
}

// usherCommand writes usher's config. It is PgBouncer's below in other words.
func (w *world) usherCommand(program, dir string, port int, load work) (*exec.Cmd, error) {
	var text strings.Builder
	fmt.Fprintf(&text, "listen: [\"127.0.0.1:%d\"]\n", port)
	fmt.Fprintf(&text, "limits: {max_clients: %d}\n", maxClients)
	fmt.Fprintf(&text, "log: {level: warn}\n")
	if load.scram {
		fmt.Fprintf(&text, "auth: {type: scram-sha-256, users_file: users.txt}\n")
	} else {
		fmt.Fprintf(&text, "auth: {type: trust}\n")
	}
	if load.tls {
		fmt.Fprintf(&text, "tls: {sslmode: require, cert: %q, key: %q}\n",
			w.certificate.CertFile, w.certificate.KeyFile)
	}
	server := url.URL{Scheme: "postgres", User: url.User(privatepg.Superuser), Host: w.server,
		Path: "/" + database}
	fmt.Fprintf(&text, "pools:\n  %s:\n    url: %s\n    mode: transaction\n", database, server.String())
	fmt.Fprintf(&text, "    user: %s\n", privatepg.Superuser)
	fmt.Fprintf(&text, "    size: {min: %d, max: %d}\n    tls: {sslmode: disable}\n", w.pool, w.pool)
	config := filepath.Join(dir, "usher.yaml")
	err := errors.Join(
		os.WriteFile(config, []byte(text.String()), 0o600),
		os.WriteFile(filepath.Join(dir, "users.txt"), []byte(w.users()), 0o600),
	)
	cmd := exec.Command(program, "serve", "--config", config)
	cmd.Dir = dir
	return cmd, err
}

// pgbouncerCommand writes PgBouncer's configuration.
func (w *world) pgbouncerCommand(dir string, port int, load work) (*exec.Cmd, error) {
	var text strings.Builder
	fmt.Fprintf(&text, "[databases]\n%s = host=%s port=%d user=%s dbname=%s\n", database,
		w.postgres.Host(), w.postgres.Port(), privatepg.Superuser, database)
	fmt.Fprintf(&text, "[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = %d\nunix_socket_dir =\n", port)
	fmt.Fprintf(&text, "pool_mode = transaction\nmax_client_conn = %d\n", maxClients)
	fmt.Fprintf(&text, "default_pool_size = %d\nmin_pool_size = %d\n", w.pool, w.pool)
	fmt.Fprintf(&text, "log_connections = 0\nlog_disconnections = 0\nlog_stats = 0\n")
	fmt.Fprintf(&text, "ignore_startup_parameters = extra_float_digits\nserver_tls_sslmode = disable\n")
	auth := "trust"
	if load.scram {
		auth = "scram-sha-256"
	}
	fmt.Fprintf(&text, "auth_type = %s\nauth_file = %s\n", auth, filepath.Join(dir, "users.txt"))
	if load.tls {
		fmt.Fprintf(&text, "client_tls_sslmode = require\nclient_tls_cert_file = %s\nclient_tls_key_file = %s\n",
			w.certificate.CertFile, w.certificate.KeyFile)
	}
	config := filepath.Join(dir, "pgbouncer.ini")
	users := filepath.Join(dir, "users.txt")
	err := errors.Join(
		os.WriteFile(config, []byte(text.String()), 0o600),
		os.WriteFile(users, []byte(w.users()), 0o600),
		w.account.Give(dir), w.account.Give(config), w.account.Give(users),
	)
	cmd := exec.Command(w.pgbouncer, config)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: w.account.Credential()}
	return cmd, err
}

// users is the users file, in the format both read.
func (w *world) users() string {
	return fmt.Sprintf("%q \"\"\n%q %q\n", privatepg.Superuser, scramUser, w.scramSecret)
}

func (p *pooler) start() error {
	log, err := os.Create(p.log)
	if err != nil {
		return err
	}
	defer log.Close()
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if p.cmd.SysProcAttr == nil {
		p.cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	p.cmd.SysProcAttr.Setsid = true // Ctrl-C is for us; and with autogroup scheduling it shares no group with the load
	if err := p.cmd.Start(); err != nil {
		return err
	}
	p.process = process(p.cmd.Process.Pid)
	go func() {
		_ = p.cmd.Wait() // a pooler that ends early shows in what its clients say
		close(p.exited)
	}()
	return nil
}

// awaitLogin logs in until it works, and asks one question, so that a server connection is there.
func (p *pooler) awaitLogin(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, poolerPatience,
		fmt.Errorf("nobody was let in within %v", poolerPatience))
	defer cancel()
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		err := p.askOnce(ctx)
		if err == nil {
			return nil
		}
		timer := time.NewTimer(pause)
		select {
		case <-p.exited:
			return fmt.Errorf("it ended: %w", err)
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-timer.C:
		}
	}
}

func (p *pooler) askOnce(ctx context.Context) error {
	conn, err := pgconn.Connect(ctx, p.address())
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, "SELECT 1").ReadAll()
	return err
}

// address is where clients connect, as libpq takes it.
func (p *pooler) address() string {
	u := url.URL{
		Scheme: "postgres", User: url.User(privatepg.Superuser),
		Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port)), Path: "/" + database,
		RawQuery: "sslmode=disable",
	}
	if p.work.scram {
		u.User = url.UserPassword(scramUser, scramPassword)
	}
	if p.work.tls {
		u.RawQuery = "sslmode=require"
	}
	return u.String()
}

func (p *pooler) stop() {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		_ = p.cmd.Process.Signal(signal) // fails only when it has ended
		timer := time.NewTimer(stopPatience)
		select {
		case <-p.exited:
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// lastLog is the end of the pooler's log, for errors.
func (p *pooler) lastLog() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-2000):])
}
