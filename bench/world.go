package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/usher-pg/usher/internal/pgtest"
	"github.com/usher-pg/usher/internal/privatepg"
)

const (
	// database, scramUser and scramPassword are what the clients name.
	database      = "bench"
	scramUser     = "bench_scram"
	scramPassword = "a password of 24 letters"

	// spareDescriptors are those a process needs beside one per client.
	spareDescriptors = 200
	// buildPatience is how long PostgreSQL and its tables may take to be ready.
	buildPatience = 5 * time.Minute
)

// world is what all runs share: a PostgreSQL with pgbench's tables, certificates, and where the programs are.
type world struct {
	options
	folder      string
	postgres    *privatepg.Server
	server      string            // its address, host:port
	account     privatepg.Account // who PgBouncer runs as
	certificate *pgtest.Certificate
	scramSecret string
	descriptors uint64
	versions    map[string]string
}

// build sets the world up. It takes some seconds.
func build(ctx context.Context, o options) (*world, error) {
	ctx, cancel := context.WithTimeout(ctx, buildPatience)
	defer cancel()
	folder, err := os.MkdirTemp("", "usher-bench-")
	if err != nil {
		return nil, err
	}
	w := &world{options: o, folder: folder, versions: map[string]string{}}
	if err := w.furnish(ctx); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

func (w *world) furnish(ctx context.Context) error {
	if err := os.Chmod(w.folder, 0o755); err != nil { // others have to reach what is in it
		return err
	}
	if err := w.raiseDescriptors(); err != nil {
		return err
	}
	if err := w.findPrograms(ctx); err != nil {
		return err
	}
	var err error
	if w.account, err = privatepg.Unprivileged("PgBouncer", "pgbouncer", "postgres", "nobody"); err != nil {
		return err
	}
	if err := w.issueCertificate(); err != nil {
		return err
	}
	return w.startPostgres(ctx)
}

func (w *world) close() error {
	var err error
	if w.postgres != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		err = w.postgres.Stop(ctx)
	}
	return errors.Join(err, os.RemoveAll(w.folder))
}

// raiseDescriptors allows this process and its children as many descriptors as it may have.
func (w *world) raiseDescriptors() error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("read the limit of descriptors: %w", err)
	}
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("raise the limit of descriptors to %d: %w", limit.Max, err)
	}
	w.descriptors = uint64(limit.Cur) //nolint:unconvert // FreeBSD's is signed
	return nil
}

func (w *world) findPrograms(ctx context.Context) error {
	for _, name := range []string{w.candidate, w.reference} {
		switch name {
		case "usher":
			w.usher = absolute(w.usher)
			if _, err := os.Stat(w.usher); err != nil {
				return fmt.Errorf("find usher (make build makes it): %w", err)
			}
			w.versions[name] = "usher " + commit(ctx)
		case "base":
			w.base = absolute(w.base)
			if _, err := os.Stat(w.base); err != nil {
				return fmt.Errorf("find another build of usher (-base names it): %w", err)
			}
			w.versions[name] = "usher at " + w.base
		case "pgbouncer":
			if err := w.findPgBouncer(ctx); err != nil {
				return err
			}
		default:
			return fmt.Errorf("there is no pooler %q: want usher, base or pgbouncer", name)
		}
	}
	return nil
}

func (w *world) findPgBouncer(ctx context.Context) error {
	if w.pgbouncer == "" {
		path, err := exec.LookPath("pgbouncer")
		if err != nil {
			path = "/usr/sbin/pgbouncer" // not in everybody's PATH
		}
		w.pgbouncer = path
	}
	out, err := exec.CommandContext(ctx, w.pgbouncer, "--version").Output()
	if err != nil {
		return fmt.Errorf("find PgBouncer (make bench installs it as root): %w", err)
	}
	w.versions["pgbouncer"], _, _ = strings.Cut(string(out), "\n")
	return nil
}

