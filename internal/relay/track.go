package relay

import (
	"fmt"
	"slices"

	"github.com/usher-pg/usher/internal/session"
	"github.com/usher-pg/usher/internal/wire"
)

// observe notes what a statement that is about to be forwarded may leave behind in the session. clears reports whether
// it is to drop all prepared statements.
func (c *client) observe(f session.Finding, text []byte) (clears bool) {
	s := c.server
	if c.replicating {
		return false // it never shares its server connection, which may not even speak SQL
	}
	c.tracker.Observe(f, text, s.replies.ready)
	if s.cache == nil || !f.ClearsPrepared() {
		return false
	}
	// From here on nothing may count on what was prepared; whether it is gone shows when the statement completes.
	s.cache.Clear()
	s.doubt = true
	if !s.replies.clears() {
		s.unshelveAll()
	}
	c.shelved, c.names = append(c.shelved, c.names), nil
	return true
}

// tag notes that a statement completed.
func (s *server) tag(tag []byte) {
	if !s.client.tracker.CommandTag(tag) || s.cache == nil {
		return
	}
	c, outstanding := s.client, len(s.client.shelved)
	if head := s.replies.head(); head.clears && outstanding > 0 {
		head.clears = false
		c.shelved[0].Clear()
		c.shelved = slices.Delete(c.shelved, 0, 1)
		outstanding--
	} else { // nobody saw it coming
		s.cache.Clear()
		(*s.namesAt(0)).Clear()
	}
	s.doubt = outstanding > 0
}

// unshelve gives the client the k-th set of statements back, because what was to drop it has not done so.
func (s *server) unshelve(k int) {
	c := s.client
	if k >= len(c.shelved) {
		return
	}
	kept, into := c.shelved[k], &c.names
	c.shelved = slices.Delete(c.shelved, k, k+1)
	if k < len(c.shelved) {
		into = &c.shelved[k]
	}
	if (*into).Len() == 0 {
		(*into).Clear()
		kept, *into = nil, kept
	}
	kept.Clear()
}

func (s *server) unshelveAll() {
	for k := len(s.client.shelved) - 1; k >= 0; k-- {
		s.unshelve(k)
	}
}

// parameter passes a ParameterStatus and notes it.
func (s *server) parameter(f *flow, length int) bool {
	if length > paramMax {
		s.wrong(fmt.Sprintf("ParameterStatus of %d bytes", length))
		return false
	}
	if !whole(f, length) {
		return false
	}
	name, value, err := wire.StatusParam(body(f, length))
	if err != nil {
		s.wrong(err.Error())
		return false
	}
	if s.client != nil {
		s.report(f, length, string(name), string(value))
		return true
	}
	if settings, err := s.settings.Reported(string(name), string(value)); err == nil {
		// The server's configuration was reloaded while nobody used the connection.
		s.settings, s.base = settings, settings
	}
	s.pass(f, length, true)
	return true
}

// report tells the client what the server reports, if that is news and the client's affair.
func (s *server) report(f *flow, length int, name, value string) {
	t := &s.client.tracker
	shown, news := t.Shown(name, value)
	if s.task != taskNone && !t.Shows(name) {
		news = false // what a role of the client's means for is_superuser, it was told when it took it on
	}
	t.ParameterStatus(name, value)
	if news && shown != value {
		f.spill()
		f.made = wire.AppendStatusParam(f.made, wire.Param{Name: name, Value: shown})
		news = false
	}
	s.pass(f, length, !news)
}

// track does what the end of a statement asks for.
func (s *server) track() {
	c := s.client
	s.act(c.tracker.Ready(s.status, s.replies.count > 0 || s.batch))
}

func (s *server) act(a session.Action) {
	switch a.Kind {
	case session.Changed:
		s.settings = a.Server
		s.client.resettle()
	case session.AskServer:
		s.probeDue = true
	}
}

// probe asks the server what the transaction that ended has left behind.
func (s *server) probe() {
	s.probeDue = false
	s.begin(taskProbe, nil, string(s.client.tracker.AppendProbe(nil)))
}

// probed takes the answer.
func (s *server) probed(x exchange) {
	c := s.client
	before := c.tracker.Pins()
	if x.failure == "" {
		probe, err := session.ParseProbe(x.row)
		if err == nil {
			s.act(c.tracker.Apply(probe))
		} else {
			x.failure = err.Error()
		}
	}
	if x.failure != "" {
		s.loop.log.Warn("session state could not be read; the client keeps its server connection",
			"client", c.id, "server", s.id, "pool", s.pool.name, "error", x.failure)
		c.tracker.ProbeFailed()
	}
	if before == 0 && c.tracker.Pins() != 0 {
		c.pinnings++
		c.stats().pin(c.tracker.Pins())
		s.loop.log.Debug("client pinned", "client", c.id, "pool", s.pool.name, "reason", c.tracker.Pins().String())
	}
	s.goOn()
}

// goOn lets the client go on after usher has used its server connection: with this one, or without.
func (s *server) goOn() {
	c := s.client
	if s.releasable() && len(c.stash) == 0 {
		s.release()
		return
	}
	s.caughtUp()
	c.resume()
	if s.client == c && s.releasable() {
		s.release()
	}
}
