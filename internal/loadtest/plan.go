package loadtest

import (
	"fmt"
	"slices"
	"time"

	"github.com/usher-pg/usher/internal/loadtest/crowd"
	"github.com/usher-pg/usher/pool"
)

// Lanes by their numbers.
const (
	laneCritical = int(pool.Critical)
	laneHigh     = int(pool.High)
	laneNormal   = int(pool.Normal)
	laneLow      = int(pool.Low)
)

// shares are the lanes' parts of the clients, and of the arrivals where all lanes have some.
var shares = [pool.Lanes]float64{laneCritical: 0.05, laneHigh: 0.20, laneNormal: 0.50, laneLow: 0.25}

// The loads, as parts of the measured capacity.
const (
	fullHouseLoad     = 0.60
	saturdayPeak      = 0.70 // 10x, so 1x is 7 %: what a pool is scaled for must not use more of it
	saturdayRamp      = 10
	incidentLoad      = 2.0 // of normal and low together
	incidentCritical  = 0.05
	heldCriticalShare = 0.25 // of what the reserve can do
	heldOthers        = 0.01 // of normal and low together, to have somebody wait
)

// holdPatience is how long transactions may take to begin that are to be held. Longer than PgBouncer waits before it
// opens its reserve, shorter than it lets a client wait.
const holdPatience = 2500 * time.Millisecond

// The lengths, before they are scaled.
const (
	calibrationLength = 6 * time.Second
	fullHouseLength   = 30 * time.Second
	saturdayLength    = 2 * time.Minute
	strokeLength      = 15 * time.Second
	incidentLength    = 40 * time.Second
	heldLength        = 15 * time.Second
	minLength         = 2 * time.Second
)

// Databases that clients ask the pooler for. They are the same database of PostgreSQL.
const (
	preparedPool   = "prepared"   // all server connections are open beforehand
	unpreparedPool = "unprepared" // the pool begins with unpreparedMin of them
	unpreparedMin  = 2
)

// unpreparedIdle is how long a server connection may be idle. It is short, so that an unprepared pool is soon small
// again; prepared ones keep theirs.
const unpreparedIdle = 5 * time.Second

// queryWait is how long a request may wait in either pooler; maxWaiting how many may wait in a lane of usher's.
const (
	queryWait  = 5 * time.Second
	maxWaiting = 2000
)

// drainLength is how long requests may take to end when a phase does: who waits is served or refused within queryWait.
const drainLength = queryWait + 5*time.Second

// kind is what a phase is judged by.
type kind int

const (
	doorsOpen kind = iota
	withinCapacity
	unjudged // shown, to compare
	beyondCapacity
	everythingHeld
)

// phase is what happens in one phase.
type phase struct {
	name, title, story string
	kind               kind
	pool               string
	length             time.Duration
	loads              []crowd.Load
	hold               int  // transactions of lane normal that want to be open meanwhile
	everybody          bool // all clients must take part
	small              bool // the pool must have shrunk to its least size before
}

// The phases' names.
const (
	phaseDoors      = "doors"
	phaseFullHouse  = "full-house"
	phaseSaturday   = "saturday"
	phaseStroke     = "stroke-of-ten"
	phaseIncident   = "incident"
	phaseHeld       = "held"
	phaseColdStroke = "stroke-of-ten-unprepared"
	phaseCold       = "saturday-unprepared"
)

// PhaseNames are the phases that can be asked for, in their order. The doors always open.
func PhaseNames() []string {
	return []string{
		phaseDoors, phaseFullHouse, phaseSaturday, phaseStroke, phaseIncident, phaseHeld, phaseColdStroke, phaseCold,
	}
}

// seatsOf shares clients out among the lanes; what rounding leaves goes to normal.
func seatsOf(clients int) [pool.Lanes]int {
	var seats [pool.Lanes]int
	left := clients
	for lane, share := range shares {
		seats[lane] = int(share * float64(clients))
		left -= seats[lane]
	}
	seats[laneNormal] += left
	return seats
}

