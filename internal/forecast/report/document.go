package report

import (
	"time"

	"github.com/usher-pg/usher/internal/forecast"
)

// DocumentVersion changes when the model does, so that readers of documents know forecasts apart.
const DocumentVersion = 1

// Document is a forecast as other programs read it.
type Document struct {
	Pool     string    `json:"pool"`
	Issued   time.Time `json:"issued_at"`
	Until    time.Time `json:"valid_until"`
	Timezone string    `json:"timezone"`
	Model    struct {
		Version int     `json:"version"`
		Rung    int     `json:"rung"`
		Stands  string  `json:"stands_on"`
		Days    float64 `json:"history_days"`
	} `json:"model"`
	Absent   string           `json:"absent,omitempty"`
	Notes    []string         `json:"notes,omitempty"`
	Points   []DocumentPoint  `json:"points"`
	Spikes   []forecast.Spike `json:"spikes"`
	Accuracy *Accuracy        `json:"accuracy,omitempty"`
}

// DocumentPoint is a point with what will be done about it; target 0 where nobody has said.
type DocumentPoint struct {
	forecast.Point
	Seconds float64 `json:"width"` // in place of the point's own, which would be nanoseconds
	Target  int     `json:"target,omitempty"`
	Action  string  `json:"action,omitempty"`
}

// Describe makes the document of a forecast up to a horizon; 0: all of it. Whoever sets sizes fills in the targets.
func Describe(f *forecast.Forecast, a *Accuracy, horizon time.Duration) Document {
	d := Document{
		Pool: f.Pool, Issued: f.Issued, Until: f.Until, Timezone: zoneOf(f.Zone).String(), Absent: f.Absent,
		Notes: f.Notes, Spikes: []forecast.Spike{}, Points: []DocumentPoint{}, Accuracy: a,
	}
	d.Model.Version, d.Model.Rung, d.Model.Stands, d.Model.Days = DocumentVersion, int(f.Rung), f.Rung.String(), f.Days
	end := f.Issued.Add(horizon)
	for i := range f.Points {
		if p := &f.Points[i]; horizon <= 0 || p.Start.Before(end) {
			d.Points = append(d.Points, DocumentPoint{Point: *p, Seconds: p.Width.Seconds()})
		}
	}
	for _, s := range f.Spikes {
		if horizon <= 0 || s.Start.Before(end) {
			d.Spikes = append(d.Spikes, s)
		}
	}
	return d
}
