//go:build integration

package conformance

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// usherProcess is a running bin/usher.
type usherProcess struct {
	host    string
	port    int
	sockets string // folder of its unix socket
	http    string // base URL of its HTTP server
	folder  string
	log     *logFile
	command *exec.Cmd
	exited  chan struct{} // closed when the process has ended
}

// sharedUsher is the one usher that most tests use, started by the first of them.
type sharedUsher struct {
	once    sync.Once
	process *usherProcess
	err     error
}

var shared sharedUsher

// sharedPools: the pools differ in mode and in size. Two server connections and several clients make server
// connections change hands at every transaction.
const sharedPools = `
admin_users: [postgres]
pools:
  transaction: {url: "{{url}}", mode: transaction, size: {max: 6}}
  wire:        {url: "{{url}}", mode: transaction, size: {max: 24}}
  narrow:      {url: "{{url}}", mode: transaction, size: {max: 8}, prepared_statements: 5}
  two:         {url: "{{url}}", mode: transaction, size: {max: 2}}
  one:         {url: "{{url}}", mode: transaction, size: {max: 1}}
  session:     {url: "{{url}}", mode: session, size: {max: 20}}
  statement:   {url: "{{url}}", mode: statement, size: {max: 3}}
  "*":         {url: "{{server}}", mode: transaction, size: {max: 4}}
`

func (s *sharedUsher) start(t testing.TB) *usherProcess {
	t.Helper()
	s.once.Do(func() {
		s.process, s.err = launchUsher(os.TempDir(), fill(sharedPools, postgres.URL(database)))
	})
	if s.err != nil {
		t.Fatal(s.err)
	}
	select {
	case <-s.process.exited:
		t.Fatalf("the shared usher has ended; its log:\n%s", s.process.log.tail())
	default:
	}
	return s.process
}

func (s *sharedUsher) stop() {
	if s.process != nil {
		s.process.stop()
		os.RemoveAll(s.process.folder)
	}
}

// fill puts the address of a PostgreSQL into a configuration.
func fill(config, databaseURL string) string {
	server := databaseURL[:strings.LastIndex(databaseURL, "/"+database)]
	return strings.NewReplacer("{{url}}", databaseURL, "{{server}}", server).Replace(config)
}

// startUsher starts one for a single test. The configuration lacks listen and http, and auth if it is trust.
func startUsher(t testing.TB, config string) *usherProcess {
	t.Helper()
	onlyUsherTB(t)
	process, err := launchUsher(t.TempDir(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		process.stop()
		if t.Failed() {
			t.Logf("end of usher's log:\n%s", process.log.tail())
		}
	})
	return process
}

func onlyUsherTB(t testing.TB) {
	if !targetNames()["usher"] {
		t.Skip("USHER_TARGETS does not ask for usher")
	}
}

func usherBinary() string {
	if path := os.Getenv("USHER_BINARY"); path != "" {
		return path
	}
	return filepath.Join("..", "bin", "usher")
}

// launchUsher writes the configuration, starts the process and waits until it serves.
func launchUsher(parent, config string, wrap ...string) (*usherProcess, error) {
	binary, err := filepath.Abs(usherBinary())
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp(parent, "usher-")
	if err != nil {
		return nil, err
	}
	u := &usherProcess{host: "127.0.0.1", folder: folder, sockets: folder, exited: make(chan struct{})}
	httpPort := 0
	if u.port, httpPort, err = freePorts(); err != nil {
		return nil, err
	}
	u.http = fmt.Sprintf("http://127.0.0.1:%d", httpPort)
	if u.log, err = openLog(folder); err != nil {
		return nil, err
	}
	path := filepath.Join(folder, "usher.yaml")
	if err := os.WriteFile(path, []byte(u.preamble(httpPort, config)+config), 0o600); err != nil {
		return nil, err
	}
	arguments := append(append([]string{}, wrap...), binary, "serve", "--config", path)
	u.command = exec.Command(arguments[0], arguments[1:]...)
	u.command.Stdout, u.command.Stderr = u.log, u.log
	if err := u.command.Start(); err != nil {
		return nil, fmt.Errorf("start usher: %w", err)
	}
	go func() {
		u.command.Wait()
		close(u.exited)
	}()
	return u, u.awaitReady()
}

