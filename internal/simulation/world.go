package simulation

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/usher-pg/usher/internal/history"
	"github.com/usher-pg/usher/internal/staffing"
)

// Sizes of a year. They are a mid-sized platform's; what matters is their proportions.
const (
	bucketsADay = int(24 * time.Hour / history.Step)
	year        = 365

	growth     = 1.6  // over the year
	nightly    = 5.0  // connections that are needed in the small hours of the first night
	daily      = 20.0 // and in the evening
	noiseKeeps = 0.9  // of what noise there is from bucket to bucket
	noiseSize  = 0.06
	// pushed is how soon two thirds of those who come at once have come.
	pushed = 20 * time.Second
)

// traffic is what requests are like.
var traffic = staffing.Load{Service: 2 * time.Millisecond, ArrivalSpread: 2, ServiceSpread: 2}

// World is a year of demand.
type World struct {
	seed  uint64
	zone  *time.Location
	start time.Time
	days  int

	// Level is demand at the beginning of each bucket, after what comes at once then, which is Jump. Both are without
	// noise, which is a factor at the beginning of each.
	level, jump, noise []float64
	// ordinary is what an ordinary day would have at that time.
	ordinary []float64
	weddings []wedding
	// trouble is what is wrong in a bucket.
	trouble []trouble
	// most is what the pool may have.
	most int
}

// trouble is what a bucket's demand comes from besides people's plans.
type trouble uint8

const (
	none      trouble = iota
	out               // the database cannot be reached
	silence           // something before usher is out
	storm             // what follows either
	viral             // nobody knew
	saturated         // more than the pool may have would be needed, which no policy can do anything about
	troubles  = iota
)

// NewWorld is the year of a seed, or its first days. They are those of the zone, and begin in May, when the platform's
// rules of thumb would be right: the rest of the year has fewer weddings, or more.
func NewWorld(seed uint64, zone *time.Location, days int) *World {
	r := rand.New(rand.NewPCG(seed, 1))
	buckets := days * bucketsADay
	w := &World{
		seed: seed, zone: zone, start: time.Date(2026, 5, 1, 0, 0, 0, 0, zone).UTC(), days: days,
		level: make([]float64, buckets+1), jump: make([]float64, buckets+1), noise: make([]float64, buckets+1),
		ordinary: make([]float64, buckets+1), trouble: make([]trouble, buckets+1),
	}
	w.habits(r)
	w.marry(r)
	w.surprise(r)
	w.interrupt(r)
	for b := range w.buckets() {
		if w.peak(b) >= float64(w.most) || b > 0 && w.trouble[b-1] == saturated && w.peak(b) >= 0.9*float64(w.most) {
			w.trouble[b] = saturated
		}
	}
	return w
}

// buckets is how many there are.
func (w *World) buckets() int { return w.days * bucketsADay }

// at is when a bucket begins.
func (w *World) at(bucket int) time.Time { return w.start.Add(time.Duration(bucket) * history.Step) }

// bucket is which one a time is in; it may be outside of the year.
func (w *World) bucket(t time.Time) int {
	return int(math.Floor(float64(t.Sub(w.start)) / float64(history.Step)))
}

// grown is how much of everything there is, as a multiple of the first day's.
func (w *World) grown(bucket int) float64 {
	return math.Pow(growth, float64(bucket)/float64(year*bucketsADay))
}

// habits are ordinary days, weekends without weddings, and noise.
func (w *World) habits(r *rand.Rand) {
	drift := 0.0
	for b := range w.level {
		local := w.at(b).In(w.zone)
		hour := float64(local.Hour()) + float64(local.Minute())/60
		day := 0.5 - 0.5*math.Cos(2*math.Pi*(hour-4)/24)
		w.ordinary[b] = (nightly + (daily-nightly)*math.Pow(day, 1.2)) * w.grown(b)
		w.level[b] = w.ordinary[b] * weekly(local.Weekday(), hour)
		drift = noiseKeeps*drift + math.Sqrt(1-noiseKeeps*noiseKeeps)*r.NormFloat64()
		w.noise[b] = math.Exp(noiseSize * drift)
	}
}

