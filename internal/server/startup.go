package server

import (
	"slices"
	"strings"

	"github.com/usher-pg/usher/internal/login"
	"github.com/usher-pg/usher/internal/pgerr"
	"github.com/usher-pg/usher/internal/wire"
	engine "github.com/usher-pg/usher/pool"
)

// lanePrefix begins usher's own settings; the one there is chooses the lane of a client's requests.
const (
	lanePrefix  = "usher."
	laneSetting = "usher.lane"
)

// sessionParams are the settings a client asks for in its start-up packet, in the order in which they count: what is
// named wins over the options parameter, as in PostgreSQL. What the configuration ignores is left out, and what is
// meant for usher becomes the lane.
func sessionParams(c *login.Client, ignored []string) ([]wire.Param, engine.Lane, error) {
	lane := engine.Normal
	params := make([]wire.Param, 0, len(c.Settings)+len(c.Params))
	if !slices.Contains(ignored, "options") {
		params = append(params, c.Settings...)
	}
	params = append(params, c.Params...)
	var refused error
	params = slices.DeleteFunc(params, func(p wire.Param) bool {
		name := strings.ToLower(p.Name)
		if slices.Contains(ignored, name) {
			return true
		}
		if !strings.HasPrefix(name, lanePrefix) {
			return false
		}
		chosen, err := engine.ParseLane(p.Value)
		switch {
		case name != laneSetting:
			refused = pgerr.UnsupportedParameter.With(p.Name)
		case err != nil:
			refused = pgerr.InvalidParameter.With(p.Name).WithDetail("The lanes are critical, high, normal and low.")
		default:
			lane = chosen
		}
		return true
	})
	return params, lane, refused
}
