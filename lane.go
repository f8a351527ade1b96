package usher

import (
	"context"

	engine "github.com/usher-pg/usher/pool"
)

// Lane is the priority class of a request. A smaller number is served first.
type Lane = engine.Lane

// The lanes, from what must not wait to what may. Mind that the zero value is Critical.
const (
	Critical = engine.Critical
	High     = engine.High
	Normal   = engine.Normal
	Low      = engine.Low

	// Lanes is how many there are: arrays per lane have this length.
	Lanes = engine.Lanes
)

// ParseLane is the reverse of [Lane.String].
func ParseLane(s string) (Lane, error) { return engine.ParseLane(s) }

type laneKey struct{}

// ContextWithLane says in which lane requests with this context wait where there is no argument for it: in
// database/sql (see [Pool.Connector]) and in package usher/pgxpool.
func ContextWithLane(ctx context.Context, lane Lane) context.Context {
	return context.WithValue(ctx, laneKey{}, lane)
}

// LaneFrom is the lane of [ContextWithLane], or fallback if there is none.
func LaneFrom(ctx context.Context, fallback Lane) Lane {
	if lane, ok := ctx.Value(laneKey{}).(Lane); ok {
		return lane
	}
	return fallback
}
