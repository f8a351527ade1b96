package server

import (
	"slices"
	"strings"

	"github.com/usher-pg/usher/internal/login"
	"github.com/usher-pg/usher/internal/pgerr"
	"github.com/usher-pg/usher/internal/wire"
	engine "github.com/usher-pg/usher/pool"
)

// wishes are what a client asks for in its start-up packet.
type wishes struct {
	settings []wire.Param // of its session, in the order in which they count
	lane     engine.Lane
}

// ownPrefix begins usher's own settings; the one there is chooses the lane of a client's requests.
const (
	ownPrefix   = "usher."
	laneSetting = "usher.lane"
)

// wishesOf reads a client's start-up packet. What is named wins over the options parameter, as in PostgreSQL.
// What the configuration ignores is left out.
func wishesOf(c *login.Client, ignored []string) (wishes, error) {
	w := wishes{lane: engine.Normal, settings: make([]wire.Param, 0, len(c.Settings)+len(c.Params))}
	if !slices.Contains(ignored, "options") {
		w.settings = append(w.settings, c.Settings...)
	}
	w.settings = append(w.settings, c.Params...)
	var refused error
	w.settings = slices.DeleteFunc(w.settings, func(p wire.Param) bool {
		name := strings.ToLower(p.Name)
		switch {
		case slices.Contains(ignored, name):
			return true
		case !strings.HasPrefix(name, ownPrefix):
			return false
		}
		if err := w.take(name, p.Value); err != nil {
			refused = err
		}
		return true
	})
	return w, refused
}

// take takes a setting of usher's own.
func (w *wishes) take(name, value string) error {
	if name != laneSetting {
		return pgerr.UnsupportedParameter.With(name)
	}
	lane, err := engine.ParseLane(value)
	if err != nil {
		return pgerr.InvalidParameter.With(name).WithDetail("The lanes are critical, high, normal and low.")
	}
	w.lane = lane
	return nil
}