// weekly is what days of the week bring whether somebody marries or not.
func weekly(day time.Weekday, hour float64) float64 {
	switch day {
	case time.Friday:
		return 1 + 0.8*plateau(hour, 16, 17.5, 22.5, 24)
	case time.Saturday:
		return 1 + 1.2*plateau(hour, 7, 9, 13, 14) + 1.5*plateau(hour, 13, 15, 22.5, 24)
	case time.Sunday:
		return 1 + 2*plateau(hour, 8.5, 10.5, 19, 22)
	}
	return 1
}

// plateau rises from 0 at a to 1 at b, and falls from c to 0 at d.
func plateau(x, a, b, c, d float64) float64 {
	return max(0, min((x-a)/(b-a), 1, (d-x)/(d-c)))
}

// surprise is the viral day: a weekday in spring, summer or autumn on which the number of people doubles every four
// minutes until there are many times as many as ever, some years more than the pool can serve; they lose interest
// within hours.
func (w *World) surprise(r *rand.Rand) {
	w.size()
	day := 100 + r.IntN(200)
	for weekend(w.at(day * bucketsADay).In(w.zone).Weekday()) {
		day++
	}
	if day >= w.days {
		return
	}
	first := day*bucketsADay + (10+r.IntN(8))*12
	crowd := float64(w.most) * (0.6 + 0.5*r.Float64())
	const rising = 8 // buckets
	for b := first; b < first+6*12; b++ {
		since := float64(b - first)
		w.level[b] += crowd * min(math.Exp2((since-rising)*5/4), math.Exp(-(since-rising)/9))
		w.trouble[b] = viral
	}
}

// weekend is from Friday on.
func weekend(day time.Weekday) bool {
	return day == time.Friday || day == time.Saturday || day == time.Sunday
}

// size finds what the pool may have: what the most that people plan needs, and some.
func (w *World) size() {
	most := 0.0
	for b, level := range w.level {
		most = max(most, level*w.noise[b])
	}
	w.most = int(1.05 * float64(need(most)))
}

// need is what a demand needs.
func need(demand float64) int {
	load := traffic
	load.Offered = demand
	return staffing.Connections(load, staffing.DefaultGoal, staffing.MaxConnections)
}

// interrupt puts two outages in: one of the database on a weekday, one elsewhere on the evening of a Saturday.
func (w *World) interrupt(r *rand.Rand) {
	day := 120 + 7*r.IntN(20)
	for w.at(day*bucketsADay).In(w.zone).Weekday() != time.Tuesday {
		day++
	}
	w.outage(day*bucketsADay+(9+r.IntN(10))*12, 4+r.IntN(6), out, r)
	day = 130 + 7*r.IntN(20)
	for w.at(day*bucketsADay).In(w.zone).Weekday() != time.Saturday {
		day++
	}
	w.outage(day*bucketsADay+17*12+r.IntN(24), 4+r.IntN(5), silence, r)
}

// outage is one for n buckets, and the storm after it: those who were kept out come all at once.
func (w *World) outage(first, n int, what trouble, r *rand.Rand) {
	if first+bucketsADay > w.buckets() || w.trouble[first] == viral || w.trouble[first+n] == viral {
		return
	}
	for b := first; b < first+n; b++ {
		w.trouble[b] = what
		if what == silence {
			w.level[b] *= 0.03
			w.jump[b] *= 0.03
		}
	}
	back := first + n
	more := w.level[back] * (0.6 + 0.6*r.Float64())
	w.jump[back] += more
	if what == silence {
		w.jump[back] += w.level[back]
	}
	for b := back; b < back+6; b++ {
		w.level[b] += more * math.Exp(-float64(b-back)/2)
		w.trouble[b] = storm
	}
}

// mean is mean demand of a bucket, and most the most of it.
func (w *World) mean(b int) float64 {
	part := pushed.Seconds() / history.Step.Seconds()
	from, to := w.noise[b]*w.level[b], w.noise[b+1]*(w.level[b+1]-w.jump[b+1])
	return max(0, (from+to)/2-w.noise[b]*w.jump[b]*part)
}

func (w *World) peak(b int) float64 {
	return max(w.noise[b]*w.level[b], w.noise[b+1]*(w.level[b+1]-w.jump[b+1]))
}

// demand is that at a time within a bucket, as a part of the bucket.
func (w *World) demand(b int, part float64) float64 {
	from, to := w.noise[b]*w.level[b], w.noise[b+1]*(w.level[b+1]-w.jump[b+1])
	since := part * float64(history.Step) / float64(pushed)
	return max(0, from+(to-from)*part-w.noise[b]*w.jump[b]*math.Exp(-since))
}
