package feed

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/calendar"
)

// at fetches what a server answers, at a URL with secrets in all its parts.
func at(t *testing.T, server *httptest.Server, known edition) (edition, error) {
	t.Helper()
	url := strings.Replace(server.URL, "://", "://geheim:geheim@", 1) + "/geheim/basic.ics?token=geheim"
	c := Config{URL: url, Transport: server.Client().Transport}.filled()
	c.Limits.Bytes = 1 << 20
	e, err := c.fetch(t.Context(), known)
	if err != nil && strings.Contains(err.Error(), "geheim") {
		t.Errorf("a secret in the error: %v", err)
	}
	if place := c.Place(); strings.Contains(place, "geheim") || !strings.HasPrefix(place, "http") {
		t.Errorf("place %s", place)
	}
	return e, err
}

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server
}

func TestWhatHasNotChangedIsNotSentAgain(t *testing.T) {
	t.Parallel()
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "geheim" || password != "geheim" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.Header.Get("If-None-Match") == `"v1"` && r.Header.Get("If-Modified-Since") != "" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("ETag", `"v1"`)
		w.Header().Set("Last-Modified", "Sat, 20 Jun 2026 16:00:00 GMT")
		w.Write([]byte(weddings(1)))
	})
	first, err := at(t, server, edition{})
	if err != nil || first.ETag != `"v1"` || first.Format != calendar.ICalendar {
		t.Fatalf("%+v, %v", first, err)
	}
	if _, err := at(t, server, first); !errors.Is(err, errSame) {
		t.Errorf("%v", err)
	}
}

func TestAServerThatMisbehaves(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"not modified since nothing": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(304) }, "answers 304"},
		"gone":                       {http.NotFound, "answers 404 Not Found"},
		"huge": {func(w http.ResponseWriter, _ *http.Request) {
			for range 200 {
				w.Write(make([]byte, 10_000))
			}
		}, "is too large"},
		"says it is huge": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100000000")
		}, "is too large"},
		"a bomb": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			zip := gzip.NewWriter(w)
			for range 300 {
				zip.Write(make([]byte, 10_000))
			}
			zip.Close()
		}, "is too large"},
		"cut off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			w.Write([]byte("BEGIN"))
		}, "unexpected EOF"},
		"hangs up": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
		"in circles": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path+"x", http.StatusFound)
		}, "more than 5 times"},
		"to a file": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "file:///etc/geheim", http.StatusFound)
		}, "what is not https"},
		"to nowhere": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://geheim:port/%zz")
			w.WriteHeader(http.StatusFound)
		}, "is no URL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := at(t, serve(t, tt.handler), edition{}); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

func TestARedirectTellsNobodyWhereItIsFrom(t *testing.T) {
	t.Parallel()
	other := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Referer") != "" || r.Header.Get("Authorization") != "" {
			t.Errorf("another server is told %v", r.Header)
		}
		w.Write([]byte(weddings(2)))
	})
	// The same address by another name is another host.
	elsewhere := strings.Replace(other.URL, "127.0.0.1", "localhost", 1)
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere, http.StatusFound)
	})
	if e, err := at(t, server, edition{}); err != nil || len(e.data) == 0 {
		t.Errorf("%v", err)
	}
}

func TestWhatIsEncryptedStaysSo(t *testing.T) {
	t.Parallel()
	plain := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("asked without encryption") })
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, plain.URL, http.StatusFound)
	}))
	t.Cleanup(server.Close)
	if _, err := at(t, server, edition{}); err == nil || !strings.Contains(err.Error(), "what is not https") {
		t.Errorf("%v", err)
	}
}

func TestAnUntrustedServerIsRefused(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	c := Config{URL: server.URL + "/geheim"}.filled()
	if _, err := c.fetch(t.Context(), edition{}); err == nil || !strings.Contains(err.Error(), "certificate") ||
		strings.Contains(err.Error(), "geheim") {
		t.Errorf("%v", err)
	}
}

func TestFormatsOfAnswers(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]calendar.Format{
		"text/csv; charset=utf-8": calendar.CSV,
		"application/yaml":        calendar.YAML,
		"text/calendar":           calendar.ICalendar,
		"":                        calendar.ICalendar,
	} {
		server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.Write([]byte("start,end\n"))
		})
		if e, err := at(t, server, edition{}); err != nil || e.Format != want {
			t.Errorf("%q: %s, %v", kind, e.Format, err)
		}
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	now := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	const yaml = "- {start: 2000-01-02, end: 2000-01-02}\n- {start: 2000-01-03, end: 2000-01-03}"
	for path, want := range map[string]string{
		file("a.ics", weddings(2)): "",
		file("a.csv", "start,end\n2000-01-02,2000-01-02\n2000-01-03,2000-01-03\n"): "",
		file("a.yaml", yaml):                         "",
		file("large.ics", strings.Repeat("x", 2000)): "large.ics: is too large",
		file("none.ics", "x"):                        "none.ics is no iCalendar",
		dir:                                          "is no regular file",
		pipe:                                         "is no regular file",
		"/no/such":                                   "/no/such: read file: no such file",
	} {
		c := Config{File: path}
		c.Limits.Bytes = 1000
		reading, err := Read(context.Background(), c, now)
		if want == "" && (err != nil || len(reading.Events) != 2) {
			t.Errorf("%s: %d events, %v", path, len(reading.Events), err)
		}
		if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

func TestADSNIsNotRepeated(t *testing.T) {
	t.Parallel()
	for _, dsn := range []string{
		"postgres://u:geheim@h:x/d", "password=geheim port=x", "postgres://u:geheim@127.0.0.1:1/d",
	} {
		_, err := Read(t.Context(), Config{DSN: dsn, Query: "SELECT 1"}, time.Now())
		if err == nil || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%v", err)
		}
	}
}

// FuzzKept holds that whatever stands in the kept file, it is refused or is what was kept.
func FuzzKept(f *testing.F) {
	c := Config{URL: "https://x.example.com/"}.filled()
	f.Add([]byte("{}\n"))
	f.Add([]byte(`{"usher_calendar":1,"source":"` + c.source() + `","sum":"` + sum(nil) + `","format":"csv"}` + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c := c
		c.Keep = filepath.Join(t.TempDir(), "kept")
		if err := os.WriteFile(c.Keep, data, 0o600); err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		if e, err := c.load(now); err == nil && e.Fetched.After(now) {
			t.Errorf("%+v", e)
		}
	})
}
