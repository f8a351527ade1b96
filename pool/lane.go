package pool

import "fmt"

// Lane is the priority class of a request. A smaller number is served first.
type Lane uint8

// The lanes, from what must not wait to what may.
const (
	Critical Lane = iota
	High
	Normal
	Low

	// Lanes is how many there are: arrays per lane have this length.
	Lanes = 4
)

var laneNames = [Lanes]string{"critical", "high", "normal", "low"}

func (l Lane) String() string {
	if int(l) < Lanes {
		return laneNames[l]
	}
	return fmt.Sprintf("lane(%d)", uint8(l))
}

// ParseLane is the reverse of [Lane.String].
func ParseLane(s string) (Lane, error) {
	for l, name := range laneNames {
		if s == name {
			return Lane(l), nil
		}
	}
	return 0, fmt.Errorf("unknown lane %q: want critical, high, normal or low", s)
}

// laneSet has one bit per lane.
type laneSet uint8

const allLanes laneSet = 1<<Lanes - 1

func (s laneSet) has(l Lane) bool { return s>>l&1 != 0 }

func setOf(lanes []Lane) laneSet {
	var s laneSet
	for _, l := range lanes {
		checkLane(l)
		s |= 1 << l
	}
	return s
}

func checkLane(l Lane) {
	if int(l) >= Lanes {
		panic("bug: no such lane: " + l.String())
	}
}
