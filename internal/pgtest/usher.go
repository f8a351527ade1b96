package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	// usherPackage is what StartUsher builds.
	usherPackage = "github.com/usher-pg/usher/cmd/usher"
	// usherPatience is how long usher may take to listen.
	usherPatience = 20 * time.Second
	// raceOptions: a -race build of usher exits with 66 if it has found a data race. At its end it waits 50 ms for races
	// of goroutines that are left over, and not a second as it would, which was most of what many tests took.
	raceOptions = "GORACE=halt_on_error=0 exitcode=66 atexit_sleep_ms=50"
	// portAttempts is how often a start is tried again because somebody took the ports we had found free.
	portAttempts = 5
)

// Usher is a running usher. It is stopped at the end of its test, which fails if usher crashed, found a
// bug of its own, or (in a -race build) a data race.
type Usher struct {
	Addr       string // where clients connect, host:port
	HTTP       string // where /metrics and /readyz are, host:port
	Dir        string // a folder of its own
	ConfigFile string

	t       testing.TB
	command *exec.Cmd
	log     *transcript
	exited  chan struct{} // closed when the process has ended
	err     error         // how; to be read after exited
}

// StartUsher starts usher with a config and returns when it listens. In the config, $LISTEN and $HTTP
// stand for addresses that are free, $DIR for a folder of its own; a config without `listen:` or `http:`
// gets these. So the shortest config is its pools.
func StartUsher(t testing.TB, config string) *Usher {
	t.Helper()
	binary := buildUsher(t)
	dir := Folder(t)
	for attempt := 1; ; attempt++ {
		u, err := launchUsher(t, binary, dir, config)
		if err == nil {
			return u
		}
		if attempt == portAttempts || !strings.Contains(u.Log(), "address already in use") {
			t.Fatalf("start usher: %v; its log:\n%s", err, u.Log())
		}
	}
}

// buildUsher builds the binary once, with the race detector if the tests have it.
func buildUsher(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("USHER_TEST_BIN"); path != "" {
		return path
	}
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.usher == "" && shared.usherError == nil {
		path := filepath.Join(sharedFolder(t), "usher")
		args := []string{"build", "-o", path}
		if raceEnabled {
			args = append(args, "-race")
		}
		out, err := exec.Command("go", append(args, usherPackage)...).CombinedOutput()
		if err != nil {
			shared.usherError = fmt.Errorf("build usher: %w\n%s", err, out)
		} else {
			shared.usher = path
		}
	}
	if shared.usherError != nil {
		t.Fatal(shared.usherError)
	}
	return shared.usher
}

func launchUsher(t testing.TB, binary, dir, config string) (*Usher, error) {
	t.Helper()
	u := &Usher{
		Addr: freeAddress(t), HTTP: freeAddress(t), Dir: dir, ConfigFile: filepath.Join(dir, "usher.yaml"),
		t: t, log: newTranscript(), exited: make(chan struct{}),
	}
	u.WriteConfig(config)
	u.command = exec.Command(binary, "serve", "--config", u.ConfigFile)
	u.command.Dir = dir
	u.command.Stdout, u.command.Stderr = u.log, u.log
	u.command.Env = append(os.Environ(), raceOptions)
	u.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithTests(u.command.SysProcAttr)
	if err := u.run(); err != nil {
		return u, err
	}
	if err := u.awaitListen(); err != nil {
		_ = u.command.Process.Kill()
		<-u.exited
		return u, err
	}
	t.Cleanup(u.finish)
	return u, nil
}

// run starts the process and waits for its end in the background, on one thread: the kernel ties the death
// signal of dieWithTests to the thread that started the child.
func (u *Usher) run() error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := u.command.Start()
		started <- err
		if err == nil {
			u.err = u.command.Wait()
			close(u.exited)
		}
	}()
	return <-started
}

func (u *Usher) awaitListen() error {
	ctx, cancel := context.WithTimeout(context.Background(), usherPatience)
	defer cancel()
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", u.Addr)
		if err == nil {
			return conn.Close()
		}
		timer := time.NewTimer(pause)
		select {
		case <-u.exited:
			return fmt.Errorf("it ended at once: %w", u.err)
		case <-ctx.Done():
			return fmt.Errorf("it does not listen at %s after %v: %w", u.Addr, usherPatience, err)
		case <-timer.C:
		}
	}
}

