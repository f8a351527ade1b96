package relay

import "fmt"

// consistent holds that everything on the loops fits together at a moment when nothing is under way: who is
// linked to whom, what is counted, and what the pool takes for busy.
func (w *world) consistent() {
	w.t.Helper()
	w.onLoops(func(l *loop) {
		var clients [clientPlaces]int
		var servers [serverPlaces]int
		l.slots.each(func(c *client, s *server) {
			if c != nil {
				clients[c.place]++
				w.blame(checkClient(c))
				return
			}
			servers[s.place]++
			w.blame(checkServer(s))
		})
		for p := clientIdle; p < clientGone; p++ {
			if clients[p] != l.clients[p] {
				w.t.Errorf("loop %d: %d clients are %v, %d are counted", l.index, clients[p], p, l.clients[p])
			}
		}
		for p := serverIdle; p < serverGone; p++ {
			if servers[p] != l.servers[p] {
				w.t.Errorf("loop %d: %d server connections are %v, %d are counted", l.index, servers[p], p, l.servers[p])
			}
		}
	})
	w.eventually("the pool takes those for busy that are", func() bool {
		busy := 0
		w.onLoops(func(l *loop) {
			l.slots.each(func(_ *client, s *server) {
				if s != nil && s.pool == w.pool && s.place != serverIdle {
					busy++
				}
			})
		})
		return w.pool.Stat().Busy == busy
	})
}

func (w *world) blame(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Error(err)
	}
}

func checkClient(c *client) error {
	wrong := ""
	switch linked := c.place == clientLinked; {
	case linked != (c.server != nil):
		wrong = "has a server connection, or should have one"
	case linked && c.server.client != c:
		wrong = "has a server connection that has another client"
	case !linked && c.pauses&(pauseReplies|pauseLeaving) != 0:
		wrong = "is not read because of a server connection it does not have"
	case c.fd < 0:
		wrong = "has no descriptor"
	case c.place == clientIdle && len(c.stash) >= stashMax+scratchLen:
		wrong = fmt.Sprintf("keeps %d bytes of input", len(c.stash))
	default:
		return nil
	}
	return fmt.Errorf("a client that is %v %s", c.place, wrong)
}

func checkServer(s *server) error {
	wrong := ""
	switch linked := s.place == serverLinked; {
	case linked != (s.client != nil):
		wrong = "has a client, or should have one"
	case linked && s.client.server != s:
		wrong = "has a client that has another server connection"
	case s.place == serverIdle && (s.replies.count != 0 || s.task != taskNone || s.status != idleStatus):
		wrong = "has something under way"
	case s.place == serverIdle && (s.batch || s.skipping || s.copying || s.orphan || s.soiled || s.probeDue):
		wrong = "is not in order"
	case s.place == serverIdle && s.pending() != 0:
		wrong = "has something to send"
	case s.place == serverIdle && s.cancels != 0:
		wrong = "may be hit by a cancel request"
	case s.fd < 0:
		wrong = "has no descriptor"
	default:
		return nil
	}
	return fmt.Errorf("a server connection that is %v %s", s.place, wrong)
}
