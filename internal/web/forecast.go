package web

import (
	"fmt"
	"net/http"
	"time"

	"github.com/usher-pg/usher/internal/status"
)

// Limits of ?horizon=; a forecast reaches 14 days.
const (
	defaultHorizon = 24 * time.Hour
	maxHorizon     = 14 * 24 * time.Hour
)

// forecast answers /api/v1/pools/{pool}/forecast: what is expected of the pool of a database, and what is planned.
// Where each user has a pool, ?user= says whose; without it, it is the first one's.
func (s *Server) forecast(w http.ResponseWriter, r *http.Request) {
	horizon := defaultHorizon
	if text := r.URL.Query().Get("horizon"); text != "" {
		var err error
		if horizon, err = time.ParseDuration(text); err != nil || horizon <= 0 || horizon > maxHorizon {
			refuse(w, http.StatusBadRequest, fmt.Sprintf("horizon must be a duration up to %v, such as 24h", maxHorizon))
			return
		}
	}
	snapshot, err := s.snapshot(r, status.SectionForecasts, snapshotTimeout)
	if err != nil {
		refuse(w, http.StatusServiceUnavailable, "status not available")
		return
	}
	user := r.URL.Query().Get("user")
	for i := range snapshot.Forecasts {
		f := &snapshot.Forecasts[i]
		if f.Database == r.PathValue("pool") && (user == "" || f.User == user) {
			f.Limit(snapshot.Now.Add(horizon))
			answerJSON(w, http.StatusOK, f)
			return
		}
	}
	refuse(w, http.StatusNotFound, "there is no such pool now")
}
