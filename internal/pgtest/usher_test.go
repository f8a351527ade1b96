package pgtest

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// standIn does what StartUsher expects of usher: it listens where its config says, serves metrics, logs a
// reload, and ends on SIGTERM. With `taken: true` it fails as if its port were taken, once.
func standIn(configFile string) int {
	text, err := os.ReadFile(configFile)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	marker := configFile + ".tried"
	if _, err := os.Stat(marker); err != nil && strings.Contains(string(text), "taken: true") {
		fmt.Println("listen: bind: address already in use")
		_ = os.WriteFile(marker, nil, 0o600)
		return 1
	}
	web, err := net.Listen("tcp", configured(text, "http: "))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	go func() {
		_ = http.Serve(web, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "# HELP x y\nclients{pool=\"a\"} 3\nclients 4.5\n")
		}))
	}()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGHUP)
	if _, err := net.Listen("tcp", configured(text, "listen: [")); err != nil {
		fmt.Println(err)
		return 1
	}
	for s := range signals {
		if s == syscall.SIGTERM {
			fmt.Println("the end")
			return 0
		}
		text, _ := os.ReadFile(configFile)
		fmt.Printf("reload: %s\n", regexp.MustCompile(`mark: \w+`).Find(text))
	}
	return 1
}

func configured(text []byte, key string) string {
	_, rest, _ := strings.Cut(string(text), key)
	return strings.Split(rest, `"`)[1]
}

func startStandIn(t *testing.T, config string) *Usher {
	t.Helper()
	t.Setenv("USHER_TEST_BIN", os.Args[0])
	return StartUsher(t, config)
}

func TestUsherIsStartedReloadedMeasuredAndStopped(t *testing.T) {
	u := startStandIn(t, "mark: one\nfolder: $DIR\n")
	if text, err := os.ReadFile(u.ConfigFile); err != nil || !strings.Contains(string(text), "folder: "+u.Dir) {
		t.Errorf("config %q, %v", text, err)
	}
	u.WriteConfig("mark: two\n")
	u.Signal(syscall.SIGHUP)
	if line := u.AwaitLog(t.Context(), `^reload: mark: \w+$`); line != "reload: mark: two" {
		t.Errorf("after a reload: %q", line)
	}
	if status, _ := u.Get(t.Context(), "/healthz"); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	for name, want := range map[string]float64{`clients{pool="a"}`: 3, "clients": 4.5} {
		if got := u.Metric(t.Context(), name); got != want {
			t.Errorf("%s = %v, want %v", name, got, want)
		}
	}
	if want := "postgres://ada@" + u.Addr + "/db?sslmode=disable"; u.URL("ada", "db") != want {
		t.Errorf("URL = %s, want %s", u.URL("ada", "db"), want)
	}
	if err := u.Stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	if !strings.HasSuffix(u.Log(), "the end\n") {
		t.Errorf("log: %q", u.Log())
	}
}

func TestAStartIsTriedAgainWhenItsPortIsTaken(t *testing.T) {
	u := startStandIn(t, "taken: true\n")
	conn, err := net.Dial("tcp", u.Addr)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	u.Kill()
	if u.err == nil || !strings.Contains(u.err.Error(), "killed") {
		t.Errorf("a killed process ended with %v", u.err)
	}
}
