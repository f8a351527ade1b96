package tuner

import (
	"math"
	"time"
)

const (
	// levelQuick and levelSlow are how far the two averages look back.
	levelQuick = 5 * time.Second
	levelSlow  = 5 * time.Minute
	// levelLeast is what the slow one needs to be believed.
	levelLeast = 15 * time.Second
	// levelShift is by how much, up or down, the quick one must differ: statements that take 1.3 times as long use another
	// part of the server. levelLasts is for how long.
	levelShift = 1.3
	levelLasts = 10 * time.Second
)

// level watches the throughput at the size that holds, while the load fills it. As the size is the same, another
// throughput means other statements, or another server.
type level struct {
	quick, slow float64 // means of the logarithm of throughput
	seconds     float64 // that slow comes from
	away        time.Duration
}

// watch adds an observation and reports whether the level has shifted.
func (l *level) watch(o Observed, span time.Duration) bool {
	x := math.Log(max(float64(o.Completed), 0.5) / span.Seconds())
	if l.seconds == 0 {
		l.quick = x
	}
	seconds := span.Seconds()
	l.seconds = min(l.seconds+seconds, levelSlow.Seconds())
	l.quick += min(1, seconds/min(l.seconds, levelQuick.Seconds())) * (x - l.quick)
	if l.seconds > levelLeast.Seconds() && math.Abs(l.quick-l.slow) > math.Log(levelShift) {
		l.away += span
		return l.away >= levelLasts
	}
	l.away = 0
	l.slow += min(1, seconds/l.seconds) * (x - l.slow)
	return false
}

// change is how many times the throughput it was it is now.
func (l *level) change() float64 { return math.Exp(l.quick - l.slow) }
