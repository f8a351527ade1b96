package brain

import (
	"time"

	"github.com/usher-pg/usher/internal/config"
	"github.com/usher-pg/usher/internal/forecast"
	"github.com/usher-pg/usher/internal/scaler"
)

// zoneOf is the platform's time zone.
func zoneOf(c *config.Config) *time.Location { return loadZone(c.Timezone) }

// loadZone is a zone of the configuration, which has checked its name.
func loadZone(name string) *time.Location {
	zone, err := time.LoadLocation(name)
	if err != nil {
		panic("bug: a time zone that the configuration does not take: " + name)
	}
	return zone
}

// priors are the configuration's rush hours.
func priors(c *config.Config) []forecast.Prior {
	var list []forecast.Prior
	for _, rush := range c.RushHours {
		for _, name := range rush.Days {
			day := config.Weekday(name)
			list = append(list, forecast.Prior{
				Name: day.String() + " " + rush.From.String() + " to " + rush.To.String(), Day: day,
				From: time.Duration(rush.From) * time.Minute, To: time.Duration(rush.To) * time.Minute,
				Multiple: rush.Times,
			})
		}
	}
	return list
}

// quantiles are those forecasts have, by their names in the configuration.
var quantiles = map[config.Quantile]float64{config.P50: 0.5, config.P90: 0.9, config.P95: 0.95}

var modes = map[config.ScalingMode]scaler.Mode{
	config.ScalingOff: scaler.Off, config.ScalingObserve: scaler.Observe, config.ScalingScale: scaler.Scale,
}

// scalingRules are what an operator has decided about a pool's size. most is what the tuner finds useful; 0: all.
func scalingRules(p *Pool, most int) scaler.Rules {
	s, size := &p.Options.Scaling, &p.Options.Size
	r := scaler.Defaults(size.Min, size.Max)
	r.Mode, r.Cap, r.Priority = modes[s.Mode], most, s.Priority
	r.Quantile = quantiles[s.Quantile]
	r.Lead, r.Hold = s.Lead, s.Hold
	r.Reactive, r.Goal.Utilisation = float64(s.Reactive)/100, float64(s.Utilisation)/100
	return r
}

// poolOf is the pool of the configuration that serves a database.
func poolOf(c *config.Config, database string) string {
	if _, ok := c.Pools[database]; ok {
		return database
	}
	return config.Fallback
}

// forecastRules are what an operator knows about a pool's demand.
func forecastRules(c *config.Config, p *Pool) forecast.Rules {
	return forecast.Rules{Priors: priors(c), Normal: float64(p.Options.Scaling.Normal)}
}
