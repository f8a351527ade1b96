package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/usher-pg/usher/internal/status"
)

// Limits of the server; ours. They are wide for a scrape and narrow for a client that dawdles.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 10 * time.Second
	writeTimeout      = 30 * time.Second
	idleTimeout       = 2 * time.Minute // beyond the usual scrape interval, so that scrapers keep their connection
	maxHeaderBytes    = 16 << 10
	maxConnections    = 128
	snapshotTimeout   = 5 * time.Second
	readyTimeout      = 2 * time.Second // kubelets and balancers give up after a few seconds
	drainTimeout      = 5 * time.Second
)

// Config is what a Server needs.
type Config struct {
	Listener net.Listener // Run closes it
	Source   status.Source
	Foresees Foreseer
	Metrics  http.Handler
	Operator Operator
	// Token is what an operator must send; empty: nobody can order anything. It is asked for each time.
	Token func() string
	Log   *slog.Logger
}

// Server is the HTTP server.
type Server struct {
	config Config
}

// New is a Server, not yet running.
func New(config Config) *Server { return &Server{config: config} }

// Run serves until ctx ends, lets answers under way finish, and returns nil; or the error that ended it earlier.
func (s *Server) Run(ctx context.Context) error {
	server := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.config.Log.Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(limitListener(s.config.Listener, maxConnections)) }()

	select {
	case err := <-failed:
		return fmt.Errorf("serve http: %w", err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := server.Shutdown(drain); err != nil {
		s.config.Log.Warn("http answers cut off", slog.Any("error", err))
		_ = server.Close()
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve http: %w", err)
	}
	return nil
}

// Handler answers the requests.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.health)
	mux.HandleFunc("GET /readyz", s.ready)
	mux.HandleFunc("GET /api/v1/status", s.status)
	mux.HandleFunc("GET /metrics", s.metrics)
	mux.HandleFunc("GET /api/v1/pools/{pool}/forecast", s.forecast)
	mux.HandleFunc("POST "+emergencyPath, s.emergency)
	mux.HandleFunc("POST "+scalePath, s.scale)
	return guarded(mux)
}

// guarded refuses bodies where nothing reads them, and keeps answers out of caches and browsers' imagination.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Cache-Control", "no-store")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Content-Security-Policy", "default-src 'none'")
		order := r.Method == http.MethodPost && (r.URL.Path == emergencyPath || r.URL.Path == scalePath)
		if r.ContentLength != 0 && !order {
			header.Set("Connection", "close")
			answerText(w, http.StatusRequestEntityTooLarge, "a body is not wanted")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) health(w http.ResponseWriter, _ *http.Request) { answerText(w, http.StatusOK, "ok") }

func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	snapshot, err := s.snapshot(r, status.SectionPools|status.SectionListeners, readyTimeout)
	if err != nil {
		answerText(w, http.StatusServiceUnavailable, "not ready: status not available")
		return
	}
	if ready, why := Ready(snapshot); !ready {
		answerText(w, http.StatusServiceUnavailable, "not ready: "+why)
		return
	}
	answerText(w, http.StatusOK, "ready")
}

func (s *Server) status(w http.ResponseWriter, r *http.Request) {
	sections := status.SummarySections
	asked, err := query(r)
	if err != nil {
		answerText(w, http.StatusBadRequest, err.Error())
		return
	}
	if list := asked.Get("sections"); list != "" {
		if sections, err = status.ParseSections(list); err != nil {
			answerText(w, http.StatusBadRequest, err.Error())
			return
		}
	}
	snapshot, err := s.snapshot(r, sections, snapshotTimeout)
	if err != nil {
		answerText(w, http.StatusServiceUnavailable, "status not available")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(snapshot); err != nil {
		s.config.Log.Debug("status not written", slog.Any("error", err))
	}
}

func (s *Server) metrics(w http.ResponseWriter, r *http.Request) {
	if _, err := query(r); err != nil {
		answerText(w, http.StatusBadRequest, err.Error())
		return
	}
	s.config.Metrics.ServeHTTP(w, r)
}

// query is the parameters of a request. A parameter that cannot be read, or one with a semicolon, which separates
// parameters for some clients, is an error: URL.Query leaves it out, and another question would be answered than was
// asked.
func query(r *http.Request) (url.Values, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("the parameters cannot be read: expected name=value, separated by &, and %%3B for a "+
			"semicolon: %w", err)
	}
	return values, nil
}

func (s *Server) snapshot(r *http.Request, sections status.Sections, timeout time.Duration) (*status.Snapshot, error) {
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	snapshot, err := s.config.Source.Snapshot(ctx, sections)
	if err != nil {
		s.config.Log.Error("no status for a web request", slog.Any("error", err))
		return nil, fmt.Errorf("gather status: %w", err)
	}
	return snapshot, nil
}

func answerText(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write([]byte(text + "\n"))
}
