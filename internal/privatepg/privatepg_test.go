//go:build integration

package privatepg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// openTemp is a temporary folder that an unprivileged user can reach; t.TempDir's parent is closed to others.
func openTemp(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "privatepg-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func config(dir string) Config {
	return Config{Dir: dir, Settings: map[string]string{"fsync": "off", "shared_buffers": "16MB"}}
}

func start(t *testing.T, c Config) *Server {
	t.Helper()
	s, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

func stop(t *testing.T, s *Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Errorf("stop: %v", err)
	}
}

func ask(t *testing.T, url, query string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var answer string
	if err := conn.QueryRow(t.Context(), query).Scan(&answer); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return answer
}

func TestANewFolderIsInitialisedServedAndReused(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(openTemp(t), "pg")
	c := config(dir)
	c.Settings["application_name"] = `it's a \ test`
	s := start(t, c)

	for range 2 { // the second finds it
		if err := s.CreateDatabase(t.Context(), `odd "name"`); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Exec(t.Context(), `odd "name"`, "CREATE TABLE guest AS SELECT 'Ada'::text AS name"); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, s.URL(`odd "name"`), "SHOW application_name"); got != `it's a \ test` {
		t.Errorf("application_name = %q", got)
	}
	if got := ask(t, s.URL("postgres"), "SHOW fsync"); got != "off" {
		t.Errorf("fsync = %q", got)
	}
	socket := fmt.Sprintf("postgres:///postgres?user=postgres&host=%s&port=%d", s.SocketDir(), s.Port())
	if got := ask(t, socket, "SELECT current_user"); got != Superuser {
		t.Errorf("user over the unix socket = %q", got)
	}
	stop(t, s)
	stop(t, s) // twice does no harm

	again := start(t, config(dir))
	if got := ask(t, again.URL(`odd "name"`), "SELECT name FROM guest"); got != "Ada" {
		t.Errorf("after a restart the table holds %q", got)
	}
}

func TestASecondUsherIsRefusedTheFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(openTemp(t), "pg")
	start(t, config(dir))
	_, err := Start(t.Context(), config(dir))
	want := fmt.Sprintf("is held by another usher (process %d)", os.Getpid())
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error = %v, want one with %q", err, want)
	}
}

func TestRestartAndKillKeepThePortAndTheData(t *testing.T) {
	t.Parallel()
	s := start(t, config(filepath.Join(openTemp(t), "pg")))
	if err := s.Exec(t.Context(), "postgres", "CREATE TABLE t AS SELECT 'kept'::text AS v"); err != nil {
		t.Fatal(err)
	}
	port, pid := s.Port(), s.PID()
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.PID() == pid || s.Port() != port {
		t.Errorf("after a restart: process %d at port %d, before: %d at %d", s.PID(), s.Port(), pid, port)
	}
	conn, err := pgx.Connect(t.Context(), s.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	<-s.Exited()
	if err := conn.Ping(t.Context()); err == nil {
		t.Error("a session survived Kill")
	}
	if err := s.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, s.URL("postgres"), "SELECT v FROM t"); got != "kept" {
		t.Errorf("after Kill the table holds %q", got)
	}
}

func TestAServerLeftByAKilledRunIsEndedFirst(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(openTemp(t), "pg")
	s := start(t, config(dir))
	old := s.PID()
	// What a killed usher leaves: no lock, a server that runs.
	if err := syscall.Flock(int(s.lock.Fd()), syscall.LOCK_UN); err != nil {
		t.Fatal(err)
	}
	again := start(t, config(dir))
	select {
	case <-s.Exited():
	case <-time.After(10 * time.Second):
		t.Fatal("the old server still runs")
	}
	if again.PID() == old {
		t.Error("the new server has the old one's process")
	}
	ask(t, again.URL("postgres"), "SELECT 'fine'")
}

func TestAPostmasterPidOfSomebodyElseIsRemoved(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(openTemp(t), "pg")
	stop(t, start(t, config(dir)))
	// The number of a process that lives and is not a PostgreSQL: ours.
	stale := fmt.Appendf(nil, "%d\n%s\n", os.Getpid(), filepath.Join(dir, "data"))
	if err := os.WriteFile(filepath.Join(dir, "data", "postmaster.pid"), stale, 0o600); err != nil {
		t.Fatal(err)
	}
	ask(t, start(t, config(dir)).URL("postgres"), "SELECT 'fine'")
}

