package relay

import (
	"syscall"

	"github.com/usher-pg/usher/internal/reactor"
)

// inbox is input that a loop has read for several conns in one system call, before it processes the first.
type inbox struct {
	arena []byte
	conns [inboxPieces]*conn
}

const (
	inboxPieces = outboxPieces
	// inboxPiece is what is read of a conn. One that has more is read by itself from then on, with all of scratch.
	inboxPiece = 2 << 10
)

// fetch reads what is there of conns that are ready, where that is as good as reading when their turn comes.
func (l *loop) fetch(ready []reactor.Readiness) {
	in, batch := &l.inbox, l.outbox.batch
	if batch == nil || len(ready) < l.outbox.worth {
		return
	}
	n := 0
	for _, r := range ready {
		c := l.fetchable(r)
		if c == nil {
			continue
		}
		l.outbox.remember(c)
		in.conns[n] = c
		batch.Receive(c.fd, in.piece(n))
		n++
	}
	if n == 0 {
		return
	}
	if err := batch.Run(in.received); err != nil {
		l.outbox.failed(err)
	}
}

func (in *inbox) piece(i int) []byte { return in.arena[i*inboxPiece : (i+1)*inboxPiece] }

// received notes what was read. The end of a connection, and errors, are found again when its turn comes.
func (in *inbox) received(i, n int, errno syscall.Errno) {
	c := in.conns[i]
	in.conns[i] = nil
	if errno == 0 && n > 0 {
		c.fetched = in.piece(i)[:n]
		c.bulk = n == inboxPiece
	}
}

// fetchable is the conn at a descriptor that is ready, if nothing that happens to others before its turn comes can keep
// it from processing what it has read.
func (l *loop) fetchable(r reactor.Readiness) *conn {
	if r.Event&reactor.Readable == 0 {
		return nil
	}
	var c *conn
	switch at := l.slots.get(r.Token); {
	case at.client != nil && (at.client.place == clientIdle || at.client.place == clientLinked):
		c = &at.client.conn
	case at.server != nil && at.server.place == serverLinked:
		c = &at.server.conn
	default:
		return nil
	}
	if c.secure != nil || c.pauses != 0 || c.bulk || len(c.stash) > 0 {
		return nil
	}
	return c
}
