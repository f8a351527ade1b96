package lanes

import "github.com/usher-pg/usher/pool"

// Setting is the name by which a client chooses the lane of its requests, at login and with SET.
const Setting = "usher.lane"

// Names tells a person what the values of Setting are.
const Names = "The lanes are critical, high, normal and low."

// Grant is what a client may do about its lane.
type Grant struct {
	Lane    pool.Lane // of requests that ask for none
	Highest pool.Lane // it may ask for
	Refuse  bool      // a request for more is refused, not lowered
}

// Open is the grant of a client when the operator has said nothing: every lane may be asked for.
var Open = Grant{Lane: pool.Normal, Highest: pool.Critical}

// Exceeds reports whether a lane is more than may be asked for.
func (g Grant) Exceeds(asked pool.Lane) bool { return asked < g.Highest }

// Lower is the lane asked for, or the highest one there is for the client.
func (g Grant) Lower(asked pool.Lane) pool.Lane { return max(asked, g.Highest) }