func TestAnInterruptedInitdbIsDoneAgain(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(openTemp(t), "pg")
	if err := os.MkdirAll(filepath.Join(dir, "data.new", "base"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "data.new", "PG_VERSION"), []byte("1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ask(t, start(t, config(dir)).URL("postgres"), "SELECT 'fine'")
}

func TestErrorsCarryTheServersLog(t *testing.T) {
	t.Parallel()
	c := config(filepath.Join(openTemp(t), "pg"))
	c.Settings["shared_buffers"] = "a lot"
	var log syncBuffer
	c.Log = &log
	_, err := Start(t.Context(), c)
	const want = `invalid value for parameter "shared_buffers": "a lot"`
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error = %v, want one with %q", err, want)
	}
	if !strings.Contains(log.String(), want) {
		t.Errorf("the log does not hold %q:\n%s", want, log.String())
	}
}

func TestAFolderOfAnotherVersionIsRefused(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(openTemp(t), "pg")
	stop(t, start(t, config(dir)))
	if err := os.WriteFile(filepath.Join(dir, "data", "PG_VERSION"), []byte("7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Start(t.Context(), config(dir))
	if err == nil || !strings.Contains(err.Error(), "was made by PostgreSQL 7, but only") {
		t.Errorf("error = %v", err)
	}
}

func TestStartGivesUpWhenItsContextEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	changedMind := errors.New("changed my mind")
	cancel(changedMind)
	dir := filepath.Join(openTemp(t), "pg")
	if s, err := Start(ctx, config(dir)); err == nil {
		stop(t, s)
		t.Fatal("started in spite of an ended context")
	}
	start(t, config(dir)) // and nothing is left in the way
}

func TestFoldersThatTheUnprivilegedUserCannotReach(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root runs PostgreSQL as somebody else")
	}
	t.Parallel()
	closed := filepath.Join(openTemp(t), "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	c := config(filepath.Join(closed, "pg"))
	_, err := Start(t.Context(), c)
	if err == nil || !strings.Contains(err.Error(), "cannot enter "+closed+" on the way") {
		t.Errorf("error = %v, want the closed folder in it", err)
	}
	c.Elsewhere = filepath.Join(openTemp(t), "elsewhere")
	s := start(t, c)
	if !strings.HasPrefix(s.Dir(), c.Elsewhere+"/") {
		t.Errorf("the folder is %s, want it below %s", s.Dir(), c.Elsewhere)
	}
	ask(t, s.URL("postgres"), "SELECT 'fine'")
}

func TestALongFolderNameHasItsSocketElsewhere(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(openTemp(t), strings.Repeat("long", 30))
	s := start(t, config(dir))
	t.Cleanup(func() { os.RemoveAll(s.SocketDir()) })
	socket := fmt.Sprintf("postgres:///postgres?user=postgres&host=%s&port=%d", s.SocketDir(), s.Port())
	ask(t, socket, "SELECT 'fine'")
}

func TestConfiguredFilesAndHBALinesAreInForce(t *testing.T) {
	t.Parallel()
	c := config(filepath.Join(openTemp(t), "pg"))
	c.HBA = []string{"host all stranger 127.0.0.1/32 reject"}
	c.Files = map[string][]byte{"note.txt": []byte("hello")}
	s := start(t, c)
	if err := s.Exec(t.Context(), "postgres", "CREATE ROLE stranger LOGIN"); err != nil {
		t.Fatal(err)
	}
	_, err := pgconn.Connect(t.Context(), strings.Replace(s.URL("postgres"), Superuser+"@", "stranger@", 1))
	if refusal, ok := errors.AsType[*pgconn.PgError](err); !ok || refusal.Code != "28000" {
		t.Errorf("connecting as stranger: %v, want SQLSTATE 28000", err)
	}
	if got := ask(t, s.URL("postgres"), "SELECT pg_read_file('note.txt')"); got != "hello" {
		t.Errorf("note.txt = %q", got)
	}
}

// TestPostgreSQLDiesWithItsParent runs this test binary again as the parent, kills it, and watches the
// server go.
func TestPostgreSQLDiesWithItsParent(t *testing.T) {
	if dir := os.Getenv("PRIVATEPG_PARENT"); dir != "" {
		s, err := Start(context.Background(), config(dir))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("postmaster=%d\n", s.PID())
		<-s.Exited() // the killing comes first
		return
	}
	t.Parallel()
	dir := filepath.Join(openTemp(t), "pg")
	parent := exec.Command(os.Args[0], "-test.run=^TestPostgreSQLDiesWithItsParent$")
	parent.Env = append(os.Environ(), "PRIVATEPG_PARENT="+dir)
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Fscanf(out, "postmaster=%d\n", &pid); err != nil {
		t.Fatalf("the parent did not say which process its server is: %v", err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	pause := backoff{next: time.Millisecond, most: 50 * time.Millisecond}
	for servesFolder(ctx, pid, filepath.Join(dir, "data")) {
		if err := pause.wait(ctx, nil); err != nil {
			t.Fatalf("process %s outlives its parent", strconv.Itoa(pid))
		}
	}
	ask(t, start(t, config(dir)).URL("postgres"), "SELECT 'fine'")
}

type syncBuffer struct {
	mu     sync.Mutex // guards buffer
	buffer bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}