// plan is the phases for a capacity, in transactions a second.
func plan(o Options, capacity float64) []phase {
	scaled := func(d time.Duration) time.Duration {
		return max(minLength, time.Duration(float64(d)*o.TimeScale).Round(time.Second))
	}
	saturday := scaled(saturdayLength)
	ramp := allLanes(saturday, capacity*saturdayPeak/saturdayRamp, capacity*saturdayPeak)
	incident := scaled(incidentLength)
	held, stroke := scaled(heldLength), scaled(strokeLength)
	jump := allLanes(stroke, capacity*saturdayPeak, capacity*saturdayPeak)
	perConnection := capacity / float64(o.Pool)
	phases := []phase{
		{
			name: phaseFullHouse, title: "A full house", kind: withinCapacity, pool: preparedPool, everybody: true,
			story: fmt.Sprintf("all %d clients take part, arrivals at %.0f %% of the capacity", o.Clients,
				100*fullHouseLoad),
			length: scaled(fullHouseLength),
			loads:  allLanes(scaled(fullHouseLength), capacity*fullHouseLoad, capacity*fullHouseLoad),
		},
		{
			name: phaseSaturday, title: "Saturday evening", kind: withinCapacity, pool: preparedPool,
			story: fmt.Sprintf("arrivals grow tenfold, to %.0f %% of the capacity; all server connections are open "+
				"beforehand", 100*saturdayPeak),
			length: saturday, loads: ramp,
		},
		{
			name: phaseStroke, title: "On the stroke of ten", kind: withinCapacity, pool: preparedPool,
			story: fmt.Sprintf("arrivals jump from nothing to %.0f %% of the capacity; all server connections are open "+
				"beforehand", 100*saturdayPeak),
			length: stroke, loads: jump,
		},
		{
			name: phaseIncident, title: "Incident", kind: beyondCapacity, pool: preparedPool,
			story: fmt.Sprintf("normal and low ask for %g times the capacity, critical for %.0f %% of it", incidentLoad,
				100*incidentCritical),
			length: incident,
			loads: []crowd.Load{
				steady(laneCritical, incident, capacity*incidentCritical),
				steady(laneNormal, incident, capacity*incidentLoad*2/3),
				steady(laneLow, incident, capacity*incidentLoad/3),
			},
		},
		{
			name: phaseHeld, title: "Everything held", kind: everythingHeld, pool: preparedPool,
			hold: o.Pool + o.Reserve,
			story: fmt.Sprintf("%d transactions of normal take what they can get and keep it; critical asks for %.0f %% "+
				"of what the reserve of %d can do, normal and low for a little", o.Pool+o.Reserve,
				100*heldCriticalShare, o.Reserve),
			length: held,
			loads: []crowd.Load{
				steady(laneCritical, held, perConnection*float64(o.Reserve)*heldCriticalShare),
				steady(laneNormal, held, capacity*heldOthers*2/3),
				steady(laneLow, held, capacity*heldOthers/3),
			},
		},
		{
			name: phaseColdStroke, title: "On the stroke of ten, unprepared", kind: unjudged, pool: unpreparedPool,
			story: fmt.Sprintf("the same jump, but the pool begins with %d server connections and the reserve, and opens "+
				"others as it needs them", unpreparedMin),
			length: stroke, loads: jump, small: true,
		},
		{
			name: phaseCold, title: "Saturday evening, unprepared", kind: unjudged, pool: unpreparedPool,
			story: fmt.Sprintf("the same arrivals as on Saturday evening, but the pool begins with %d server connections "+
				"and the reserve, and opens others as it needs them", unpreparedMin),
			length: saturday, loads: ramp, small: true,
		},
	}
	return slices.DeleteFunc(phases, func(p phase) bool { return !o.wants(p.name) })
}

// allLanes shares a rate that changes evenly out among the lanes.
func allLanes(length time.Duration, from, to float64) []crowd.Load {
	var loads []crowd.Load
	for lane, share := range shares {
		loads = append(loads, crowd.Load{Lane: pool.Lane(lane).String(), Rate: []crowd.Point{
			{At: 0, Rate: from * share}, {At: length, Rate: to * share},
		}})
	}
	return loads
}

func steady(lane int, length time.Duration, rate float64) crowd.Load {
	return crowd.Load{Lane: pool.Lane(lane).String(), Rate: []crowd.Point{{At: 0, Rate: rate}, {At: length, Rate: rate}}}
}

// calibration keeps four requests a server connection under way: enough that none ever rests.
func calibration(o Options) phase {
	length := max(3*time.Second, time.Duration(float64(calibrationLength)*min(1, o.TimeScale*4)).Round(time.Second))
	closed := min(4*o.Pool, seatsOf(o.Clients)[laneNormal])
	return phase{
		name: "calibration", title: "Calibration", pool: preparedPool, length: length,
		loads: []crowd.Load{{Lane: pool.Normal.String(), Closed: closed}},
	}
}

// capacityOf is the median of the seconds of a calibration, the first left out.
func capacityOf(served []uint64) (float64, error) {
	if len(served) < 3 {
		return 0, fmt.Errorf("a calibration of %d seconds", len(served))
	}
	sorted := slices.Sorted(slices.Values(served[1:]))
	capacity := float64(sorted[len(sorted)/2])
	if capacity < 1 {
		return 0, fmt.Errorf("nothing was served when the capacity was measured")
	}
	return capacity, nil
}
