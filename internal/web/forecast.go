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

// Foreseer says what is expected. It answers from memory, at once, and several may ask at a time.
type Foreseer interface {
	// ForecastOf is what is expected of the pool of a database until ahead from now, or of a user's where each has one; a
	// user of "" is the first. false: there is no such pool now.
	ForecastOf(database, user string, ahead time.Duration) (status.Forecast, bool)
}

// forecast answers /api/v1/pools/{pool}/forecast: what is expected of the pool of a database, and what is planned.
// Where each user has a pool, ?user= says whose; without it, it is the first one's.
func (s *Server) forecast(w http.ResponseWriter, r *http.Request) {
	horizon := defaultHorizon
	asked, err := query(r)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	if text := asked.Get("horizon"); text != "" {
		if horizon, err = time.ParseDuration(text); err != nil || horizon <= 0 || horizon > maxHorizon {
			refuse(w, http.StatusBadRequest, fmt.Sprintf("horizon must be a duration up to %v, such as 24h", maxHorizon))
			return
		}
	}
	f, ok := s.config.Foresees.ForecastOf(r.PathValue("pool"), asked.Get("user"), horizon)
	if !ok {
		refuse(w, http.StatusNotFound, "there is no such pool now")
		return
	}
	answerJSON(w, http.StatusOK, f)
}