// commit tells which usher was measured.
func commit(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output()
	if err == nil {
		return strings.TrimSpace(string(out))
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return "of unknown version"
}

func (w *world) issueCertificate() error {
	authority, err := pgtest.NewAuthority("usher bench")
	if err != nil {
		return err
	}
	w.certificate, err = authority.Issue(pgtest.Request{
		Name: "localhost", Hosts: pgtest.Loopback(), RSA: w.rsaKey,
	})
	if err != nil {
		return err
	}
	if err := w.certificate.Save(w.folder, "server"); err != nil {
		return err
	}
	return w.account.Give(w.certificate.KeyFile)
}

func (w *world) startPostgres(ctx context.Context) error {
	progress("starting a private PostgreSQL, pgbench scale %d", w.scale)
	var err error
	w.postgres, err = privatepg.Start(ctx, privatepg.Config{
		Dir: filepath.Join(w.folder, "postgres"),
		Settings: map[string]string{
			"max_connections":      "100",
			"shared_buffers":       "256MB",
			"fsync":                "off",
			"autovacuum":           "off", // would be somewhere in some run
			"max_wal_size":         "4GB",
			"checkpoint_timeout":   "1h",
			"max_parallel_workers": "0",
		},
	})
	if err != nil {
		return err
	}
	w.server = w.postgres.Address()
	if err := w.postgres.CreateDatabase(ctx, database); err != nil {
		return err
	}
	arguments := []string{"-i", "-q", "-s", strconv.Itoa(w.scale), w.postgres.URL(database)}
	if out, err := w.pgbench(ctx, arguments).CombinedOutput(); err != nil {
		return fmt.Errorf("fill pgbench's tables: %w\n%s", err, out)
	}
	statements := fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s'", scramUser, scramPassword)
	if err := w.postgres.Exec(ctx, database, statements); err != nil {
		return err
	}
	return w.readFacts(ctx)
}

// readFacts asks PostgreSQL for its version and the stored secret of the SCRAM user.
func (w *world) readFacts(ctx context.Context) error {
	conn, err := pgconn.Connect(ctx, w.postgres.URL(database))
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer conn.Close(ctx)
	query := "SELECT rolpassword, version() FROM pg_authid WHERE rolname = '" + scramUser + "'"
	results, err := conn.Exec(ctx, query).ReadAll()
	if err != nil {
		return fmt.Errorf("read the secret of the SCRAM user: %w", err)
	}
	w.scramSecret = string(results[0].Rows[0][0])
	w.versions["postgres"], _, _ = strings.Cut(string(results[0].Rows[0][1]), ",")
	return nil
}

func (w *world) pgbench(ctx context.Context, arguments []string) *exec.Cmd {
	program := w.postgres.Program("pgbench")
	if _, err := os.Stat(program); err != nil {
		program = "pgbench"
	}
	cmd := exec.CommandContext(ctx, program, arguments...)
	cmd.Dir = w.folder
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "PG") {
			cmd.Env = append(cmd.Env, entry)
		}
	}
	return cmd
}

// settings are the lines above the table.
func (w *world) settings() []string {
	key := "an ECDSA P-256 key"
	if w.rsaKey {
		key = "a 2048-bit RSA key"
	}
	return []string{
		fmt.Sprintf("%s beside %s, on %s",
			w.versions[w.candidate], w.versions[w.reference], w.versions["postgres"]),
		fmt.Sprintf("%s/%s, %d cores, %s, %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), processor(),
			time.Now().Format("2006-01-02 15:04")),
		fmt.Sprintf("transaction mode, %d server connections, trust, TCP over loopback on both sides, quiet logs; "+
			"TLS 1.2+ with %s, logins by X25519", w.pool, key),
		fmt.Sprintf("pgbench -S, a thread for every %d clients, at least %d, scale %d; "+
			"%d × %d s of each side (twice as long with %s clients); open loop at %.0f %% of the reference's throughput",
			clientsPerThread, fewestThreads, w.scale, w.pairs, w.seconds, thousands(manyClients), 100*w.load),
	}
}

func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown processor"
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
