package server

import (
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/usher-pg/usher/internal/lanes"
	"github.com/usher-pg/usher/internal/login"
	"github.com/usher-pg/usher/internal/pgerr"
	"github.com/usher-pg/usher/internal/wire"
	engine "github.com/usher-pg/usher/pool"
)

// wishes are what a client asks for in its start-up packet.
type wishes struct {
	settings []wire.Param // of its session, in the order in which they count
	lane     engine.Lane  // if it asks
	asks     bool
}

// ownPrefix begins usher's own settings; lanes.Setting is the one there is.
const ownPrefix = "usher."

// wishesOf reads a client's start-up packet. What is named wins over the options parameter, as in PostgreSQL.
// What the configuration ignores is left out.
func wishesOf(c *login.Client, ignored []string) (wishes, error) {
	w := wishes{settings: make([]wire.Param, 0, len(c.Settings)+len(c.Params))}
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
	if name != lanes.Setting {
		return pgerr.UnsupportedParameter.With(name)
	}
	lane, err := engine.ParseLane(strings.ToLower(value))
	if err != nil {
		return pgerr.InvalidParameter.With(name).WithDetail("%s", lanes.Names)
	}
	w.lane, w.asks = lane, true
	return nil
}

// grantOf is what a client may do about its lane, in the lane that it asks for. lowered: that is not the one.
func grantOf(rules *lanes.Rules, c *login.Client, w *wishes) (grant lanes.Grant, lowered bool, err error) {
	grant = rules.For(&lanes.Client{
		User: c.User, Database: c.Database, Application: c.ApplicationName, Address: addressOf(c.Remote),
	})
	switch {
	case !w.asks:
		return grant, false, nil
	case !grant.Exceeds(w.lane):
		grant.Lane = w.lane
		return grant, false, nil
	case grant.Refuse:
		refused := pgerr.LaneNotGranted.With(w.lane.String())
		return grant, false, refused.WithHint("The highest lane granted to this client is %v.", grant.Highest)
	}
	grant.Lane = grant.Highest
	return grant, true, nil
}

// rank is whose login goes on first: it has the lane of the client's requests.
func (s *Server) rank(c *login.Client) int {
	now := s.settings.Load()
	wanted, err := wishesOf(c, now.Config.IgnoreStartupParameters)
	if err != nil {
		return int(engine.Low) // it will be refused
	}
	grant, _, _ := grantOf(now.Lanes, c, &wanted)
	return int(grant.Lane)
}

// addressOf is a client's address, not valid for a Unix socket.
func addressOf(remote net.Addr) netip.Addr {
	if tcp, ok := remote.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr()
	}
	return netip.Addr{}
}
