package forecast

import (
	"math"
	"time"
)

// Calibration is by how much quantiles must be wider or narrower than residuals of the past say, so that they hold what
// they promise: learned from forecasts as issued and what came. The zero value is as residuals say. It is adaptive
// conformal inference (Gibbs and Candès 2021) on the width rather than the level, which has no end at the largest
// residual ever seen.
type Calibration struct {
	// Logs are logarithms of factors by horizon, class and quantile.
	Logs [horizons][classes][quantiles]float64 `json:"logs"`
}

// The quantiles besides the middle.
const (
	low = iota
	high
	higher
	quantiles
)

// levels are what the quantiles promise: the share of demand that is below.
var levels = [quantiles]float64{0.05, 0.90, 0.95}

const (
	// calibrationGain is by how much the logarithm of a width moves for each part of promises not held, once a day.
	calibrationGain = 1.0
	// calibrationMost bounds the logarithm.
	calibrationMost = 1.5
	// calibrationFull is how many points of a class a lesson needs to count fully.
	calibrationFull = 24
)

func (c *Calibration) factor(horizon, class, quantile int) float64 {
	v := c.Logs[horizon][class][quantile]
	if math.IsNaN(v) {
		return 1
	}
	return math.Exp(clip(v, calibrationMost))
}

// Lookup says what mean demand was from start for width, whether that is a lower bound, and whether it is known.
type Lookup func(start time.Time, width time.Duration) (mean float64, cut, ok bool)

// Learn returns what the points of a forecast from a time until another teach, now that it is known what came. Give
// each stretch of time once for each horizon, in the order of time.
func (c Calibration) Learn(f *Forecast, came Lookup, from, until time.Time) Calibration {
	var n [horizons][classes]float64
	var below [horizons][classes][quantiles]float64
	for i := range f.Points {
		p := &f.Points[i]
		if p.Start.Before(from) || !p.Start.Before(until) {
			continue
		}
		demand, cut, ok := came(p.Start, p.Width)
		if !ok || cut && demand < p.P95 {
			continue
		}
		h, class := horizonOf(p.Start.Sub(f.Issued)), classOf(p.Start.Add(p.Width/2).In(zoneOf(f.Zone)), p.Multiplier)
		n[h][class]++
		for q, v := range [quantiles]float64{p.P05, p.P90, p.P95} {
			if demand < v {
				below[h][class][q]++
			} else if demand == v {
				below[h][class][q] += levels[q]
			}
		}
	}
	for h := range n {
		for class, count := range n[h] {
			if count == 0 {
				continue
			}
			gain := calibrationGain * min(1, count/calibrationFull)
			for q, level := range levels {
				off := level - below[h][class][q]/count
				if q == low {
					off = -off
				}
				c.Logs[h][class][q] = clip(c.Logs[h][class][q]+gain*off, calibrationMost)
			}
		}
	}
	return c
}

func zoneOf(z *time.Location) *time.Location {
	if z == nil {
		return time.UTC
	}
	return z
}