// WriteConfig replaces the config file; usher reads it when it is told to.
func (u *Usher) WriteConfig(config string) {
	u.t.Helper()
	if !regexp.MustCompile(`(?m)^http:`).MatchString(config) {
		config = "http: \"$HTTP\"\n" + config
	}
	if !regexp.MustCompile(`(?m)^listen:`).MatchString(config) {
		config = "listen: [\"$LISTEN\"]\n" + config
	}
	config = strings.NewReplacer("$LISTEN", u.Addr, "$HTTP", u.HTTP, "$DIR", u.Dir).Replace(config)
	if err := os.WriteFile(u.ConfigFile, []byte(config), 0o600); err != nil {
		u.t.Fatal(err)
	}
}

// URL of a database through usher, for a user who needs no password.
func (u *Usher) URL(user, database string) string {
	address := url.URL{
		Scheme: "postgres", User: url.User(user), Host: u.Addr, Path: "/" + database,
		RawQuery: "sslmode=disable",
	}
	return address.String()
}

// PID of the process.
func (u *Usher) PID() int { return u.command.Process.Pid }

// Exited is closed when usher has ended.
func (u *Usher) Exited() <-chan struct{} { return u.exited }

// Signal sends a signal to usher.
func (u *Usher) Signal(signal os.Signal) {
	u.t.Helper()
	if err := u.command.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		u.t.Errorf("send %v to usher: %v", signal, err)
	}
}

// Stop ends usher at once (SIGTERM) and returns how its process ended: nil for exit code 0.
func (u *Usher) Stop() error {
	u.t.Helper()
	u.Signal(syscall.SIGTERM)
	timer := time.NewTimer(stopPatience)
	defer timer.Stop()
	select {
	case <-u.exited:
	case <-timer.C:
		u.Signal(syscall.SIGQUIT) // Go prints its goroutines
		<-u.exited
		return fmt.Errorf("usher did not stop within %v after SIGTERM", stopPatience)
	}
	return u.err
}

// Kill ends usher as a crash would.
func (u *Usher) Kill() {
	u.t.Helper()
	u.Signal(syscall.SIGKILL)
	<-u.exited
}

// Log is what usher has written so far.
func (u *Usher) Log() string { return u.log.String() }

// AwaitLog waits until usher has written a line that matches, and returns it.
func (u *Usher) AwaitLog(ctx context.Context, pattern string) string {
	u.t.Helper()
	line, err := u.log.await(ctx, regexp.MustCompile(pattern))
	if err != nil {
		u.t.Fatalf("wait for %q in the log: %v; the log:\n%s", pattern, err, u.Log())
	}
	return line
}

// Get fetches a path from usher's HTTP address.
func (u *Usher) Get(ctx context.Context, path string) (status int, body string) {
	u.t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+u.HTTP+path, http.NoBody)
	if err != nil {
		u.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		u.t.Fatalf("get %s: %v", path, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		u.t.Fatalf("read %s: %v", path, err)
	}
	return response.StatusCode, string(text)
}

// Metric reads one sample from /metrics; name includes its labels as they are printed.
func (u *Usher) Metric(ctx context.Context, name string) float64 {
	u.t.Helper()
	_, body := u.Get(ctx, "/metrics")
	for line := range strings.Lines(body) {
		value, found := strings.CutPrefix(line, name+" ")
		if !found {
			continue
		}
		number, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil {
			u.t.Fatalf("metric %s: %v", name, err)
		}
		return number
	}
	u.t.Fatalf("no metric %s in:\n%s", name, body)
	return 0
}

// finish stops usher at the end of its test and looks for signs of trouble.
func (u *Usher) finish() {
	u.t.Helper()
	select {
	case <-u.exited: // the test ended it
	default:
		if err := u.Stop(); err != nil {
			u.t.Errorf("stop usher: %v", err)
		}
	}
	log := []byte(u.Log())
	for _, trouble := range []string{"DATA RACE", "panic: ", "fatal error: ", "bug: "} {
		if bytes.Contains(log, []byte(trouble)) {
			u.t.Errorf("usher's log contains %q", trouble)
		}
	}
	if u.t.Failed() {
		u.t.Logf("usher's log:\n%s", log)
	}
}

func freeAddress(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}
