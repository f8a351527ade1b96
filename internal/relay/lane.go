package relay

import (
	"bytes"
	"strings"

	"github.com/usher-pg/usher/internal/lanes"
	"github.com/usher-pg/usher/internal/pgerr"
	"github.com/usher-pg/usher/internal/prepared"
	"github.com/usher-pg/usher/internal/wire"
	engine "github.com/usher-pg/usher/pool"
)

// wanted is the lane of the request that begins with the message at the head of f, or why the request is refused. The
// first message of a request decides: a server connection is acquired once for all of them.
func (c *client) wanted(f *flow, t wire.Type, length int) (engine.Lane, *pgerr.Error) {
	lane, asked := engine.Lane(0), false
	switch t {
	case wire.Query, wire.Parse:
		text := statementText(t, body(f, length))
		if value, ok := lanes.AskedBySet(text); ok {
			return c.lane, c.judgeSet(value)
		}
		lane, asked = lanes.Asked(text)
	case wire.Bind:
		if head, ok, err := prepared.ParseBindHead(body(f, length)); ok && err == nil {
			lane, asked = c.prepared(head.Statement).Lane()
		}
	}
	switch {
	case !asked:
		return c.lane, nil
	case !c.grant.Exceeds(lane):
		return lane, nil
	}
	return c.grant.Lower(lane), c.exceeded(lane)
}

// statementText is the SQL text of a Query or Parse, as much of it as is here.
func statementText(t wire.Type, body []byte) []byte {
	if t == wire.Parse {
		_, body, _ = bytes.Cut(body, []byte{0})
	}
	if end := bytes.IndexByte(body, 0); end >= 0 {
		body = body[:end]
	}
	return body
}

// prepared is the statement a Bind is about, nil if it is not known.
func (c *client) prepared(name []byte) *prepared.Statement {
	if len(name) == 0 {
		return c.unnamed
	}
	return c.names.Get(name)
}

// shownMax is how much of a wrong value is shown to who has sent it.
const shownMax = 64

// judgeSet refuses a SET of usher.lane that would not do what it says.
func (c *client) judgeSet(value []byte) *pgerr.Error {
	lane, err := engine.ParseLane(string(bytes.ToLower(value)))
	switch {
	case bytes.EqualFold(value, []byte("default")):
		return nil
	case err != nil:
		return pgerr.NoSuchLane.With(string(value[:min(len(value), shownMax)]))
	case c.grant.Exceeds(lane):
		return c.exceeded(lane)
	}
	return nil
}

// exceeded counts a wish for more than the client is granted, and refuses it if that is the operator's wish.
func (c *client) exceeded(lane engine.Lane) *pgerr.Error {
	if !c.grant.Refuse {
		c.stats().LanesLowered++
		return nil
	}
	c.stats().LanesRefused++
	return pgerr.LaneDenied.With(lane.String()).WithHint("The highest lane granted to this client is %v.", c.grant.Highest)
}

// resettle takes over what the client's settings say to usher itself.
func (c *client) resettle() {
	settings := c.tracker.Settings()
	c.patience = settings.StatementTimeout()
	c.lane = c.grant.Lane
	if value, ok := settings.Value(lanes.Setting); ok {
		if lane, err := engine.ParseLane(strings.ToLower(value)); err == nil {
			c.lane = c.grant.Lower(lane)
		}
	}
}