// preamble is what every configuration begins with.
func (u *usherProcess) preamble(httpPort int, config string) string {
	text := fmt.Sprintf("listen: [\"127.0.0.1:%d\", \"unix:%s/.s.PGSQL.%d\"]\nhttp: \"127.0.0.1:%d\"\n",
		u.port, u.sockets, u.port, httpPort)
	if !strings.Contains(config, "auth:") {
		text += "auth: {type: trust}\n"
	}
	return text
}

// freePorts finds two ports nobody listens at. They may be taken before usher does; then the test fails loudly.
func freePorts() (first, second int, err error) {
	var listeners [2]net.Listener
	for i := range listeners {
		if listeners[i], err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return 0, 0, err
		}
		defer listeners[i].Close()
	}
	port := func(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }
	return port(listeners[0]), port(listeners[1]), nil
}

func (u *usherProcess) awaitReady() error {
	err := poll(15*time.Second, func() bool {
		select {
		case <-u.exited:
			return true
		default:
		}
		answer, err := http.Get(u.http + "/readyz")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
	select {
	case <-u.exited:
		return fmt.Errorf("usher ended while it started; its log:\n%s", u.log.tail())
	default:
	}
	if err != nil {
		u.stop()
		return fmt.Errorf("usher is not ready %w; its log:\n%s", err, u.log.tail())
	}
	return nil
}

// stop ends the process the quick way (SIGQUIT is immediate, as PgBouncer's).
func (u *usherProcess) stop() {
	u.command.Process.Signal(syscall.SIGQUIT)
	select {
	case <-u.exited:
	case <-time.After(5 * time.Second):
		u.command.Process.Kill()
		<-u.exited
	}
	u.log.close()
}

func (u *usherProcess) pid() int { return u.command.Process.Pid }

// descriptors counts the open files of the process.
func (u *usherProcess) descriptors(tb testing.TB) int {
	tb.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", u.pid()))
	if err != nil {
		tb.Fatalf("count descriptors: %v", err)
	}
	return len(entries)
}

// metric reads one sample without labels from /metrics.
func (u *usherProcess) metric(tb testing.TB, name string) float64 {
	tb.Helper()
	answer, err := http.Get(u.http + "/metrics")
	if err != nil {
		tb.Fatalf("read metrics: %v", err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		tb.Fatalf("read metrics: %v", err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+" "); ok {
			number, err := strconv.ParseFloat(value, 64)
			if err != nil {
				tb.Fatalf("metric %s: %v", name, err)
			}
			return number
		}
	}
	tb.Fatalf("no metric %s", name)
	return 0
}

// goroutines counts them. The goroutines of the request itself are the same each time.
func (u *usherProcess) goroutines(tb testing.TB) int {
	tb.Helper()
	return int(u.metric(tb, "go_goroutines"))
}

// logFile keeps a log on disk and remembers its end.
type logFile struct {
	mu   sync.Mutex // guards the rest; a write to the file under it is short
	file *os.File
	end  []byte
}

func openLog(folder string) (*logFile, error) {
	if keep := os.Getenv("USHER_KEEP_LOGS"); keep != "" {
		folder = keep
	}
	file, err := os.CreateTemp(folder, "usher-*.log")
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return &logFile{file: file}, nil
}

func (l *logFile) Write(text []byte) (int, error) {
	const kept = 8 << 10
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end = append(l.end, text...)
	if len(l.end) > 2*kept {
		l.end = bytes.Clone(l.end[len(l.end)-kept:])
	}
	return l.file.Write(text)
}

func (l *logFile) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.end)
}

func (l *logFile) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.file.Close()
}
